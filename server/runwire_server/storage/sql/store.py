"""The store over any SQL database: which function runs in which transaction."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, text

from runwire_server.domain.content import JsonObject
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import CancelRequest, Run
from runwire_server.domain.sessions import EventQuery, Session, SessionEvent
from runwire_server.domain.state import Tier
from runwire_server.storage.port import Append, Page, RunFilter
from runwire_server.storage.sql import runs, sessions
from runwire_server.storage.sql import state as tiers
from runwire_server.storage.sql.append import prepare
from runwire_server.storage.sql.database import Database

_POLL_SECONDS = 0.1


class SqlStore:
    """See storage.port.Store. `clock` is the store's, for leases, in seconds."""

    def __init__(self, kind: str, database: Database, clock: Callable[[], float]) -> None:
        self.kind = kind
        self._database = database
        self._clock = clock

    async def create_session(self, key: SessionKey, state: JsonObject, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        return await self._database.write(lambda c: sessions.create(c, key, state, now))

    async def get_or_create_session(
        self, key: SessionKey, state: JsonObject, now: datetime
    ) -> tuple[Session, bool]:
        """See storage.port.SessionStore."""
        return await self._database.write(lambda c: sessions.get_or_create(c, key, state, now))

    async def get_session(self, key: SessionKey) -> Session:
        """See storage.port.SessionStore."""
        return await self._database.read(lambda c: sessions.get(c, key))

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """See storage.port.SessionStore."""
        return await self._database.read(lambda c: sessions.list_of_user(c, app_name, user_id, limit, cursor))

    async def delete_session(self, key: SessionKey) -> bool:
        """See storage.port.SessionStore."""
        return await self._database.write(lambda c: sessions.delete_session(c, key))

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """See storage.port.SessionEventStore."""
        return await self._database.write(lambda c: sessions.append_one(c, key, event, now))

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """See storage.port.SessionEventStore."""
        return await self._database.read(lambda c: sessions.list_events(c, key, query))

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, object]:
        """See storage.port.StateStore."""

        def work(connection: Connection) -> dict[str, object]:
            if tier is Tier.SESSION:
                sessions.require(connection, key)
            return tiers.read_state(connection, key, tier)

        return await self._database.read(work)

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, object]:
        """See storage.port.StateStore."""

        def work(connection: Connection) -> dict[str, object]:
            if tier is Tier.SESSION:
                sessions.touch(connection, key, now)
            return tiers.merge(connection, key, tier, delta)

        return await self._database.write(work)

    async def create_run(self, run: Run) -> tuple[Run, bool]:
        """See storage.port.RunStore."""
        return await self._database.write(lambda c: runs.create(c, run))

    async def get_run(self, key: RunKey) -> Run:
        """See storage.port.RunStore."""
        return await self._database.read(lambda c: runs.get(c, key))

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None = None) -> Page[Run]:
        """See storage.port.RunStore."""
        return await self._database.read(lambda c: runs.list_runs(c, wanted, limit, cursor))

    async def request_cancel(
        self, key: RunKey, request: CancelRequest, *, now: datetime, remember_until: datetime
    ) -> tuple[Run | None, bool]:
        """See storage.port.RunStore."""
        return await self._database.write(lambda c: runs.request_cancel(c, key, request, now, remember_until))

    async def claim_run(self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime) -> Run | None:
        """See storage.port.RunStore."""
        return await self._database.write(lambda c: runs.claim(c, key, owner, attempt, now))

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore."""
        await self._database.append(prepare(write))

    async def list_run_events(self, key: RunKey, *, after: int, limit: int) -> list[Event]:
        """See storage.port.RunStore."""
        return await self._database.read(lambda c: runs.list_events(c, key, after, limit))

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """See storage.port.RunStore."""
        return await self._database.write(lambda c: runs.delete_ended_before(c, end_time, limit))

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """See storage.port.LiveStore."""
        until = self._micros(ttl_seconds)
        await self._database.write(lambda c: runs.renew_lease(c, replica, until))

    async def release_lease(self, replica: ReplicaId) -> None:
        """See storage.port.LiveStore."""
        await self._database.write(lambda c: runs.release_lease(c, replica))

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        now = self._micros(0.0)
        return await self._database.read(lambda c: runs.list_orphans(c, now, limit))

    async def list_cancel_requests(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._database.read(lambda c: runs.list_cancel_requests(c, owner, limit))

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """See storage.port.LiveStore. The writer may be another process, so this looks again and again."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not await self._database.read(lambda c: runs.has_events(c, key, after)):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _POLL_SECONDS))

    async def check(self) -> None:
        """See storage.port.Store."""
        await self._database.read(lambda c: c.execute(text("SELECT 1")).scalar_one())

    async def close(self) -> None:
        """See storage.port.Store."""
        await self._database.close()

    def _micros(self, seconds_from_now: float) -> int:
        return int((self._clock() + seconds_from_now) * 1_000_000)
