"""Sessions: what belongs to a conversation, and which part of it a reader gets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runwire_server.domain.content import JsonObject, Message, Role, failed_result, result_message
from runwire_server.domain.events import Event, MessagePayload, ToolResults
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.record import record
from runwire_server.domain.retention import NEVER, Expiry
from runwire_server.domain.toolcalls import unanswered_calls

EVENTS_MAX = 1000


@record(frozen=True, slots=True, kw_only=True)
class Session:
    """One conversation, without its events. `state` is the merged view of the three tiers."""

    key: SessionKey
    create_time: datetime
    update_time: datetime
    state: JsonObject = field(default_factory=dict)
    event_count: int = 0
    last_position: int = 0
    display_name: str = ""
    expiry: Expiry = NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """What to change of a session. What is None stays."""

    display_name: str | None = None
    expiry: Expiry | None = None


@record(frozen=True, slots=True)
class SessionEvent:
    """An event at its place in its session: 1, 2, 3, … in order; gaps appear where events were deleted."""

    position: int
    event: Event


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """An observation beside the conversation, at its place in its track: 1, 2, 3, … `payload` is JSON text."""

    position: int
    create_time: datetime
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCopy:
    """A whole session, to be written elsewhere. `session.state` is the session's own tier only.

    `tracks` has the last position of each track, which may be beyond its last event.
    """

    session: Session
    events: Sequence[SessionEvent] = ()
    tracks: Mapping[str, tuple[int, Sequence[TrackEvent]]] = field(default_factory=dict)


@record(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events of a session to read. All conditions hold together.

    `after` and `before` are exclusive positions; `since` is inclusive; `user_only` keeps user messages.
    """

    after: int = 0
    before: int | None = None
    since: datetime | None = None
    user_only: bool = False
    newest_first: bool = False
    limit: int = EVENTS_MAX


def is_session_event(event: Event) -> bool:
    """Whether a run's event is also part of its session's conversation."""
    return isinstance(event.payload, MessagePayload | ToolResults)


def is_user_event(event: Event) -> bool:
    """Whether it is something the user said."""
    return isinstance(event.payload, MessagePayload) and event.payload.message.role is Role.USER


def window(newest: Sequence[SessionEvent], latest_user: SessionEvent | None) -> list[SessionEvent]:
    """Make a history that a model can read out of a session's newest events, oldest first (SES-22).

    It begins with a user message. When none is among `newest`, the latest one before them comes first: the newest
    user message is never lost. Without any user message all of `newest` is kept, which the reference drops.
    """
    for index, item in enumerate(newest):
        if is_user_event(item.event):
            return list(newest[index:])
    if latest_user is not None:
        return [latest_user, *newest]
    return list(newest)


def unanswered_last(items: Sequence[SessionEvent], request_id: str) -> list[SessionEvent]:
    """Move the newest calls of that run which have no result yet, and the results they have, to the end.

    Others may have spoken in the session while the run waited; a run goes on with what it asked for itself.
    """
    for place in range(len(items) - 1, -1, -1):
        event = items[place].event
        if event.request_id != request_id or not isinstance(event.payload, MessagePayload):
            continue
        if event.payload.message.role is not Role.ASSISTANT:
            continue
        wanted = {call.id for call in event.payload.message.tool_calls}
        results = [item for item in items[place + 1 :] if _answers(item.event, request_id, wanted)]
        if not unanswered_calls([m for item in (items[place], *results) for m in event_messages(item.event)]):
            break
        moved = [items[place], *results]
        return [item for item in items if item not in moved] + moved
    return list(items)


def _answers(event: Event, request_id: str, call_ids: Collection[str]) -> bool:
    return (
        event.request_id == request_id
        and isinstance(event.payload, ToolResults)
        and any(result.tool_call_id in call_ids for result in event.payload.results)
    )


def event_messages(event: Event) -> list[Message]:
    """Return what an event adds to the conversation, as a model reads it."""
    match event.payload:
        case MessagePayload(message=message):
            return [message]
        case ToolResults(results=results):
            return [result_message(result) for result in results]
        case _:
            return []


def messages_for(agent_name: str, items: Sequence[SessionEvent]) -> list[Message]:
    """Return the conversation as that agent may go on with it (R7).

    Only who made a call may execute it: those of another agent that nobody executed have a stand-in at the end.
    """
    messages = [message for item in items for message in event_messages(item.event)]
    calls = unanswered_calls(messages)
    if not calls:
        return messages
    author = next(
        item.event.author
        for item in reversed(items)
        if any(message.role is Role.ASSISTANT for message in event_messages(item.event))
    )
    if author != agent_name:
        why = f"agent {author!r} made this call, and did not execute it"
        messages += [result_message(failed_result(call, "NOT_EXECUTED", why)) for call in calls]
    return messages


def opening_messages(*, has_events: bool, seed: Sequence[Message], message: Message | None) -> list[Message]:
    """Return the messages that a run adds to its session before its agent begins (RUN-35 to RUN-38).

    The seed counts only in a session without events. The current message is left out when the seed ends with it,
    trailing system and empty messages aside.
    """
    opening = [] if has_events else [m for m in seed if m.has_payload or m.role is Role.TOOL]
    if message is None or not message.has_payload:
        return opening
    trailing = next((m for m in reversed(opening) if m.role is not Role.SYSTEM), None)
    return opening if trailing == message else [*opening, message]
