"""What the API can do with sessions and state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import InvalidRequestError, NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey, new_id
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Expiry
from runwire_server.domain.sessions import (
    EventQuery,
    Session,
    SessionChange,
    SessionEvent,
    TrackEvent,
    is_user_event,
    window,
)
from runwire_server.domain.state import Tier
from runwire_server.runner.catalog import Catalog
from runwire_server.storage.port import Page, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to make. `ttl` is as in Retention.session_expiry."""

    key: SessionKey
    state: JsonObject
    ttl: timedelta | None = None
    display_name: str = ""


class Conversations:
    """Sessions, their events and their state. An empty app name means the default app, everywhere."""

    def __init__(self, store: Store, catalog: Catalog, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def create(self, new: NewSession) -> Session:
        """Make a session; an empty id is made too. Raises: AlreadyExistsError, NotFoundError (app)."""
        key = self._named(new.key)
        return await self._store.create_session(
            key, new.state, self._clock(), ttl=new.ttl, display_name=new.display_name
        )

    async def get_or_create(self, new: NewSession) -> tuple[Session, bool]:
        """Return the session and whether it was made. Raises: NotFoundError (app)."""
        key = self._named(new.key)
        return await self._store.get_or_create_session(
            key, new.state, self._clock(), ttl=new.ttl, display_name=new.display_name
        )

    async def get(
        self, key: SessionKey, *, last: int, since: datetime | None
    ) -> tuple[Session, Sequence[SessionEvent]]:
        """Return the session and its newest events, as domain.sessions.window cuts them, behind the app's hooks.

        Raises: NotFoundError, HookError.
        """
        key = self._resolved(key)
        session = await self._store.get_session(key)
        query = EventQuery(since=since, newest_first=True, limit=last)
        newest = await self._store.list_session_events(key, query)
        newest.reverse()
        latest_user = None
        if not any(is_user_event(item.event) for item in newest):
            before = newest[0].position if newest else None
            user = EventQuery(before=before, user_only=True, newest_first=True, limit=1)
            found = await self._store.list_session_events(key, user)
            latest_user = found[0] if found else None
        hooks = self._catalog.app(key.app_name).session_hooks
        return await hooks.after_get(session, window(newest, latest_user))

    async def list_of_user(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None
    ) -> Page[Session]:
        """List a user's sessions, the one written last first. Raises: NotFoundError (app)."""
        name = self._catalog.app(app_name).name
        return await self._store.list_sessions(name, user_id, limit=limit, cursor=cursor)

    async def update(self, key: SessionKey, change: SessionChange) -> Session:
        """Change the session and return it. A TTL begins now.

        Raises: NotFoundError, InvalidRequestError (session.expire_time) for an end that is not in the future.
        """
        now = self._clock()
        match change.expiry:
            case Expiry(ttl=timedelta()) as expiry:
                change = replace(change, expiry=expiry.renewed(now))
            case Expiry() as expiry if expiry.is_over(now):
                raise InvalidRequestError.of("session.expire_time", "is not in the future")
        return await self._store.update_session(self._resolved(key), change, now)

    async def delete(self, key: SessionKey, *, purge: bool = False) -> bool:
        """Delete the session, with `purge` for good. Return whether there was one. Raises: NotFoundError (app)."""
        return await self._store.delete_session(self._resolved(key), purge=purge)

    async def restore(self, key: SessionKey) -> Session:
        """Undo the last `delete`. Raises: NotFoundError, AlreadyExistsError."""
        return await self._store.restore_session(self._resolved(key), self._clock())

    async def append(self, key: SessionKey, event: Event) -> SessionEvent | None:
        """Append an event outside a run. Empty fields are filled in. None: a hook left it out, state included.

        Raises: NotFoundError, HookError.
        """
        now = self._clock()
        key = self._resolved(key)
        filled = replace(event, id=event.id or new_id(), author=event.author or "user", create_time=now)
        kept = await self._catalog.app(key.app_name).session_hooks.before_append(key, filled)
        if kept is None:
            await self._store.get_session(key)
            return None
        return await self._store.append_session_event(key, kept, now)

    async def list_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """Return events by position, without the rules of `get`. Raises: NotFoundError."""
        return await self._store.list_session_events(self._resolved(key), query)

    async def around(
        self, key: SessionKey, event_id: str, *, before: int, after: int
    ) -> tuple[list[SessionEvent], SessionEvent, list[SessionEvent]]:
        """Return so many events before that one, the event, and so many after it, all by position.

        Raises: NotFoundError (session, event).
        """
        key = self._resolved(key)
        anchor = await self._event(key, event_id)
        earlier: list[SessionEvent] = []
        later: list[SessionEvent] = []
        if before:
            query = EventQuery(before=anchor.position, newest_first=True, limit=before)
            earlier = await self._store.list_session_events(key, query)
        if after:
            query = EventQuery(after=anchor.position, limit=after)
            later = await self._store.list_session_events(key, query)
        return earlier[::-1], anchor, later

    async def truncate(self, key: SessionKey, event_id: str) -> int:
        """Delete the events after that one, all of them for an empty id. Return how many.

        Raises: NotFoundError (session, event), BusyError when a run of the session has not ended.
        """
        key = self._resolved(key)
        after = (await self._event(key, event_id)).position if event_id else 0
        return await self._store.truncate_session(key, after=after, now=self._clock())

    async def _event(self, key: SessionKey, event_id: str) -> SessionEvent:
        found = await self._store.find_session_event(key, event_id)
        if found is None:
            raise NotFoundError("event", event_id)
        return found

    async def append_track(self, key: SessionKey, track: str, payloads: Sequence[str]) -> list[TrackEvent]:
        """Append JSON texts to a track. Raises: NotFoundError."""
        return await self._store.append_track_events(self._resolved(key), track, payloads, self._clock())

    async def list_track(self, key: SessionKey, track: str, *, after: int, limit: int) -> list[TrackEvent]:
        """Return a track's events after that position, in order. Raises: NotFoundError."""
        return await self._store.list_track_events(self._resolved(key), track, after=after, limit=limit)

    async def flush(self) -> None:
        """Return when all that was accepted is durable."""
        await self._store.flush()

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, object]:
        """Return one tier's state. Raises: NotFoundError."""
        return await self._store.get_state(self._resolved(key), tier)

    async def update_state(self, key: SessionKey, tier: Tier, delta: JsonObject) -> dict[str, object]:
        """Merge into one tier's state, and return it. Raises: NotFoundError."""
        return await self._store.update_state(self._resolved(key), tier, delta, self._clock())

    def _resolved(self, key: SessionKey) -> SessionKey:
        return replace(key, app_name=self._catalog.app(key.app_name).name)

    def _named(self, key: SessionKey) -> SessionKey:
        return replace(self._resolved(key), session_id=key.session_id or new_id())
