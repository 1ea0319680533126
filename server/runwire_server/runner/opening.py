"""Begin a run: its first event, the messages it adds to its session, and what the agent may read."""

from collections.abc import Sequence

from runwire_server.agents.agent import Agent
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.ids import new_id
from runwire_server.domain.mail import NO_MAIL
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import NO_INPUT, Run
from runwire_server.domain.sessions import (
    EVENTS_MAX,
    EventQuery,
    SessionEvent,
    is_user_event,
    messages_for,
    opening_messages,
    unanswered_last,
    window,
)
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.runner.catalog import NO_HOOKS
from runwire_server.runner.journal import Journal
from runwire_server.storage.port import Append, SessionEventStore, Store

HISTORY_EVENTS_MAX = 200


@record(frozen=True, slots=True)
class History:
    """What an agent finds in the session. `last_message_id` names the last assistant message."""

    messages: tuple[Message, ...]
    last_message_id: str = ""


@record(frozen=True, slots=True)
class Opening:
    """The beginning of a run and of its session, which are made with it. `history` is what the agent finds then."""

    write: Append
    history: History


def opening_of(run: Run, agent: Agent) -> Opening:
    """Return the beginning of a new run in a session that nobody knows: its claim, run_started, and what is said."""
    run = run.claimed_by(run.owner, run.create_time)
    said = opening_messages(has_events=False, seed=run.input.messages, message=run.input.message)
    begun = [_session_event(run, message) for message in said]
    started = started_draft(run, agent, session_created=True)
    event = started.numbered(run.key.request_id, 1, run.create_time, new_id(), run.attempt)
    write = Append(
        run=replace(run, last_sequence=1, last_event_time=run.create_time),
        after=0,
        events=(event,),
        session_events=tuple(begun),
        state_delta=run.input.state_delta,
    )
    return Opening(write, History(tuple(said), _last_message_id(begun)))


async def open_run(
    store: Store,
    journal: Journal,
    run: Run,
    agent: Agent,
    *,
    session_created: bool,
    hooks: SessionHooks = NO_HOOKS,
) -> History:
    """Write run_started and the opening messages in one step, and return the history: the run's own message last.
    Raises: FencedError, UnavailableError, HookError, StopError.
    """
    past = await read_window(store, run, HISTORY_EVENTS_MAX)
    added = opening_messages(has_events=bool(past), seed=run.input.messages, message=run.input.message)
    begun = [_session_event(run, message) for message in added]
    await journal.write(
        [started_draft(run, agent, session_created=session_created)],
        opening=begun,
        state_delta=run.input.state_delta,
    )
    if journal.changes_events and begun:
        # What plugins and hooks made of the user's words counts, for the model too.
        return await read_history(store, run, hooks)
    history = await _shown(store, run, past, hooks)
    return History((*history.messages, *added), _last_message_id(begun) or history.last_message_id)


async def read_history(store: Store, run: Run, hooks: SessionHooks = NO_HOOKS) -> History:
    """Return what a run that goes on finds in its session: its own unanswered calls last, whoever spoke meanwhile.

    Raises: NotFoundError, UnavailableError, HookError.
    """
    # However much others said while it waited, what it asked for itself must not be out of sight.
    past = await read_window(store, run, EVENTS_MAX if run.questions else HISTORY_EVENTS_MAX)
    past = unanswered_last(past, run.key.request_id)
    users = [item for item in past[:-HISTORY_EVENTS_MAX] if is_user_event(item.event)]
    return await _shown(store, run, window(past[-HISTORY_EVENTS_MAX:], users[-1] if users else None), hooks)


async def _shown(store: Store, run: Run, past: Sequence[SessionEvent], hooks: SessionHooks) -> History:
    if hooks and past:
        _, past = await hooks.after_get(await store.get_session(run.session), past)
    said = _last_message_id([item.event for item in past])
    return History(tuple(messages_for(run.agent_name, past)), said)


def _last_message_id(events: Sequence[ev.Event]) -> str:
    for event in reversed(events):
        payload = event.payload
        if isinstance(payload, ev.MessagePayload) and payload.message.role is Role.ASSISTANT:
            return payload.message_id
    return ""


def started_draft(run: Run, agent: Agent | None, *, session_created: bool = False) -> ev.Draft:
    """Return the first event of a run's log. What the run was asked is in its record, not repeated here."""
    own = tuple(tool.spec.name for tool in agent.describe().tools) if agent is not None else ()
    selection = run.input.options.of_agent(run.agent_name).tools
    tools = own if selection is None else selection.names(own)
    payload = ev.RunStarted(
        run=replace(run, input=NO_INPUT, fingerprint="", mail=NO_MAIL, questions=()),
        options=run.input.options,
        tools=tools,
        session_created=session_created,
    )
    return ev.Draft(author=run.agent_name, payload=payload, invocation_id=run.invocation_id)


async def read_window(store: SessionEventStore, run: Run, limit: int) -> Sequence[SessionEvent]:
    """Return the newest events of the run's session as domain.sessions.window cuts them."""
    newest = await store.list_session_events(run.session, EventQuery(newest_first=True, limit=limit))
    newest.reverse()
    if any(is_user_event(item.event) for item in newest) or not newest:
        return window(newest, None)
    query = EventQuery(before=newest[0].position, user_only=True, newest_first=True, limit=1)
    latest = await store.list_session_events(run.session, query)
    return window(newest, latest[0] if latest else None)


def _session_event(run: Run, message: Message) -> ev.Event:
    return ev.Event(
        request_id=run.key.request_id,
        sequence=0,
        create_time=run.start_time or run.create_time,
        author="user" if message.role is Role.USER else run.agent_name,
        payload=ev.MessagePayload(new_id(), message),
        id=new_id(),
        invocation_id=run.invocation_id,
        attempt=run.attempt,
    )
