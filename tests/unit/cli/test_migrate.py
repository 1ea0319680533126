"""`runwire migrate`, `migrate up` and `migrate status`."""

from pathlib import Path

import pytest
from cli_support import Command


def test_a_schema_is_brought_up_to_date_and_said_to_be(command: Command) -> None:
    store = ["--store", "sqlite:x.db"]

    before = command("migrate", "status", *store)
    done = command("migrate", *store)
    again = command("migrate", "up", *store)
    after = command("migrate", *store, "status")

    assert before.code == 3
    assert before.out.startswith("sqlite:x.db has schema none; the newest is ")
    assert "pending: " in before.out
    assert (done.code, again.code, after.code) == (0, 0, 0)
    assert done.out == again.out
    assert done.out.startswith("sqlite:x.db has schema ")
    assert after.out.endswith(", the newest\n")


@pytest.mark.parametrize("arguments", [[], ["up"], ["status"]])
def test_a_store_without_schema_is_fine(command: Command, arguments: list[str]) -> None:
    done = command("migrate", *arguments, "--store", "memory:")

    assert (done.code, done.out) == (0, "memory: has no schema\n")


@pytest.mark.parametrize("arguments", [[], ["up"], ["status"]])
@pytest.mark.parametrize(
    "store",
    [
        "postgresql://u:hunter2@127.0.0.1:1/d?connect_seconds=0.5",
        "postgresql://u:hunter2@h:x/d",
        "nope://u:hunter2@h",
    ],
)
def test_no_failure_shows_a_password(command: Command, arguments: list[str], store: str) -> None:
    done = command("migrate", *arguments, "--store", store)

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert "hunter2" not in done.err


def test_the_status_of_a_file_that_is_not_there_makes_none(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "missing.db"

    done = command("migrate", "status", "--store", f"sqlite:{path}")

    assert done.code == 3
    assert done.out.startswith(f"sqlite:{path} has schema none; the newest is ")
    assert "pending: 0001\n" in done.out
    assert list(tmp_path.glob("missing*")) == []
