"""Which errors of databases are what in the domain."""

import asyncmy.errors
import pytest
from sqlalchemy.exc import OperationalError

from runwire_server.domain.errors import NoRoomError, UnavailableError
from runwire_server.storage.sql.failures import failure, is_refusal, was_undone


def of_mysql(number: int, sqlstate: str) -> OperationalError:
    error = asyncmy.errors.OperationalError(number, "why")
    error.sqlstate = sqlstate
    return OperationalError("SELECT 1", None, error)


@pytest.mark.parametrize(
    ("number", "sqlstate"),
    [
        (1040, "08004"),
        (1203, "42000"),
        (1226, "42000"),
        (1021, "HY000"),
        (1041, "HY000"),
        (1114, "HY000"),
        (1038, "HY001"),
    ],
)
def test_mysql_without_room(number: int, sqlstate: str) -> None:
    error = of_mysql(number, sqlstate)

    assert type(failure(error)) is NoRoomError
    assert not was_undone(error)


def test_what_mysql_undid_may_be_done_again() -> None:
    error = of_mysql(1213, "40001")

    assert was_undone(error)
    assert type(failure(error)) is UnavailableError


def test_who_waited_for_a_lock_in_vain_does_not_wait_ten_times() -> None:
    error = of_mysql(1205, "HY000")

    assert not was_undone(error)
    assert is_refusal(error)
    assert type(failure(error)) is UnavailableError
