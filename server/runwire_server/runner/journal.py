"""Write one run's log: number the events, store them, hand them to whoever follows. The only output of a run."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from runwire_server.agents.agent import Identity
from runwire_server.domain import events as ev
from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import (
    FencedError,
    NotFoundError,
    RunCancelled,
    StaleMailError,
    UnavailableError,
)
from runwire_server.domain.ids import new_id
from runwire_server.domain.record import record, replace
from runwire_server.domain.rounds import Rounds
from runwire_server.domain.runs import CancelMode, Run
from runwire_server.domain.sessions import is_session_event
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import HookContext
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.runner.catalog import NO_HOOKS
from runwire_server.runner.held import Held, is_answer
from runwire_server.runner.live import LiveRun
from runwire_server.runner.supervisor import Supervisor
from runwire_server.runner.tail import GrowingText
from runwire_server.storage.port import Append, RunStore

_POINTS = {
    "model": frozenset({CancelMode.AFTER_MODEL}),
    "tools": frozenset({CancelMode.AFTER_MODEL, CancelMode.AFTER_TOOLS}),
}


@record(frozen=True, slots=True)
class _Work:
    """One write. `stored` has what a hook made of session events, by id; None leaves one out."""

    drafts: Sequence[ev.Draft]
    ids: Sequence[str]
    stored: Mapping[str, ev.Event | None]
    opening: Sequence[ev.Event]
    state_delta: JsonObject | None
    record: Callable[[Run], Run] | None
    mail_version: int | None


_NO_WORK = _Work((), (), {}, (), None, None, None)
# One write has not nearly so many events.
_MISSED_MAX = 10_000


class Journal:
    """The log of one attempt at a run. Agents speak to it through runner.voice."""

    def __init__(
        self,
        store: RunStore,
        live: LiveRun,
        supervisor: Supervisor,
        clock: Callable[[], datetime],
        *,
        hooks: SessionHooks = NO_HOOKS,
        plugins: RunPlugins | None = None,
    ) -> None:
        self._store = store
        self._live = live
        self._supervisor = supervisor
        self._clock = clock
        self._hooks = hooks
        self._plugins = plugins if plugins is not None else RunPlugins()
        self._lock = asyncio.Lock()
        # Held by who puts answers into the log: two agents of a run may want to at once.
        self.settling = asyncio.Lock()
        # Writes that were begun, whether somebody still waits for them or not.
        self._begun = 0
        self._written = asyncio.Event()
        self._is_closed = False
        # Whether nobody knows if the last write was done.
        self._is_unsure = False
        self.held = Held()
        self.rounds = Rounds()
        self.message_ids: set[str] = set()
        self.finish_reason = ""

    @property
    def run(self) -> Run:
        """The run's record as it is stored."""
        return self._live.run

    @property
    def changes_events(self) -> bool:
        """Whether plugins may have made something else of what was written."""
        return bool(self._plugins) and self._plugins.sees_events

    @property
    def is_complete(self) -> bool:
        """Whether the completion is in the log."""
        return self._is_closed

    def forget_answer(self) -> None:
        """Begin to look for an answer again: the agent is activated."""
        self.message_ids.clear()
        self.finish_reason = ""

    @property
    def root(self) -> Identity:
        """Who speaks for the run itself: its agent."""
        run = self._live.run
        return Identity(run.agent_name, run.agent_name, run.invocation_id)

    def partial(self, payload: ev.PartialPayload, identity: Identity) -> None:
        """Show a delta. See agents.agent.Output."""
        if self._is_closed:
            return
        if self._plugins.sees_partials:
            shown = self._plugins.on_partial(self._hook_context(identity.author, identity.branch), payload)
            if shown is None:
                return
            payload = shown
        tail = self._live.tail
        if isinstance(payload, ev.ToolProgress):
            event = ev.Event(
                request_id=tail.request_id,
                sequence=tail.last_sequence,
                create_time=self._clock(),
                author=identity.author,
                branch=identity.branch,
                payload=payload,
            )
            tail.show_progress(event, payload.tool_call_id)
        else:
            tail.grow(payload, identity.author, identity.branch)

    def checkpoint(self, point: str) -> None:
        """Stop here when a graceful cancel asks for it. See agents.agent.Output."""
        graceful = self._live.graceful
        if graceful is not None and graceful.mode in _POINTS[point]:
            raise RunCancelled(graceful.reason)

    def hold(self, draft: ev.Draft) -> bool:
        """Take an event that is written with the next ones, or soon. Return False when it must be written at once.

        Nobody sees it before. What fails then is raised by the next write.
        """
        if self._plugins or self._hooks or self._is_closed:
            return False
        self.held.put(draft, self._flush_soon)
        self._note_answer(draft.payload)
        return True

    def _flush_soon(self) -> None:
        self._begun += 1
        self._supervisor.spawn(f"flush-{self.run.key.request_id}", self._flush())

    async def _flush(self) -> None:
        # What fails here fails again in the next write, which has somebody to tell.
        with suppress(FencedError, UnavailableError, NotFoundError):
            await self._write(_NO_WORK)

    async def write(
        self,
        drafts: Sequence[ev.Draft],
        *,
        opening: Sequence[ev.Event] = (),
        state_delta: JsonObject | None = None,
        record: Callable[[Run], Run] | None = None,
        mail_version: int | None = None,
        is_plain: bool = False,
    ) -> list[ev.Draft | None]:
        """Append drafts in order, all or none, and return once they are stored.

        Return what plugins made of each; None was left out. `opening` are session events that are not part of the
        log. `record` changes the run's record with them. With `mail_version` the run's mail must have that version. A
        caller that is cancelled meanwhile leaves the write to finish: a log must know where it ends. `is_plain`:
        without plugins and hooks.

        Raises: FencedError, also after the completion was written. UnavailableError: perhaps nothing was written; the
        next write finds out. HookError, StopError, StaleMailError (`run` has the newer mail): nothing was written.
        """
        shown: list[ev.Draft | None] = list(drafts)
        if self._plugins and not is_plain:
            opening, shown = await self._seen_by_plugins(drafts, opening)
        kept = [draft for draft in shown if draft is not None]
        kept[:0] = self._plugin_failures()
        ids = [new_id() for _ in kept]
        stored: dict[str, ev.Event | None] = {}
        if self._hooks and not is_plain:
            # Not under the lock, and by the caller: a hook that takes its time must not keep the log from closing.
            opening, stored = await self._hooked(kept, ids, opening)
        if kept or opening or state_delta or record is not None or self.held:
            self._begun += 1
            work = self._write(_Work(kept, ids, stored, opening, state_delta, record, mail_version))
            await self._supervisor.finish(f"append-{self.run.key.request_id}", work)
        return shown

    async def _seen_by_plugins(
        self, drafts: Sequence[ev.Draft], opening: Sequence[ev.Event]
    ) -> tuple[list[ev.Event], list[ev.Draft | None]]:
        shown: list[ev.Draft | None] = []
        for draft in drafts:
            context = self._hook_context(draft.author, draft.branch)
            seen = await self._plugins.on_event(context, draft.payload)
            if isinstance(draft.payload, ev.MessagePayload) and seen != draft.payload:
                self._live.tail.unstream(draft.payload.message_id)
            shown.append(None if seen is None else replace(draft, payload=seen))
        begun: list[ev.Event] = []
        for event in opening:
            context = self._hook_context(event.author, event.branch)
            payload = await self._plugins.on_event(context, event.payload)  # type: ignore[arg-type]
            if payload is not None:
                begun.append(replace(event, payload=payload))
        return begun, shown

    def _plugin_failures(self) -> list[ev.Draft]:
        """Return what went wrong in plugins since the last write. It comes first, but never before run_started."""
        if not self._plugins or not self.run.last_sequence:
            return []
        return [self.draft(failure) for failure in self._plugins.take_failures()]

    def _hook_context(self, author: str, branch: str) -> HookContext:
        run = self._live.run
        return self._plugins.context(run, author, branch or run.agent_name, run.invocation_id)

    def open_texts(self) -> list[tuple[str, GrowingText]]:
        """Return the texts of messages that are not whole yet, by message id."""
        whole = self.held.message_ids
        return [(name, text) for name, text in self._live.tail.open_texts() if name not in whole]

    def draft(self, payload: ev.DurablePayload, branch: str = "") -> ev.Draft:
        """Return an event of the run's agent, or of the one on that branch."""
        root = self.root
        author = branch.rpartition("/")[2] if branch else root.author
        return ev.Draft(
            author=author, payload=payload, branch=branch or root.branch, invocation_id=root.invocation_id
        )

    async def _hooked(
        self, drafts: Sequence[ev.Draft], ids: Sequence[str], opening: Sequence[ev.Event]
    ) -> tuple[list[ev.Event], dict[str, ev.Event | None]]:
        """Return the opening events to store, and what to store in the session for which of the log's events."""
        run = self._live.run
        changed = [await self._hooks.before_append(run.session, event) for event in opening]
        stored: dict[str, ev.Event | None] = {}
        for event_id, draft in zip(ids, drafts, strict=True):
            event = draft.numbered(run.key.request_id, 0, self._clock(), event_id, run.attempt)
            if is_session_event(event):
                stored[event_id] = await self._hooks.before_append(run.session, event)
        return [event for event in changed if event is not None], stored

    async def settle(self) -> None:
        """Wait for the writes that were begun, and find out what became of one whose answer was lost.

        A caller that is cancelled leaves its write to finish. Raises: UnavailableError.
        """
        while self._begun:
            self._written.clear()
            await self._written.wait()
        if self._is_unsure:
            async with self._lock:
                await self._find_out()

    async def _write(self, work: _Work) -> None:
        try:
            await self._write_in_turn(work)
        finally:
            self._begun -= 1
            self._written.set()

    async def _write_in_turn(self, work: _Work) -> None:
        async with self._lock:
            await self._find_out()
            if work is _NO_WORK and not self.held:
                return
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
                except StaleMailError:
                    self._is_unsure = False
                    self._live.note_mail((await self._store.get_run(self.run.key)).mail)
                    raise
                else:
                    self._take(following, list(write.events))
                    return

    def _prepared(self, work: _Work) -> tuple[Run, Append]:
        run = self._live.run
        now = self._clock()
        drafts = [*self.held.drafts, *work.drafts]
        ids = [*self.held.ids, *work.ids]
        events = [
            draft.numbered(run.key.request_id, run.last_sequence + place, now, event_id, run.attempt)
            for place, (draft, event_id) in enumerate(zip(drafts, ids, strict=True), 1)
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
            mail_version=work.mail_version,
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
        # Others may have written since the write was prepared.
        mail = self._live.run.mail
        self._live.run = replace(following, mail=mail) if mail.version > following.mail.version else following
        self.held.drop(events)
        for event in events:
            self.rounds.note(event.branch, event.payload)
        self._is_closed = following.state.is_terminal
        self._live.tail.add(events)

    def _advance(self, run: Run, events: Sequence[ev.Event], now: datetime) -> Run:
        """Return the record after these events."""
        usage, rounds = run.usage, run.tool_rounds
        for event in events:
            payload = event.payload
            self._note_answer(payload)
            if is_answer(payload):
                rounds += bool(payload.message.tool_calls)
                if payload.usage is not None:
                    usage = usage + payload.usage
        return replace(
            run,
            last_sequence=run.last_sequence + len(events),
            last_event_time=now,
            usage=usage,
            tool_rounds=rounds,
        )

    def _note_answer(self, payload: ev.Payload) -> None:
        if is_answer(payload):
            self.message_ids.add(payload.message_id)
            self.finish_reason = payload.finish_reason


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
