"""The whole store in memory: sessions, and here runs, their logs, and what replicas know of each other."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from runwire_server.domain.errors import FencedError, NotFoundError, StaleMailError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import RunMail
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Retention
from runwire_server.domain.runs import NOBODY, CancelRequest, Run, RunState, busy_session
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.memory.sessions import MemorySessions
from runwire_server.storage.port import Append, Page, RunFilter


@dataclass(slots=True, eq=False)
class _Log:
    ordinal: int
    run: Run
    events: list[Event] = field(default_factory=list)


class MemoryStore(MemorySessions):
    """See storage.port.Store. `clock` is the store's, in seconds since 1970."""

    kind = "memory"

    def __init__(self, retention: Retention | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(retention or Retention(), clock)
        self._logs: dict[RunKey, _Log] = {}
        # Those that have not ended, by session, oldest first.
        self._open: dict[SessionKey, list[_Log]] = {}
        self._cancel_marks: dict[RunKey, tuple[CancelRequest, datetime]] = {}
        self._leases: dict[ReplicaId, float] = {}
        self._ordinal = 0
        self._changed = asyncio.Condition()

    # Runs

    async def create_run(
        self, run: Run, *, must_be_first: bool = False, claim: bool = False, opening: Append | None = None
    ) -> tuple[Run, bool]:
        """See storage.port.RunStore."""
        if (known := self._logs.get(run.key)) is not None:
            return known.run, False
        if opening is not None:
            await self.create_session(run.session, {}, run.create_time)
        self._session(run.session)
        if must_be_first and (busy := self._open.get(run.session)):
            raise busy_session(busy[0].run.key)
        mark = self._cancel_marks.pop(run.key, None)
        if mark is not None and mark[1] > run.create_time:
            run = replace(run, cancel=mark[0])
        queue = self._open.setdefault(run.session, [])
        if (claim or opening is not None) and not (run.waits_its_turn and queue):
            run = run.claimed_by(run.owner, run.create_time)
        self._ordinal += 1
        self._logs[run.key] = log = _Log(self._ordinal, run)
        queue.append(log)
        if opening is not None:
            await self.append(opening)
        return log.run, True

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

    async def set_mail(
        self, key: RunKey, mail: RunMail, *, version: int, due_time: datetime | None = None
    ) -> Run | None:
        """See storage.port.RunStore."""
        log = self._log(key)
        if log.run.mail.version != version or log.run.state.is_terminal:
            return None
        log.run = replace(log.run, mail=mail, due_time=due_time or log.run.due_time)
        return log.run

    async def claim_run(
        self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        """See storage.port.RunStore."""
        log = self._log(key)
        run = log.run
        is_behind = in_turn and any(other.ordinal < log.ordinal for other in self._open.get(run.session, ()))
        if run.attempt != attempt or run.state.is_terminal or is_behind:
            return None
        log.run = run.claimed_by(owner, now)
        return log.run

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore."""
        log = self._log(write.run.key)
        stored = log.run
        is_there = (stored.attempt, stored.last_sequence) == (write.run.attempt, write.after)
        if not is_there or stored.state.is_terminal:
            raise FencedError(f"run {stored.key.request_id!r} is written by another attempt")
        if write.mail_version is not None and write.mail_version != stored.mail.version:
            raise StaleMailError(f"the mail of run {stored.key.request_id!r} has changed")
        mail = stored.mail if write.mail_version is None else write.run.mail
        log.run = write.run
        theirs = (stored.cancel, stored.fingerprint, mail)
        if (write.run.cancel, write.run.fingerprint, write.run.mail) != theirs:
            log.run = replace(write.run, cancel=stored.cancel, fingerprint=stored.fingerprint, mail=mail)
        log.events.extend(write.events)
        if log.run.state.is_terminal:
            self._close(log)
        session = self._find(stored.session)
        now = write.run.last_event_time or write.run.create_time
        if session is not None and (write.session_events or write.state_delta):
            self._append(session, write.session_events, now)
        if write.state_delta:
            self._merge(stored.session, write.state_delta, now)
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

    def _close(self, log: _Log) -> None:
        queue = self._open[log.run.session]
        queue.remove(log)
        if not queue:
            del self._open[log.run.session]

    def _log(self, key: RunKey) -> _Log:
        log = self._logs.get(key)
        if log is None:
            raise NotFoundError("run", key.request_id)
        return log

    async def truncate_session(self, key: SessionKey, *, after: int, now: datetime) -> int:
        """See storage.port.SessionEventStore."""
        found = self._session(key)
        if busy := self._open.get(key):
            raise busy_session(busy[0].run.key)
        kept = [item for item in found.events if item.position <= after]
        count = len(found.events) - len(kept)
        found.events = kept
        found.touch(now)
        return count

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
            for log in sorted(self._unfinished(), key=lambda log: log.ordinal)
            if log.run.owner != NOBODY and self._leases.get(log.run.owner, 0.0) <= now
        ][:limit]

    async def list_due(self, now: datetime, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        waiting = [log.run for log in self._unfinished() if log.run.state is RunState.WAITING]
        due = [run for run in waiting if run.cancel or (run.due_time is not None and run.due_time <= now)]
        return sorted(due, key=lambda run: run.due_time or now)[:limit]

    async def list_with_mail(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        mine = (log.run for log in self._unfinished() if log.run.owner == owner)
        return [run for run in mine if run.cancel or run.mail.version][:limit]

    def _unfinished(self) -> Iterator[_Log]:
        return (log for queue in self._open.values() for log in queue)

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

    async def flush(self) -> None:
        """See storage.port.Store."""

    async def close(self) -> None:
        """See storage.port.Store."""


def _is_wanted(run: Run, wanted: RunFilter) -> bool:
    return (
        run.key.app_name == wanted.app_name
        and wanted.user_id in {"", run.session.user_id}
        and wanted.session_id in {"", run.session.session_id}
        and wanted.agent_name in {"", run.agent_name}
        and (not wanted.states or run.state in wanted.states)
    )
