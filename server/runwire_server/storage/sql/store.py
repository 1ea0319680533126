"""The store over any SQL database: which function runs in which transaction."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar, cast

from sqlalchemy import Connection, text

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, UnavailableError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import RunMail
from runwire_server.domain.retention import Retention
from runwire_server.domain.runs import CancelRequest, Run
from runwire_server.domain.sessions import (
    EventQuery,
    Session,
    SessionChange,
    SessionCopy,
    SessionEvent,
    TrackEvent,
)
from runwire_server.domain.state import Tier
from runwire_server.storage.port import Append, Page, RunFilter
from runwire_server.storage.sql import cleaning, copies, events, locking, runs, sessions, tiers, tracks
from runwire_server.storage.sql.append import begin, prepare
from runwire_server.storage.sql.database import Database
from runwire_server.storage.sql.talking import prepare_event
from runwire_server.storage.sql.transaction import Transaction

T = TypeVar("T")

_POLL_SECONDS = 0.1
_CLEAN_ROWS = 50
_SHORT_ROWS = 200


class SqlStore:
    """See storage.port.Store. `transaction` gives a connection the operator's rules and the time."""

    def __init__(
        self,
        kind: str,
        database: Database,
        retention: Retention,
        transaction: Callable[[Connection], Transaction],
    ) -> None:
        self.kind = kind
        self._database = database
        self._retention = retention
        self._transaction = transaction

    # Sessions

    async def create_session(
        self,
        key: SessionKey,
        state: JsonObject,
        now: datetime,
        *,
        ttl: timedelta | None = None,
        display_name: str = "",
    ) -> Session:
        """See storage.port.SessionStore."""
        expiry = self._retention.session_expiry(ttl, now)
        return await self._write(
            lambda t: sessions.create(t, key, state, now, expiry=expiry, display_name=display_name),
            is_short=True,
        )

    async def get_or_create_session(
        self,
        key: SessionKey,
        state: JsonObject,
        now: datetime,
        *,
        ttl: timedelta | None = None,
        display_name: str = "",
    ) -> tuple[Session, bool]:
        """See storage.port.SessionStore."""
        # Mostly it is there, and reading is cheaper than a transaction.
        found = await self._read(lambda t: sessions.find(t, key), is_short=True)
        if found is not None:
            return found, False
        expiry = self._retention.session_expiry(ttl, now)

        def work(t: Transaction) -> tuple[Session, bool]:
            try:
                return sessions.create(t, key, state, now, expiry=expiry, display_name=display_name), True
            except AlreadyExistsError:
                return sessions.get(t, key), False

        return await self._write(work, is_short=True)

    async def get_session(self, key: SessionKey) -> Session:
        """See storage.port.SessionStore."""
        return await self._read(lambda t: sessions.get(t, key), is_short=True)

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """See storage.port.SessionStore."""
        return await self._read(lambda t: sessions.list_of_user(t, app_name, user_id, limit, cursor))

    async def update_session(self, key: SessionKey, change: SessionChange, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        return await self._write(lambda t: sessions.change(t, key, change, now))

    async def delete_session(self, key: SessionKey, *, purge: bool = False) -> bool:
        """See storage.port.SessionStore."""

        def work(t: Transaction) -> bool:
            was_there = sessions.delete(t, key)
            if purge or (was_there and not self._retention.deleted_ttl):
                cleaning.purge_session(t, key)
            return was_there

        return await self._write(work)

    async def restore_session(self, key: SessionKey, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        return await self._write(lambda t: sessions.restore(t, key, now))

    async def clean_up(self, *, limit: int) -> int:
        """See storage.port.SessionStore."""
        count = 0
        for delete in (cleaning.delete_sessions, cleaning.delete_states, cleaning.delete_track_events):
            while count < limit:
                some = min(_CLEAN_ROWS, limit - count)
                done = await self._write(partial(delete, limit=some))
                count += done
                if not done:
                    break
        return count

    # Events, tracks, state

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """See storage.port.SessionEventStore."""
        stored = await self._database.append(prepare_event(key, event, now))
        return cast(SessionEvent, stored)

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """See storage.port.SessionEventStore."""
        return await self._read(
            lambda t: events.list_events(t, key, query), is_short=query.limit <= _SHORT_ROWS
        )

    async def find_session_event(self, key: SessionKey, event_id: str) -> SessionEvent | None:
        """See storage.port.SessionEventStore."""
        return await self._read(lambda t: events.find_event(t, key, event_id))

    async def truncate_session(self, key: SessionKey, *, after: int, now: datetime) -> int:
        """See storage.port.SessionEventStore."""

        def work(t: Transaction) -> int:
            locked = locking.lock(t, key)
            runs.require_idle(t, key)
            count = events.truncate(t, locked, after)
            locked.touch(now)
            locking.save(t, [locked])
            return count

        return await self._write(work)

    async def append_track_events(
        self, key: SessionKey, track: str, payloads: Sequence[str], now: datetime
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        return await self._write(lambda t: tracks.append(t, key, track, payloads, now))

    async def list_track_events(
        self, key: SessionKey, track: str, *, after: int, limit: int
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        return await self._read(lambda t: tracks.list_events(t, key, track, after, limit))

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, object]:
        """See storage.port.StateStore."""
        if tier is Tier.SESSION:
            return await self._read(lambda t: sessions.read_state(t, key))
        return await self._read(lambda t: tiers.read(t, key, tier))

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, object]:
        """See storage.port.StateStore."""

        def work(t: Transaction) -> dict[str, object]:
            if tier is not Tier.SESSION:
                return tiers.merge_one(t, (key, tier, delta, now))
            locked = locking.lock(t, key)
            locked.touch(now)
            locking.save(t, [locked])
            return locking.merge_state_of(t, locked, [delta])

        return await self._write(work)

    # Runs

    async def create_run(
        self, run: Run, *, must_be_first: bool = False, claim: bool = False, opening: Append | None = None
    ) -> tuple[Run, bool]:
        """See storage.port.RunStore."""
        if opening is None:
            created, is_new = await self._write(
                lambda t: runs.create(t, run, must_be_first=must_be_first, claim=claim), is_short=True
            )
        else:
            beginning = prepare(opening)
            expiry = self._retention.session_expiry(None, run.create_time)
            created, is_new = await self._write(lambda t: begin(t, beginning, expiry), is_short=True)
        if is_new:
            # The run is there: what fails from here on must not look as if it were not.
            with suppress(UnavailableError):
                if await self._is_marked(run.key):
                    taken = await self._write(lambda t: runs.take_mark(t, run.key, run.create_time))
                    created = taken or created
        return created, is_new

    async def _is_marked(self, key: RunKey) -> bool:
        """Whether a cancel that overtook its run was written while the run was, by another connection.

        Both write first and look for the other then, so at least one of them sees it.
        """
        if self._database.has_one_writer:
            return False
        return await self._read(lambda t: runs.has_mark(t, key))

    async def get_run(self, key: RunKey) -> Run:
        """See storage.port.RunStore."""
        return await self._read(lambda t: runs.get(t, key), is_short=True)

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None = None) -> Page[Run]:
        """See storage.port.RunStore."""
        return await self._read(lambda t: runs.list_runs(t, wanted, limit, cursor))

    async def request_cancel(
        self, key: RunKey, request: CancelRequest, *, now: datetime, remember_until: datetime
    ) -> tuple[Run | None, bool]:
        """See storage.port.RunStore."""
        run, has_changed = await self._write(
            lambda t: runs.request_cancel(t, key, request, now, remember_until)
        )
        if run is None and await self._is_marked(key):
            run = await self._write(lambda t: runs.take_mark(t, key, now))
        return run, has_changed

    async def set_mail(
        self, key: RunKey, mail: RunMail, *, version: int, due_time: datetime | None = None
    ) -> Run | None:
        """See storage.port.RunStore."""
        return await self._write(lambda t: runs.set_mail(t, key, mail, version, due_time))

    async def claim_run(
        self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        """See storage.port.RunStore."""
        return await self._write(
            lambda t: runs.claim(t, key, owner, attempt, now, in_turn=in_turn), is_short=True
        )

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore."""
        await self._database.append(prepare(write))

    async def list_run_events(self, key: RunKey, *, after: int, limit: int) -> list[Event]:
        """See storage.port.RunStore."""
        return await self._read(
            lambda t: runs.list_events(t, key, after, limit), is_short=limit <= _SHORT_ROWS
        )

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """See storage.port.RunStore."""
        return await self._write(lambda t: runs.delete_ended_before(t, end_time, limit))

    # Replicas

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """See storage.port.LiveStore."""
        ttl = round(ttl_seconds * 1_000_000)
        await self._write(lambda t: runs.renew_lease(t, replica, ttl))

    async def release_lease(self, replica: ReplicaId) -> None:
        """See storage.port.LiveStore."""
        await self._write(lambda t: runs.release_lease(t, replica))

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._read(lambda t: runs.list_orphans(t, limit))

    async def list_due(self, now: datetime, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._read(lambda t: runs.list_due(t, now, limit))

    async def list_with_mail(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._read(lambda t: runs.list_with_mail(t, owner, limit))

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """See storage.port.LiveStore. The writer may be another process, so this looks again and again."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not await self._read(lambda t: runs.has_events(t, key, after), is_short=True):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _POLL_SECONDS))

    # Copies

    async def list_owners(self, tier: Tier, *, limit: int, cursor: str | None = None) -> Page[SessionKey]:
        """See storage.port.CopyStore."""
        if tier is Tier.SESSION:
            return await self._read(lambda t: sessions.list_owners(t, limit, cursor))
        return await self._read(lambda t: tiers.list_owners(t, tier, limit, cursor))

    async def read_copy(self, key: SessionKey) -> SessionCopy:
        """See storage.port.CopyStore."""
        return await self._write(lambda t: copies.read(t, key))

    async def write_copy(self, copy: SessionCopy) -> None:
        """See storage.port.CopyStore."""
        await self._write(lambda t: copies.write(t, copy))

    # The store

    async def check(self) -> None:
        """See storage.port.Store."""
        await self._read(lambda t: t.execute(text("SELECT 1")).scalar_one())

    async def flush(self) -> None:
        """See storage.port.Store."""

    async def close(self) -> None:
        """See storage.port.Store."""
        await self._database.close()

    async def _read(self, work: Callable[[Transaction], T], *, is_short: bool = False) -> T:
        return await self._database.read(lambda c: work(self._transaction(c)), is_short=is_short)

    async def _write(self, work: Callable[[Transaction], T], *, is_short: bool = False) -> T:
        return await self._database.write(lambda c: work(self._transaction(c)), is_short=is_short)
