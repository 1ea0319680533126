"""Requests of SessionService: what is wrong with them, and what becomes of the right ones."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from validation_support import nested, violations

from runwire.v1 import session_service_pb2 as pb
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolResult, ToolStatus
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.runner.conversations import NewSession
from runwire_server.transport import validate

KEY = {"appName": "a", "userId": "u", "sessionId": "s"}
DOMAIN_KEY = SessionKey("a", "u", "s")
LONG = "x" * 256
MIB = 1024 * 1024


def appended(**event: Any) -> dict[str, Any]:
    """AppendEvent of that event."""
    return {"key": KEY, "event": event}


CREATE = (validate.create_session_request, pb.CreateSessionRequest)
GET_OR_CREATE = (validate.get_or_create_session_request, pb.GetOrCreateSessionRequest)
GET = (validate.get_session_request, pb.GetSessionRequest)
LIST = (validate.list_sessions_request, pb.ListSessionsRequest)
DELETE = (validate.delete_session_request, pb.DeleteSessionRequest)
APPEND = (validate.append_event_request, pb.AppendEventRequest)
EVENTS = (validate.list_events_request, pb.ListEventsRequest)
GET_STATE = (validate.get_state_request, pb.GetStateRequest)
UPDATE_STATE = (validate.update_state_request, pb.UpdateStateRequest)
DELETE_STATE = (validate.delete_state_request, pb.DeleteStateRequest)

Check = tuple[Callable[[Any], Any], Any]
WRONG: list[tuple[Check, dict[str, Any], list[str]]] = [
    (CREATE, {}, ["key.user_id"]),
    (
        CREATE,
        {"key": {"appName": LONG, "userId": " ", "sessionId": "\0"}},
        ["key." + n for n in ("app_name", "user_id", "session_id")],
    ),
    (CREATE, {"key": KEY, "state": nested(31)}, ["state"]),
    (CREATE, {"key": KEY, "state": {"app:": 1}, "displayName": LONG}, ["state", "display_name"]),
    (GET_OR_CREATE, {"state": {"": 1}}, ["key.user_id", "state"]),
    (GET, {"key": {"userId": "u"}, "lastEvents": -1}, ["key.session_id", "last_events"]),
    (LIST, {"pageSize": -1}, ["user_id", "page_size"]),
    (DELETE, {"key": {"sessionId": "s"}}, ["key.user_id"]),
    (APPEND, {"key": KEY}, ["event"]),
    (APPEND, appended(object="x"), ["event"]),
    (APPEND, appended(id=LONG, author=LONG, stateDelta={"k": 1}), ["event.id", "event.author"]),
    (
        APPEND,
        appended(
            requestId=LONG,
            branch=LONG,
            filterKey=LONG,
            invocationId=LONG,
            parentInvocationId=LONG,
            tag=LONG,
            stateDelta={"k": 1},
        ),
        [
            "event." + n
            for n in ("request_id", "branch", "filter_key", "invocation_id", "parent_invocation_id", "tag")
        ],
    ),
    (APPEND, appended(stateDelta=nested(31)), ["event.state_delta"]),
    (APPEND, appended(textDelta={"text": "x"}), ["event.text_delta"]),
    (APPEND, appended(completion={}), ["event.completion"]),
    (APPEND, appended(runStarted={}, stateDelta={"k": 1}), ["event.run_started"]),
    (APPEND, appended(message={}), ["event.message.message.content"]),
    (APPEND, appended(message={"message": {"role": 9, "content": "x"}}), ["event.message.message.role"]),
    (
        APPEND,
        appended(message={"message": {"role": "ROLE_TOOL", "content": "x"}, "model": LONG}),
        ["event.message.model", "event.message.message.tool_call_id"],
    ),
    (
        APPEND,
        appended(message={"message": {"content": "x" * (MIB + 1)}}),
        ["event.message.message.content"],
    ),
    (APPEND, appended(toolResults={}), ["event.tool_results.results"]),
    (
        APPEND,
        appended(toolResults={"results": [{"toolCallId": "c"}, {"status": 9, "content": "x" * (MIB + 1)}]}),
        ["event.tool_results.results[1]." + n for n in ("tool_call_id", "content", "status")],
    ),
    (APPEND, appended(custom={"data": nested(31)}), ["event.custom.name", "event.custom.data"]),
    (
        EVENTS,
        {"key": KEY, "afterPosition": -1, "pageSize": -1, "pageToken": "x"},
        ["after_position", "page_size", "page_token"],
    ),
    (GET_STATE, {"key": KEY}, ["tier"]),
    (GET_STATE, {"key": KEY, "tier": 9}, ["tier"]),
    (GET_STATE, {"tier": "STATE_TIER_USER"}, ["key.user_id"]),
    (GET_STATE, {"tier": "STATE_TIER_SESSION"}, ["key.user_id", "key.session_id"]),
    (UPDATE_STATE, {"tier": "STATE_TIER_APP"}, ["delta"]),
    (UPDATE_STATE, {"tier": "STATE_TIER_APP", "delta": {"user:k": 1}}, ["delta"]),
    (UPDATE_STATE, {"key": KEY, "tier": "STATE_TIER_USER", "delta": {"app:k": 1}}, ["delta"]),
    (
        UPDATE_STATE,
        {"key": KEY, "tier": "STATE_TIER_SESSION", "delta": {"app:k": 1, "user:k": 1}},
        ["delta", "delta"],
    ),
    (UPDATE_STATE, {"key": KEY, "tier": "STATE_TIER_SESSION", "delta": {"temp:k": 1}}, ["delta"]),
    (UPDATE_STATE, {"tier": "STATE_TIER_APP", "delta": {"temp:k": 1}}, ["delta"]),
    (UPDATE_STATE, {"tier": "STATE_TIER_APP", "delta": {"app:": 1}}, ["delta"]),
    (UPDATE_STATE, {"tier": "STATE_TIER_APP", "delta": nested(31)}, ["delta"]),
    (DELETE_STATE, {"tier": "STATE_TIER_APP"}, ["keys"]),
    (DELETE_STATE, {"tier": "STATE_TIER_APP", "keys": ["a", ""]}, ["keys[1]"]),
    (DELETE_STATE, {"tier": "STATE_TIER_APP", "keys": ["app:"]}, ["keys[0]"]),
    (DELETE_STATE, {"tier": "STATE_TIER_APP", "keys": ["user:a", "temp:b"]}, ["keys[0]", "keys[1]"]),
    (DELETE_STATE, {"key": KEY, "tier": "STATE_TIER_SESSION", "keys": [LONG]}, ["keys[0]"]),
]


@pytest.mark.parametrize(
    ("check", "fields", "wrong"), WRONG, ids=[f"{i} {row[0][0].__name__}" for i, row in enumerate(WRONG)]
)
def test_a_wrong_request_names_all_its_wrong_fields(
    check: Check, fields: dict[str, Any], wrong: list[str]
) -> None:
    function, kind = check

    assert violations(function, ParseDict(fields, kind())) == wrong


@pytest.mark.parametrize("check", [GET, APPEND], ids=["since", "create_time"])
@pytest.mark.parametrize("seconds", [-(10**15), 10**15])
def test_a_time_that_no_calendar_has_is_refused(check: Check, seconds: int) -> None:
    function, kind = check
    request = ParseDict({"key": KEY}, kind())
    if kind is pb.GetSessionRequest:
        request.since.CopyFrom(Timestamp(seconds=seconds))
    else:
        request.event.create_time.CopyFrom(Timestamp(seconds=seconds))
        request.event.state_delta["k"] = 1

    assert violations(function, request) == ["since" if check is GET else "event.create_time"]


@pytest.mark.parametrize("check", [CREATE, GET_OR_CREATE], ids=["create", "get_or_create"])
def test_a_new_session_needs_no_id(check: Check) -> None:
    function, kind = check
    request = ParseDict({"key": {"userId": "u"}, "state": {"app:a": 1, "temp:b": 2}}, kind())

    assert function(request) == NewSession(key=SessionKey("", "u", ""), state={"app:a": 1, "temp:b": 2})


@pytest.mark.parametrize(("asked", "used"), [(0, 1000), (1, 1), (1000, 1000), (5000, 1000)])
def test_a_session_is_read_with_at_most_a_thousand_events(asked: int, used: int) -> None:
    request = ParseDict({"key": KEY, "lastEvents": asked}, pb.GetSessionRequest())

    found = validate.get_session_request(request)

    assert (found.key, found.last, found.since) == (DOMAIN_KEY, used, None)


def test_a_session_is_read_since_a_time() -> None:
    request = ParseDict({"key": KEY, "since": "2026-11-21T07:00:00.5Z"}, pb.GetSessionRequest())

    assert validate.get_session_request(request).since == datetime(2026, 11, 21, 7, 0, 0, 500_000, UTC)


def test_sessions_are_listed_page_by_page() -> None:
    request = pb.ListSessionsRequest(app_name="a", user_id="u", page_token="t", metadata_only=True)

    asked = validate.list_sessions_request(request)

    assert (asked.app_name, asked.user_id, asked.limit, asked.cursor) == ("a", "u", 50, "t")
    assert asked.metadata_only


def test_a_session_is_deleted_by_its_key() -> None:
    assert validate.delete_session_request(ParseDict({"key": KEY}, pb.DeleteSessionRequest())) == DOMAIN_KEY


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ({"message": {"message": {"content": "hi"}}}, ev.MessagePayload("", Message(Role.USER, "hi"))),
        (
            {"message": {"message": {"role": "ROLE_TOOL", "toolCallId": "c"}}},
            ev.MessagePayload("", Message(Role.TOOL, tool_call_id="c")),
        ),
        (
            {"toolResults": {"results": [{"toolCallId": "c", "status": "TOOL_STATUS_ERROR"}]}},
            ev.ToolResults((ToolResult("c", "", "", ToolStatus.ERROR),)),
        ),
        (
            {"toolResults": {"results": [{"toolCallId": "c", "content": "2"}]}},
            ev.ToolResults((ToolResult("c", "", "2"),)),
        ),
        ({"custom": {"name": "n", "data": {"k": 1}}}, ev.Custom("n", {"k": 1})),
    ],
    ids=["message", "empty answer", "failure", "result", "custom"],
)
def test_what_may_be_appended_is_taken(event: dict[str, Any], payload: ev.Payload) -> None:
    key, made = validate.append_event_request(ParseDict(appended(**event), pb.AppendEventRequest()))

    assert key == DOMAIN_KEY
    assert made.payload == payload
    assert (made.sequence, made.state_delta) == (0, None)


def test_state_alone_may_be_appended() -> None:
    request = ParseDict(appended(id="i", stateDelta={"k": 1}), pb.AppendEventRequest())

    _, made = validate.append_event_request(request)

    assert (made.id, made.state_delta) == ("i", {"k": 1})


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({}, EventQuery(limit=100)),
        ({"afterPosition": 3, "pageSize": 9999}, EventQuery(after=3, limit=1000)),
        ({"afterPosition": 3, "pageToken": "7"}, EventQuery(after=7, limit=100)),
        ({"descending": True}, EventQuery(newest_first=True, limit=100)),
        (
            {"descending": True, "afterPosition": 3, "pageToken": "7"},
            EventQuery(after=3, before=7, newest_first=True, limit=100),
        ),
    ],
    ids=["all", "after", "next", "descending", "descending next"],
)
def test_events_are_listed_behind_the_page_before(fields: dict[str, Any], query: EventQuery) -> None:
    request = ParseDict({"key": KEY, **fields}, pb.ListEventsRequest())

    assert validate.list_events_request(request) == (DOMAIN_KEY, query)


@pytest.mark.parametrize(
    ("tier", "key"),
    [("APP", {}), ("USER", {"userId": "u"}), ("SESSION", {"userId": "u", "sessionId": "s"})],
)
def test_a_tier_needs_only_its_own_part_of_the_key(tier: str, key: dict[str, str]) -> None:
    request = ParseDict({"key": key, "tier": f"STATE_TIER_{tier}"}, pb.GetStateRequest())

    made, found = validate.get_state_request(request)

    assert found is Tier[tier]
    assert made == SessionKey("", key.get("userId", ""), key.get("sessionId", ""))


@pytest.mark.parametrize(
    ("tier", "delta", "bare"),
    [
        ("APP", {"app:a": 1, "b": None}, {"a": 1, "b": None}),
        ("USER", {"user:a": 1, "b": 2}, {"a": 1, "b": 2}),
        ("SESSION", {"a": {"app:x": 1}}, {"a": {"app:x": 1}}),
    ],
)
def test_a_tiers_own_prefix_is_taken_off(tier: str, delta: dict[str, Any], bare: dict[str, Any]) -> None:
    fields = {"key": KEY, "tier": f"STATE_TIER_{tier}", "delta": delta}

    assert validate.update_state_request(ParseDict(fields, pb.UpdateStateRequest())) == (
        DOMAIN_KEY,
        Tier[tier],
        bare,
    )


def test_keys_to_delete_lose_their_prefix_too() -> None:
    fields = {"tier": "STATE_TIER_APP", "keys": ["app:a", "b", " ", "app:" + "k" * 255]}

    _, tier, keys = validate.delete_state_request(ParseDict(fields, pb.DeleteStateRequest()))

    assert (tier, keys) == (Tier.APP, ["a", "b", " ", "k" * 255])
