"""A store in front of others: every call that names an app, a session or a run goes on to the store of that.

What stands in front says where a call goes, and what must happen before, in three methods: `_at_app`, `_at_session`
and `_at_run`. The calls that name nothing (leases, orphans, clean-up, …) are for the subclass.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runwire_server.domain.content import JsonObject
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import RunMail
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
from runwire_server.storage.port import Append, Page, RunFilter, Store


class ForwardingStore:
    """The part of storage.port.Store that names what it is about."""

    async def _at_app(self, app_name: str, user_id: str = "") -> Store:
        """Return the store to ask for lists of an app, or of one of its users."""
        raise NotImplementedError

    async def _at_session(self, key: SessionKey) -> Store:
        """Return the session's store."""
        raise NotImplementedError

    async def _at_run(self, key: RunKey) -> Store:
        """Return the run's store."""
        raise NotImplementedError

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
        store = await self._at_session(key)
        return await store.create_session(key, state, now, ttl=ttl, display_name=display_name)

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
        store = await self._at_session(key)
        return await store.get_or_create_session(key, state, now, ttl=ttl, display_name=display_name)

    async def get_session(self, key: SessionKey) -> Session:
        """See storage.port.SessionStore."""
        return await (await self._at_session(key)).get_session(key)

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """See storage.port.SessionStore."""
        store = await self._at_app(app_name, user_id)
        return await store.list_sessions(app_name, user_id, limit=limit, cursor=cursor)

    async def update_session(self, key: SessionKey, change: SessionChange, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        return await (await self._at_session(key)).update_session(key, change, now)

    async def delete_session(self, key: SessionKey, *, purge: bool = False) -> bool:
        """See storage.port.SessionStore."""
        return await (await self._at_session(key)).delete_session(key, purge=purge)

    async def restore_session(self, key: SessionKey, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        return await (await self._at_session(key)).restore_session(key, now)

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """See storage.port.SessionEventStore."""
        return await (await self._at_session(key)).append_session_event(key, event, now)

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """See storage.port.SessionEventStore."""
        return await (await self._at_session(key)).list_session_events(key, query)

    async def find_session_event(self, key: SessionKey, event_id: str) -> SessionEvent | None:
        """See storage.port.SessionEventStore."""
        return await (await self._at_session(key)).find_session_event(key, event_id)

    async def truncate_session(self, key: SessionKey, *, after: int, now: datetime) -> int:
        """See storage.port.SessionEventStore."""
        return await (await self._at_session(key)).truncate_session(key, after=after, now=now)

    async def append_track_events(
        self, key: SessionKey, track: str, payloads: Sequence[str], now: datetime
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        return await (await self._at_session(key)).append_track_events(key, track, payloads, now)

    async def list_track_events(
        self, key: SessionKey, track: str, *, after: int, limit: int
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        store = await self._at_session(key)
        return await store.list_track_events(key, track, after=after, limit=limit)

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, object]:
        """See storage.port.StateStore."""
        return await (await self._at_session(key)).get_state(key, tier)

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, object]:
        """See storage.port.StateStore."""
        return await (await self._at_session(key)).update_state(key, tier, delta, now)

    async def read_copy(self, key: SessionKey) -> SessionCopy:
        """See storage.port.CopyStore."""
        return await (await self._at_session(key)).read_copy(key)

    async def write_copy(self, copy: SessionCopy) -> None:
        """See storage.port.CopyStore."""
        await (await self._at_session(copy.session.key)).write_copy(copy)

    # Runs

    async def create_run(
        self, run: Run, *, must_be_first: bool = False, claim: bool = False, opening: Append | None = None
    ) -> tuple[Run, bool]:
        """See storage.port.RunStore."""
        store = await self._at_session(run.session)
        return await store.create_run(run, must_be_first=must_be_first, claim=claim, opening=opening)

    async def get_run(self, key: RunKey) -> Run:
        """See storage.port.RunStore."""
        return await (await self._at_run(key)).get_run(key)

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None = None) -> Page[Run]:
        """See storage.port.RunStore."""
        store = await self._at_app(wanted.app_name, wanted.user_id)
        return await store.list_runs(wanted, limit=limit, cursor=cursor)

    async def request_cancel(
        self, key: RunKey, request: CancelRequest, *, now: datetime, remember_until: datetime
    ) -> tuple[Run | None, bool]:
        """See storage.port.RunStore."""
        store = await self._at_run(key)
        return await store.request_cancel(key, request, now=now, remember_until=remember_until)

    async def set_mail(
        self, key: RunKey, mail: RunMail, *, version: int, due_time: datetime | None = None
    ) -> Run | None:
        """See storage.port.RunStore."""
        return await (await self._at_run(key)).set_mail(key, mail, version=version, due_time=due_time)

    async def claim_run(
        self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        """See storage.port.RunStore."""
        store = await self._at_run(key)
        return await store.claim_run(key, owner, attempt=attempt, now=now, in_turn=in_turn)

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore."""
        await (await self._at_run(write.run.key)).append(write)

    async def list_run_events(self, key: RunKey, *, after: int, limit: int) -> list[Event]:
        """See storage.port.RunStore."""
        return await (await self._at_run(key)).list_run_events(key, after=after, limit=limit)
