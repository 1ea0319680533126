"""Begin a run: its first event, the messages it adds to its session, and what the agent may read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from runwire_server.agents.agent import Agent
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.runs import Run, RunInput
from runwire_server.domain.sessions import (
    EventQuery,
    SessionEvent,
    event_messages,
    is_user_event,
    opening_messages,
    window,
)
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.runner.catalog import NO_HOOKS
from runwire_server.runner.journal import Journal
from runwire_server.storage.port import SessionEventStore, Store

HISTORY_EVENTS_MAX = 200


@dataclass(frozen=True, slots=True)
class Opening:
    """What an agent begins with: the session's history, the run's own message last."""

    history: tuple[Message, ...]


async def open_run(
    store: Store,
    journal: Journal,
    run: Run,
    agent: Agent,
    *,
    session_created: bool,
    hooks: SessionHooks = NO_HOOKS,
) -> Opening:
    """Write run_started and the opening messages in one step. Raises: FencedError, UnavailableError, HookError."""
    past = await read_window(store, run, HISTORY_EVENTS_MAX)
    added = opening_messages(has_events=bool(past), seed=run.input.messages, message=run.input.message)
    await journal.write(
        [started_draft(run, agent, session_created=session_created)],
        opening=[_session_event(run, message) for message in added],
        state_delta=run.input.state_delta,
    )
    if hooks and past:
        _, past = await hooks.after_get(await store.get_session(run.session), past)
    history = [message for item in past for message in event_messages(item.event)]
    return Opening((*history, *added))


def started_draft(run: Run, agent: Agent | None, *, session_created: bool = False) -> ev.Draft:
    """Return the first event of a run's log. What the run was asked is in its record, not repeated here."""
    tools = tuple(spec.name for spec in agent.describe().tools) if agent is not None else ()
    payload = ev.RunStarted(
        run=replace(run, input=RunInput(), fingerprint=""),
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
        payload=ev.MessagePayload(uuid4().hex, message),
        id=uuid4().hex,
        invocation_id=run.invocation_id,
        attempt=run.attempt,
    )
