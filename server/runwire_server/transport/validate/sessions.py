"""Requests of SessionService that read sessions, append events, and are about state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runwire.v1 import content_pb2, event_pb2, session_pb2
from runwire.v1 import session_service_pb2 as pb
from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EVENTS_MAX, EventQuery
from runwire_server.domain.state import TEMP_PREFIX, Tier, tier_of
from runwire_server.transport.convert.events import event_from_proto
from runwire_server.transport.convert.sessions import TIERS
from runwire_server.transport.validate.checks import ANY_ROLE, Checks, says_something
from runwire_server.transport.validate.session_records import session_key

_ENVELOPE_NAMES = (
    "id",
    "author",
    "request_id",
    "branch",
    "filter_key",
    "invocation_id",
    "parent_invocation_id",
    "tag",
)
_APPENDABLE = {"message", "tool_results", "custom", None}


@dataclass(frozen=True, slots=True)
class GetSessionAsked:
    """What GetSession asks."""

    key: SessionKey
    last: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ListSessionsAsked:
    """What ListSessions asks."""

    app_name: str
    user_id: str
    limit: int
    cursor: str | None
    metadata_only: bool


@dataclass(frozen=True, slots=True)
class WindowAsked:
    """What GetEventWindow asks: so many events before and after that one."""

    event_id: str
    before: int
    after: int


def get_session_request(request: pb.GetSessionRequest) -> GetSessionAsked:
    """Check GetSession."""
    since = None
    with Checks() as checks:
        key = session_key(checks, request.key)
        checks.not_negative("last_events", request.last_events)
        if request.HasField("since"):
            since = checks.time("since", request.since)
    return GetSessionAsked(key, min(request.last_events, EVENTS_MAX) or EVENTS_MAX, since)


def list_sessions_request(request: pb.ListSessionsRequest) -> ListSessionsAsked:
    """Check ListSessions."""
    with Checks() as checks:
        checks.name("app_name", request.app_name)
        checks.name("user_id", request.user_id, is_required=True)
        limit = checks.page_size(request.page_size, default=50)
    cursor = request.page_token or None
    return ListSessionsAsked(request.app_name, request.user_id, limit, cursor, request.metadata_only)


def append_event_request(request: pb.AppendEventRequest) -> tuple[SessionKey, Event]:
    """Check AppendEvent."""
    event = request.event
    with Checks() as checks:
        key = session_key(checks, request.key)
        for name in _ENVELOPE_NAMES:
            checks.name(f"event.{name}", getattr(event, name))
        if event.HasField("create_time"):
            checks.time("event.create_time", event.create_time)
        checks.state("event.state_delta", event.state_delta)
        _check_payload(checks, event)
    return key, event_from_proto(event)


def _check_payload(checks: Checks, event: event_pb2.Event) -> None:
    kind = event.WhichOneof("payload")
    if kind not in _APPENDABLE:
        checks.wrong(f"event.{kind}", "cannot be appended; message, tool_results and custom can")
    elif kind is None and not event.state_delta.fields:
        checks.wrong("event", "needs a message, tool_results, custom or a state_delta")
    elif kind == "message":
        said = event.message.message
        for name in ("message_id", "finish_reason", "model", "response_id"):
            checks.name(f"event.message.{name}", getattr(event.message, name))
        checks.message("event.message.message", said, (0, *ANY_ROLE))
        if not says_something(said):
            checks.wrong("event.message.message.content", "is required")
    elif kind == "tool_results":
        _check_results(checks, event.tool_results)
    elif kind == "custom":
        checks.name("event.custom.name", event.custom.name, is_required=True)
        checks.state("event.custom.data", event.custom.data)


def _check_results(checks: Checks, answered: event_pb2.ToolResults) -> None:
    checks.name("event.tool_results.message_id", answered.message_id)
    if not answered.results:
        checks.wrong("event.tool_results.results", "is empty")
    for index, result in enumerate(answered.results):
        field = f"event.tool_results.results[{index}]"
        checks.name(f"{field}.tool_call_id", result.tool_call_id, is_required=True)
        checks.name(f"{field}.tool_name", result.tool_name)
        checks.content(f"{field}.content", result.content)
        checks.enum(f"{field}.status", result.status, content_pb2.ToolStatus.values())
        checks.name(f"{field}.reason", result.reason)


def list_events_request(request: pb.ListEventsRequest) -> tuple[SessionKey, EventQuery]:
    """Check ListEvents. A page token continues behind the page before it, in the order asked for."""
    with Checks() as checks:
        key = session_key(checks, request.key)
        checks.not_negative("after_position", request.after_position)
        limit = checks.page_size(request.page_size, default=100)
        token = checks.number_token(request.page_token)
    if request.descending:
        before = token or None
        query = EventQuery(after=request.after_position, before=before, newest_first=True, limit=limit)
    else:
        query = EventQuery(after=max(request.after_position, token), limit=limit)
    return key, query


def get_event_window_request(request: pb.GetEventWindowRequest) -> tuple[SessionKey, WindowAsked]:
    """Check GetEventWindow."""
    with Checks() as checks:
        key = session_key(checks, request.key)
        checks.name("event_id", request.event_id, is_required=True)
        checks.number("before", request.before, 0, EVENTS_MAX)
        checks.number("after", request.after, 0, EVENTS_MAX)
    return key, WindowAsked(request.event_id, request.before, request.after)


def truncate_session_request(request: pb.TruncateSessionRequest) -> tuple[SessionKey, str]:
    """Check TruncateSession. An empty event id keeps no event."""
    with Checks() as checks:
        key = session_key(checks, request.key)
        checks.name("event_id", request.event_id)
    return key, request.event_id


def get_state_request(request: pb.GetStateRequest) -> tuple[SessionKey, Tier]:
    """Check GetState."""
    with Checks() as checks:
        return _tier_key(checks, request.key, request.tier)


def update_state_request(request: pb.UpdateStateRequest) -> tuple[SessionKey, Tier, dict[str, Any]]:
    """Check UpdateState. A key may have its own tier's prefix, which is taken off."""
    with Checks() as checks:
        key, tier = _tier_key(checks, request.key, request.tier)
        delta = checks.state("delta", request.delta)
        if not request.delta.fields:
            checks.wrong("delta", "is empty")
        bare = {_bare(checks, "delta", tier, name): value for name, value in delta.items()}
    return key, tier, bare


def delete_state_request(request: pb.DeleteStateRequest) -> tuple[SessionKey, Tier, list[str]]:
    """Check DeleteState."""
    with Checks() as checks:
        key, tier = _tier_key(checks, request.key, request.tier)
        if not request.keys:
            checks.wrong("keys", "is empty")
        keys = [_bare(checks, f"keys[{i}]", tier, name) for i, name in enumerate(request.keys)]
        for index, key_name in enumerate(keys):
            if not key_name:
                checks.wrong(f"keys[{index}]", "is required")
            checks.name(f"keys[{index}]", key_name)
    return key, tier, keys


def _bare(checks: Checks, field: str, tier: Tier, name: str) -> str:
    found, bare = tier_of(name)
    if name.startswith(TEMP_PREFIX):
        checks.wrong(field, f"key {name[:64]!r}: temp: keys live in a run only")
    elif found is not Tier.SESSION and found is not tier:
        checks.wrong(field, f"key {name[:64]!r} belongs to the tier {found.value}")
    return bare


def _tier_key(checks: Checks, key: session_pb2.SessionKey, number: int) -> tuple[SessionKey, Tier]:
    checks.enum("tier", number, TIERS)
    tier = TIERS.get(number, Tier.APP)  # type: ignore[call-overload]
    checks.name("key.app_name", key.app_name)
    checks.name("key.user_id", key.user_id, is_required=tier is not Tier.APP)
    checks.name("key.session_id", key.session_id, is_required=tier is Tier.SESSION)
    return SessionKey(key.app_name, key.user_id, key.session_id), tier
