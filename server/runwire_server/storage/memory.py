"""The reference adapter: the whole contract in one process's memory. Nothing is kept on exit.

Methods do not await between reading and writing, so each is atomic on its loop.
"""

import asyncio
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, FencedError, NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import CancelRequest, Run, RunState
from runwire_server.domain.sessions import EventQuery, Session, SessionEvent, is_user_event
from runwire_server.domain.state import Tier, merge_state, merged_view, split_delta
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Append, Page, RunFilter


@dataclass(slots=True)
class _Conversation:
    key: SessionKey
    create_time: datetime
    update_time: datetime
    state: dict[str, Any] = field(default_factory=dict)
    events: list[SessionEvent] = field(default_factory=list)
    last_position: int = 0


@dataclass(slots=True)
class _Log:
    ordinal: int
    run: Run
    events: list[Event] = field(default_factory=list)


class MemoryStore:
    """See storage.port.Store. `clock` is the store's, for leases, in seconds."""

    kind = "memory"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: dict[SessionKey, _Conversation] = {}
        self._app_state: dict[str, dict[str, Any]] = {}
        self._user_state: dict[tuple[str, str], dict[str, Any]] = {}
        self._logs: dict[RunKey, _Log] = {}
        self._cancel_marks: dict[RunKey, tuple[CancelRequest, datetime]] = {}
        self._leases: dict[ReplicaId, float] = {}
        self._ordinal = 0
        self._changed = asyncio.Condition()

    # Sessions

    async def create_session(self, key: SessionKey, state: JsonObject, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        if key in self._sessions:
            raise AlreadyExistsError("session", key.session_id)
        return self._make(key, state, now)

    async def get_or_create_session(
        self, key: SessionKey, state: JsonObject, now: datetime
    ) -> tuple[Session, bool]:
        """See storage.port.SessionStore."""
        if (found := self._sessions.get(key)) is not None:
            return self._shown(found), False
        return self._make(key, state, now), True

    def _make(self, key: SessionKey, state: JsonObject, now: datetime) -> Session:
        made = self._sessions[key] = _Conversation(key, now, now)
        self._merge(key, state)
        return self._shown(made)

    async def get_session(self, key: SessionKey) -> Session:
        """See storage.port.SessionStore."""
        return self._shown(self._session(key))

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """See storage.port.SessionStore."""
        found = [s for s in self._sessions.values() if (s.key.app_name, s.key.user_id) == (app_name, user_id)]
        found.sort(key=lambda s: (s.update_time, s.key.session_id), reverse=True)
        if cursor is not None:
            place = tuple(parse_cursor(cursor, str, str))
            found = [s for s in found if _place(s) < place]
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        following = make_cursor(*_place(last)) if last else None
        return Page(tuple(self._shown(s) for s in shown), following)

    async def delete_session(self, key: SessionKey) -> bool:
        """See storage.port.SessionStore."""
        return self._sessions.pop(key, None) is not None

    def _session(self, key: SessionKey) -> _Conversation:
        found = self._sessions.get(key)
        if found is None:
            raise NotFoundError("session", key.session_id)
        return found

    def _shown(self, found: _Conversation) -> Session:
        app = self._app_state.get(found.key.app_name, {})
        user = self._user_state.get((found.key.app_name, found.key.user_id), {})
        return Session(
            key=found.key,
            create_time=found.create_time,
            update_time=found.update_time,
            state=deepcopy(merged_view(app, user, found.state)),
            event_count=len(found.events),
            last_position=found.last_position,
        )

    # Events of sessions

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """See storage.port.SessionEventStore."""
        found = self._session(key)
        known = next((item for item in found.events if item.event.id == event.id), None)
        if known is not None:
            return known
        if event.state_delta:
            self._merge(key, event.state_delta)
        found.update_time = now
        return self._append(found, event)

    @staticmethod
    def _append(found: _Conversation, event: Event) -> SessionEvent:
        found.last_position += 1
        item = SessionEvent(found.last_position, event)
        found.events.append(item)
        return item

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """See storage.port.SessionEventStore."""
        wanted = [item for item in self._session(key).events if _matches(item, query)]
        if query.newest_first:
            wanted.reverse()
        return wanted[: query.limit]

    # State

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, Any]:
        """See storage.port.StateStore."""
        return deepcopy(self._state(key, tier))

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, Any]:
        """See storage.port.StateStore."""
        if tier is Tier.SESSION:
            self._session(key).update_time = now
        merged = merge_state(self._state(key, tier), deepcopy(delta))
        self._put_state(key, tier, merged)
        return deepcopy(merged)

    def _state(self, key: SessionKey, tier: Tier) -> dict[str, Any]:
        match tier:
            case Tier.APP:
                return self._app_state.get(key.app_name, {})
            case Tier.USER:
                return self._user_state.get((key.app_name, key.user_id), {})
            case Tier.SESSION:
                return self._session(key).state

    def _put_state(self, key: SessionKey, tier: Tier, state: dict[str, Any]) -> None:
        match tier:
            case Tier.APP:
                self._app_state[key.app_name] = state
            case Tier.USER:
                self._user_state[key.app_name, key.user_id] = state
            case Tier.SESSION:
                self._session(key).state = state

    def _merge(self, key: SessionKey, delta: JsonObject) -> None:
        for tier, part in split_delta(delta).items():
            if tier is not Tier.SESSION or key in self._sessions:
                self._put_state(key, tier, merge_state(self._state(key, tier), deepcopy(part)))

    # Runs

    async def create_run(self, run: Run) -> tuple[Run, bool]:
        """See storage.port.RunStore."""
        if (known := self._logs.get(run.key)) is not None:
            return known.run, False
        self._session(run.session)
        mark = self._cancel_marks.pop(run.key, None)
        if mark is not None and mark[1] > run.create_time:
            run = replace(run, cancel=mark[0])
        self._ordinal += 1
        self._logs[run.key] = _Log(self._ordinal, run)
        return run, True

    async def get_run(self, key: RunKey) -> Run:
        """See storage.port.RunStore."""
        return self._log(key).run

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None = None) -> Page[Run]:
        """See storage.port.RunStore."""
        before = None if cursor is None else parse_cursor(cursor, int)[0]
        found = [
            log
            for log in sorted(self._logs.values(), key=lambda log: log.ordinal, reverse=True)
            if _is_wanted(log.run, wanted) and (before is None or log.ordinal < before)
        ]
        following = make_cursor(found[limit - 1].ordinal) if len(found) > limit else None
        return Page(tuple(log.run for log in found[:limit]), following)

    async def request_cancel(
        self, key: RunKey, request: CancelRequest, *, now: datetime, remember_until: datetime
    ) -> tuple[Run | None, bool]:
        """See storage.port.RunStore."""
        log = self._logs.get(key)
        if log is None:
            mark = self._cancel_marks.get(key)
            earlier = mark[0] if mark is not None and mark[1] > now else None
            self._cancel_marks = {k: m for k, m in self._cancel_marks.items() if m[1] > now}
            if not request.overrides(earlier):
                return None, False
            self._cancel_marks[key] = (request, remember_until)
            return None, True
        if log.run.state.is_terminal or not request.overrides(log.run.cancel):
            return log.run, False
        log.run = replace(log.run, cancel=request)
        return log.run, True

    async def claim_run(self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime) -> Run | None:
        """See storage.port.RunStore."""
        log = self._log(key)
        run = log.run
        is_behind = any(
            other.ordinal < log.ordinal and not other.run.state.is_terminal
            for other in self._logs.values()
            if other.run.session == run.session
        )
        if run.attempt != attempt or run.state.is_terminal or is_behind:
            return None
        if run.state is RunState.QUEUED:
            run = replace(run, state=RunState.RUNNING, start_time=now)
        log.run = replace(run, attempt=attempt + 1, owner=owner)
        return log.run

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore."""
        log = self._log(write.run.key)
        stored = log.run
        is_there = (stored.attempt, stored.last_sequence) == (write.run.attempt, write.after)
        if not is_there or stored.state.is_terminal:
            raise FencedError(f"run {stored.key.request_id!r} is written by another attempt")
        log.run = replace(write.run, cancel=stored.cancel, fingerprint=stored.fingerprint)
        log.events.extend(write.events)
        session = self._sessions.get(stored.session)
        if session is not None:
            for event in write.session_events:
                self._append(session, event)
            if write.session_events or write.state_delta:
                session.update_time = write.run.last_event_time or session.update_time
        if write.state_delta:
            self._merge(stored.session, write.state_delta)
        async with self._changed:
            self._changed.notify_all()

    async def list_run_events(self, key: RunKey, *, after: int, limit: int) -> list[Event]:
        """See storage.port.RunStore."""
        return self._log(key).events[after : after + limit]

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """See storage.port.RunStore."""
        old = [k for k, log in self._logs.items() if log.run.end_time and log.run.end_time < end_time][:limit]
        for key in old:
            del self._logs[key]
        return len(old)

    def _log(self, key: RunKey) -> _Log:
        log = self._logs.get(key)
        if log is None:
            raise NotFoundError("run", key.request_id)
        return log

    # Replicas

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """See storage.port.LiveStore."""
        self._leases[replica] = self._clock() + ttl_seconds

    async def release_lease(self, replica: ReplicaId) -> None:
        """See storage.port.LiveStore."""
        self._leases.pop(replica, None)

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        now = self._clock()
        return [
            log.run
            for log in sorted(self._logs.values(), key=lambda log: log.ordinal)
            if not log.run.state.is_terminal and self._leases.get(log.run.owner, 0.0) <= now
        ][:limit]

    async def list_cancel_requests(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return [
            log.run
            for log in self._logs.values()
            if log.run.owner == owner and log.run.cancel is not None and not log.run.state.is_terminal
        ][:limit]

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """See storage.port.LiveStore."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(
                    lambda: (log := self._logs.get(key)) is None or len(log.events) > after
                )
        except TimeoutError:
            return

    async def check(self) -> None:
        """See storage.port.Store."""

    async def close(self) -> None:
        """See storage.port.Store."""


def _matches(item: SessionEvent, query: EventQuery) -> bool:
    return (
        item.position > query.after
        and (query.before is None or item.position < query.before)
        and (query.since is None or item.event.create_time >= query.since)
        and (not query.user_only or is_user_event(item.event))
    )


def _is_wanted(run: Run, wanted: RunFilter) -> bool:
    return (
        run.key.app_name == wanted.app_name
        and wanted.user_id in {"", run.session.user_id}
        and wanted.session_id in {"", run.session.session_id}
        and wanted.agent_name in {"", run.agent_name}
        and (not wanted.states or run.state in wanted.states)
    )


def _place(found: _Conversation) -> tuple[str, str]:
    """Where a session is in its user's list. The format of the time sorts as the time does."""
    return found.update_time.astimezone(UTC).isoformat(timespec="microseconds"), found.key.session_id
