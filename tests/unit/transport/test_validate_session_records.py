"""Requests that make and change sessions, and requests about tracks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from validation_support import violations

from runwire.v1 import session_service_pb2 as pb
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import FOR_EVER, NEVER, Expiry
from runwire_server.domain.sessions import SessionChange
from runwire_server.transport import validate

KEY = {"appName": "a", "userId": "u", "sessionId": "s"}
DOMAIN_KEY = SessionKey("a", "u", "s")
LONG = "x" * 256
KIB_256 = 256 * 1024
TEN_YEARS = 315_360_000


def update(mask: str, **session: Any) -> dict[str, Any]:
    """UpdateSession of that session."""
    return {"session": {"key": KEY, **session}, "updateMask": mask}


def append(*payloads: str, **fields: Any) -> dict[str, Any]:
    """AppendTrackEvents of those payloads."""
    return {"key": KEY, "track": "t", "events": [{"payload": payload} for payload in payloads], **fields}


Check = tuple[Callable[[Any], Any], Any]
CREATE = (validate.create_session_request, pb.CreateSessionRequest)
GET_OR_CREATE = (validate.get_or_create_session_request, pb.GetOrCreateSessionRequest)
UPDATE = (validate.update_session_request, pb.UpdateSessionRequest)
RESTORE = (validate.restore_session_request, pb.RestoreSessionRequest)
APPEND = (validate.append_track_events_request, pb.AppendTrackEventsRequest)
LIST = (validate.list_track_events_request, pb.ListTrackEventsRequest)
WRONG: list[tuple[Check, dict[str, Any], list[str]]] = [
    (CREATE, {"key": KEY, "ttl": "0.5s"}, ["ttl"]),
    (CREATE, {"key": KEY, "ttl": "-1s"}, ["ttl"]),
    (CREATE, {"key": KEY, "ttl": f"{TEN_YEARS + 1}s"}, ["ttl"]),
    (GET_OR_CREATE, {"key": KEY, "ttl": "0.1s", "displayName": "\0"}, ["ttl", "display_name"]),
    (RESTORE, {"key": {"userId": "u"}}, ["key.session_id"]),
    (UPDATE, {}, ["session.key.user_id", "session.key.session_id", "update_mask"]),
    (UPDATE, update("state"), ["update_mask.paths[0]"]),
    (UPDATE, update("displayName,key.userId"), ["update_mask.paths[1]"]),
    (UPDATE, update("ttl,expireTime", ttl="5s"), ["update_mask"]),
    (UPDATE, update("ttl", ttl="0.5s"), ["session.ttl"]),
    (UPDATE, update("displayName", displayName=LONG), ["session.display_name"]),
    (APPEND, {"key": KEY}, ["track", "events"]),
    (APPEND, append(*["1"] * 1001), ["events"]),
    (APPEND, append("1", track=LONG), ["track"]),
    (
        APPEND,
        append("1", "", "{", "NaN", '"\x01"', "[" * 100_000),
        [f"events[{i}].payload" for i in range(1, 6)],
    ),
    (APPEND, append('"' + "x" * (KIB_256 - 1) + '"'), ["events[0].payload"]),
    (
        APPEND,
        append(events=[{"payload": "1", "position": "3", "createTime": "2026-11-21T07:00:00Z"}]),
        ["events[0].position", "events[0].create_time"],
    ),
    (
        LIST,
        {"key": KEY, "afterPosition": -1, "pageSize": -1, "pageToken": "x"},
        ["track", "after_position", "page_size", "page_token"],
    ),
]


@pytest.mark.parametrize(
    ("check", "fields", "wrong"), WRONG, ids=[f"{i} {row[0][0].__name__}" for i, row in enumerate(WRONG)]
)
def test_a_wrong_request_names_all_its_wrong_fields(
    check: Check, fields: dict[str, Any], wrong: list[str]
) -> None:
    function, kind = check

    assert violations(function, ParseDict(fields, kind())) == wrong


@pytest.mark.parametrize("check", [CREATE, GET_OR_CREATE], ids=["create", "get_or_create"])
@pytest.mark.parametrize(
    ("ttl", "asked"),
    [
        (None, None),
        ("0s", FOR_EVER),
        ("1s", timedelta(seconds=1)),
        ("1.5s", timedelta(seconds=1.5)),
        (f"{TEN_YEARS}s", timedelta(days=3650)),
    ],
)
def test_a_ttl_of_zero_is_for_ever_and_none_the_default(
    check: Check, ttl: str | None, asked: timedelta | None
) -> None:
    function, kind = check
    fields = {"key": KEY, "displayName": "d"} | ({"ttl": ttl} if ttl else {})

    new = function(ParseDict(fields, kind()))

    assert (new.key, new.ttl, new.display_name) == (DOMAIN_KEY, asked, "d")


def test_an_odd_duration_is_no_crash() -> None:
    request = pb.CreateSessionRequest(key={"user_id": "u"}, ttl=Duration(seconds=2**62, nanos=-5))

    assert violations(validate.create_session_request, request) == ["ttl"]


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        (update("displayName", displayName="d"), SessionChange(display_name="d")),
        (update("displayName", ttl="5s"), SessionChange(display_name="")),
        (update("ttl", ttl="5s", displayName="d"), SessionChange(expiry=Expiry(ttl=timedelta(seconds=5)))),
        (update("ttl", ttl="0s"), SessionChange(expiry=NEVER)),
        (update("ttl"), SessionChange(expiry=NEVER)),
        (update("expireTime"), SessionChange(expiry=NEVER)),
        (
            update("expireTime,displayName", expireTime="2026-11-21T07:00:00Z"),
            SessionChange(display_name="", expiry=Expiry(time=datetime(2026, 11, 21, 7, tzinfo=UTC))),
        ),
    ],
)
def test_what_the_mask_names_is_changed_or_cleared(fields: dict[str, Any], change: SessionChange) -> None:
    request = ParseDict(fields, pb.UpdateSessionRequest())

    assert validate.update_session_request(request) == (DOMAIN_KEY, change)


def test_json_of_any_kind_is_a_payload() -> None:
    payloads = ["1" * 5000, '"\\ud800"', ' {"a": [null]} ', '"ü"', "1e999", '"' + "x" * (KIB_256 - 2) + '"']

    taken = validate.append_track_events_request(ParseDict(append(*payloads), pb.AppendTrackEventsRequest()))

    assert taken == (DOMAIN_KEY, "t", payloads)


@pytest.mark.parametrize(
    ("fields", "after", "limit"),
    [
        ({}, 0, 100),
        ({"afterPosition": 3, "pageSize": 9999}, 3, 1000),
        ({"afterPosition": 3, "pageToken": "7"}, 7, 100),
    ],
)
def test_a_track_is_listed_behind_the_page_before(fields: dict[str, Any], after: int, limit: int) -> None:
    request = ParseDict({"key": KEY, "track": "t", **fields}, pb.ListTrackEventsRequest())

    key, asked = validate.list_track_events_request(request)

    assert (key, asked.after, asked.limit) == (DOMAIN_KEY, after, limit)
