"""Requests that read around an event, or delete what follows one."""

from typing import Any

import pytest
from validation_support import violations

from runwire.v1 import session_service_pb2 as pb
from runwire_server.domain.ids import SessionKey
from runwire_server.transport import validate

KEY: Any = {"app_name": "a", "user_id": "u", "session_id": "s"}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ["key.user_id", "key.session_id", "event_id"]),
        ({"key": KEY, "event_id": " "}, ["event_id"]),
        ({"key": KEY, "event_id": "x" * 256}, ["event_id"]),
        ({"key": KEY, "event_id": "e", "before": -1, "after": 1001}, ["before", "after"]),
    ],
)
def test_what_a_window_may_not_be(fields: dict[str, Any], wrong: list[str]) -> None:
    assert violations(validate.get_event_window_request, pb.GetEventWindowRequest(**fields)) == wrong


def test_a_window_is_as_asked() -> None:
    request = pb.GetEventWindowRequest(key=KEY, event_id=" e", before=1000)

    key, asked = validate.get_event_window_request(request)

    assert (key, asked.event_id, asked.before, asked.after) == (SessionKey("a", "u", "s"), " e", 1000, 0)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"event_id": "e"}, ["key.user_id", "key.session_id"]),
        ({"key": KEY, "event_id": "a\0b"}, ["event_id"]),
    ],
)
def test_what_a_truncation_may_not_be(fields: dict[str, Any], wrong: list[str]) -> None:
    assert violations(validate.truncate_session_request, pb.TruncateSessionRequest(**fields)) == wrong


def test_a_truncation_may_keep_nothing() -> None:
    request = pb.TruncateSessionRequest(key=KEY)

    assert validate.truncate_session_request(request) == (SessionKey("a", "u", "s"), "")
