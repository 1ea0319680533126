"""Write one run's log: number the events, store them, hand them to whoever follows. The only output of a run."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from runwire_server.domain import events as ev
from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import FencedError, RunCancelled
from runwire_server.domain.runs import CancelMode, Run
from runwire_server.domain.sessions import is_session_event
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.runner.catalog import NO_HOOKS
from runwire_server.runner.live import LiveRun
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.port import Append, RunStore

_POINTS = {
    "model": frozenset({CancelMode.AFTER_MODEL}),
    "tools": frozenset({CancelMode.AFTER_MODEL, CancelMode.AFTER_TOOLS}),
}


@dataclass(frozen=True, slots=True)
class _Work:
    """One write. `stored` has what a hook made of session events, by id; None leaves one out."""

    drafts: Sequence[ev.Draft]
    ids: Sequence[str]
    stored: Mapping[str, ev.Event | None]
    opening: Sequence[ev.Event]
    state_delta: JsonObject | None
    record: Callable[[Run], Run] | None


# One write has not nearly so many events.
_MISSED_MAX = 10_000


class Journal:
    """The log of one attempt at a run. Implements agents.agent.Output."""

    def __init__(
        self,
        store: RunStore,
        live: LiveRun,
        supervisor: Supervisor,
        clock: Callable[[], datetime],
        *,
        hooks: SessionHooks = NO_HOOKS,
    ) -> None:
        self._store = store
        self._live = live
        self._supervisor = supervisor
        self._clock = clock
        self._hooks = hooks
        self._lock = asyncio.Lock()
        self._is_closed = False
        # Whether nobody knows if the last write was done.
        self._is_unsure = False
        self.message_ids: set[str] = set()
        self.finish_reason = ""

    @property
    def run(self) -> Run:
        """The run's record as it is stored."""
        return self._live.run

    @property
    def is_complete(self) -> bool:
        """Whether the completion is in the log."""
        return self._is_closed

    async def emit(self, payload: ev.DurablePayload, *, state_delta: JsonObject | None = None) -> None:
        """Append one event. See agents.agent.Output."""
        run = self._live.run
        draft = ev.Draft(
            author=run.agent_name,
            payload=payload,
            branch=run.agent_name,
            invocation_id=run.invocation_id,
            state_delta=state_delta,
        )
        await self.write([draft])

    def partial(self, payload: ev.PartialPayload) -> None:
        """Show a delta. See agents.agent.Output."""
        if self._is_closed:
            return
        tail = self._live.tail
        if isinstance(payload, ev.ToolProgress):
            event = ev.Event(
                request_id=tail.request_id,
                sequence=tail.last_sequence,
                create_time=self._clock(),
                author=self._live.run.agent_name,
                payload=payload,
            )
            tail.show_progress(event, payload.tool_call_id)
        else:
            tail.grow(payload)

    def checkpoint(self, point: str) -> None:
        """Stop here when a graceful cancel asks for it. See agents.agent.Output."""
        graceful = self._live.graceful
        if graceful is not None and graceful.mode in _POINTS[point]:
            raise RunCancelled(graceful.reason)

    async def write(
        self,
        drafts: Sequence[ev.Draft],
        *,
        opening: Sequence[ev.Event] = (),
        state_delta: JsonObject | None = None,
        record: Callable[[Run], Run] | None = None,
    ) -> None:
        """Append drafts in order, all or none, and return once they are stored.

        `opening` are session events that are not part of the log. `record` changes the run's record with them. A
        caller that is cancelled meanwhile leaves the write to finish: a log must know where it ends.

        Raises: FencedError, also after the completion was written. UnavailableError: perhaps nothing was written; the
        next write finds out. HookError: nothing was written.
        """
        ids = [uuid4().hex for _ in drafts]
        stored: dict[str, ev.Event | None] = {}
        if self._hooks:
            # Not under the lock, and by the caller: a hook that takes its time must not keep the log from closing.
            opening, stored = await self._hooked(drafts, ids, opening)
        work = self._write(_Work(drafts, ids, stored, opening, state_delta, record))
        await self._supervisor.finish(f"append-{self.run.key.request_id}", work)

    async def _hooked(
        self, drafts: Sequence[ev.Draft], ids: Sequence[str], opening: Sequence[ev.Event]
    ) -> tuple[list[ev.Event], dict[str, ev.Event | None]]:
        """Return the opening events to store, and what to store in the session for which of the log's events."""
        run = self._live.run
        changed = [await self._hooks.before_append(run.session, event) for event in opening]
        stored: dict[str, ev.Event | None] = {}
        for event_id, draft in zip(ids, drafts, strict=True):
            event = self._number(draft, run, self._clock(), 0, event_id)
            if is_session_event(event):
                stored[event_id] = await self._hooks.before_append(run.session, event)
        return [event for event in changed if event is not None], stored

    async def settle(self) -> None:
        """Find out what became of the write before, if its answer was lost. Raises: UnavailableError."""
        async with self._lock:
            await self._find_out()

    async def _write(self, work: _Work) -> None:
        async with self._lock:
            await self._find_out()
            for is_last in (False, True):
                if self._is_closed:
                    raise FencedError(f"the log of run {self.run.key.request_id!r} is complete")
                following, write = self._prepared(work)
                self._is_unsure = True
                try:
                    await self._store.append(write)
                except FencedError:
                    # A write whose answer was lost may be done even later than anyone looked for it.
                    if is_last or not await self._catch_up():
                        raise
                else:
                    self._take(following, list(write.events))
                    return

    def _prepared(self, work: _Work) -> tuple[Run, Append]:
        run = self._live.run
        now = self._clock()
        events = [
            self._number(draft, run, now, run.last_sequence + place, event_id)
            for place, (draft, event_id) in enumerate(zip(work.drafts, work.ids, strict=True), 1)
        ]
        following = self._advance(run, events, now)
        if work.record is not None:
            following = work.record(following)
        write = Append(
            run=following,
            after=run.last_sequence,
            events=tuple(events),
            session_events=(*work.opening, *_session_events(events, work.stored)),
            state_delta=_joined([work.state_delta, *(event.state_delta for event in events)]),
        )
        return following, write

    async def _find_out(self) -> None:
        if self._is_unsure:
            await self._catch_up()
            self._is_unsure = False

    async def _catch_up(self) -> bool:
        """Take over what this replica wrote without learning of it. Return whether there was anything.

        That may be a claim, too, which only raises the attempt. Raises: UnavailableError, NotFoundError.
        """
        run = self._live.run
        stored = await self._store.get_run(run.key)
        is_claim = (stored.owner, stored.attempt) == (run.owner, run.attempt + 1)
        if stored.attempt != run.attempt and not is_claim:
            return False
        if not is_claim and stored.last_sequence <= run.last_sequence:
            return False
        events = await self._store.list_run_events(run.key, after=run.last_sequence, limit=_MISSED_MAX)
        self._take(stored, events)
        return True

    def _take(self, following: Run, events: list[ev.Event]) -> None:
        self._is_unsure = False
        self._live.run = following
        self._is_closed = following.state.is_terminal
        self._live.tail.add(events)

    def _number(self, draft: ev.Draft, run: Run, now: datetime, sequence: int, event_id: str) -> ev.Event:
        return ev.Event(
            request_id=run.key.request_id,
            sequence=sequence,
            create_time=now,
            author=draft.author,
            payload=draft.payload,
            id=event_id,
            branch=draft.branch,
            filter_key=draft.filter_key,
            invocation_id=draft.invocation_id,
            parent_invocation_id=draft.parent_invocation_id,
            tag=draft.tag,
            state_delta=draft.state_delta,
            attempt=run.attempt,
        )

    def _advance(self, run: Run, events: Sequence[ev.Event], now: datetime) -> Run:
        """Return the record after these events."""
        usage = run.usage
        for event in events:
            if isinstance(event.payload, ev.MessagePayload):
                self.message_ids.add(event.payload.message_id)
                self.finish_reason = event.payload.finish_reason
                if event.payload.usage is not None:
                    usage = usage + event.payload.usage
        return replace(run, last_sequence=run.last_sequence + len(events), last_event_time=now, usage=usage)


def _session_events(events: Sequence[ev.Event], stored: Mapping[str, ev.Event | None]) -> Iterator[ev.Event]:
    """Yield what the session gets of the log's events."""
    for event in events:
        if is_session_event(event):
            kept = stored.get(event.id, event)
            if kept is event:
                yield event
            elif kept is not None:
                yield replace(kept, sequence=event.sequence, create_time=event.create_time)


def _joined(deltas: Sequence[JsonObject | None]) -> JsonObject | None:
    """Return one delta that does what these do in order. Keys are independent, so the last of each counts."""
    given = [delta for delta in deltas if delta]
    if len(given) <= 1:
        return given[0] if given else None
    return {key: value for delta in given for key, value in delta.items()}
