"""Sessions, their events, tracks and state, in memory. Methods do not await: each is atomic on its loop."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Expiry, Retention
from runwire_server.domain.sessions import (
    EventQuery,
    Session,
    SessionChange,
    SessionCopy,
    SessionEvent,
    TrackEvent,
    is_user_event,
)
from runwire_server.domain.state import Tier, merge_state, merged_view, split_delta
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page


@dataclass(slots=True)
class _Track:
    last_position: int = 0
    events: list[tuple[TrackEvent, Expiry]] = field(default_factory=list)


@dataclass(slots=True)
class _Conversation:
    key: SessionKey
    create_time: datetime
    update_time: datetime
    expiry: Expiry
    display_name: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    events: list[SessionEvent] = field(default_factory=list)
    last_position: int = 0
    tracks: dict[str, _Track] = field(default_factory=dict)
    delete_time: datetime | None = None

    def touch(self, now: datetime) -> None:
        self.update_time = now
        self.expiry = self.expiry.renewed(now)


@dataclass(slots=True)
class _Owned:
    """The state of an app or of a user."""

    state: dict[str, Any]
    expiry: Expiry


class MemorySessions:
    """The part of the store that is about conversations. `clock` is in seconds since 1970."""

    def __init__(self, retention: Retention, clock: Callable[[], float]) -> None:
        self._retention = retention
        self._clock = clock
        self._sessions: dict[SessionKey, _Conversation] = {}
        self._deleted: dict[SessionKey, list[_Conversation]] = {}
        self._owned: dict[tuple[Tier, SessionKey], _Owned] = {}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

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
        if self._find(key) is not None:
            raise AlreadyExistsError("session", key.session_id)
        expiry = self._retention.session_expiry(ttl, now)
        made = self._sessions[key] = _Conversation(key, now, now, expiry, display_name)
        self._merge(key, state, now)
        return self._shown(made)

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
        if (found := self._find(key)) is not None:
            return self._shown(found), False
        return await self.create_session(key, state, now, ttl=ttl, display_name=display_name), True

    async def get_session(self, key: SessionKey) -> Session:
        """See storage.port.SessionStore."""
        return self._shown(self._session(key))

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """See storage.port.SessionStore."""
        found = [s for s in self._live() if (s.key.app_name, s.key.user_id) == (app_name, user_id)]
        found.sort(key=lambda s: (s.update_time, s.key.session_id), reverse=True)
        if cursor is not None:
            place = tuple(parse_cursor(cursor, str, str))
            found = [s for s in found if _place(s) < place]
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        following = make_cursor(*_place(last)) if last else None
        return Page(tuple(self._shown(s) for s in shown), following)

    async def update_session(self, key: SessionKey, change: SessionChange, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        found = self._session(key)
        if change.display_name is not None:
            found.display_name = change.display_name
        if change.expiry is not None:
            found.expiry = change.expiry
        found.touch(now)
        return self._shown(found)

    async def delete_session(self, key: SessionKey, *, purge: bool = False) -> bool:
        """See storage.port.SessionStore."""
        found = self._find(key)
        self._sessions.pop(key, None)
        if purge:
            self._deleted.pop(key, None)
        elif found is not None and self._retention.deleted_ttl:
            found.delete_time = self._now()
            self._deleted.setdefault(key, []).append(found)
        return found is not None

    async def restore_session(self, key: SessionKey, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        if self._find(key) is not None:
            raise AlreadyExistsError("session", key.session_id)
        waiting = [found for found in self._deleted.get(key, []) if self._can_be_restored(found)]
        if not waiting:
            raise NotFoundError("session", key.session_id)
        restored = self._sessions[key] = waiting.pop()
        self._deleted[key] = waiting
        restored.delete_time = None
        restored.expiry = restored.expiry.renewed(now)
        return self._shown(restored)

    async def clean_up(self, *, limit: int) -> int:
        """See storage.port.SessionStore."""
        now = self._now()
        sessions = [s.key for s in self._sessions.values() if s.expiry.is_over(now)][:limit]
        owners = [o for o, owned in self._owned.items() if owned.expiry.is_over(now)][:limit]
        late = [k for k, waiting in self._deleted.items() if not all(map(self._can_be_restored, waiting))]
        for key in sessions:
            del self._sessions[key]
        for owner in owners:
            del self._owned[owner]
        for key in late[:limit]:
            self._deleted[key] = [s for s in self._deleted[key] if self._can_be_restored(s)]
        return len(sessions) + len(owners) + len(late[:limit]) + self._clean_tracks(now)

    def _clean_tracks(self, now: datetime) -> int:
        count = 0
        for track in (track for session in self._sessions.values() for track in session.tracks.values()):
            kept = [item for item in track.events if not item[1].is_over(now)]
            count += len(track.events) - len(kept)
            track.events = kept
        return count

    def _can_be_restored(self, found: _Conversation) -> bool:
        assert found.delete_time is not None  # noqa: S101 -- it is in _deleted
        is_kept = found.delete_time + self._retention.deleted_ttl > self._now()
        # A fixed end comes while a session is deleted, too; a TTL begins again when it is restored.
        return is_kept and (found.expiry.ttl is not None or not found.expiry.is_over(self._now()))

    def _live(self) -> Iterable[_Conversation]:
        now = self._now()
        return (found for found in self._sessions.values() if not found.expiry.is_over(now))

    def _find(self, key: SessionKey) -> _Conversation | None:
        found = self._sessions.get(key)
        return None if found is None or found.expiry.is_over(self._now()) else found

    def _session(self, key: SessionKey) -> _Conversation:
        found = self._find(key)
        if found is None:
            raise NotFoundError("session", key.session_id)
        return found

    def _shown(self, found: _Conversation) -> Session:
        app, user = (self._state(found.key, tier) for tier in (Tier.APP, Tier.USER))
        return replace(_bare(found), state=deepcopy(merged_view(app, user, found.state)))

    # Events

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """See storage.port.SessionEventStore."""
        found = self._session(key)
        known = next((item for item in found.events if item.event.id == event.id), None)
        if known is not None:
            return known
        (item,) = self._append(found, [event], now)
        if event.state_delta:
            self._merge(key, event.state_delta, now)
        return item

    def _append(self, found: _Conversation, events: Iterable[Event], now: datetime) -> list[SessionEvent]:
        items = [SessionEvent(place, event) for place, event in enumerate(events, found.last_position + 1)]
        found.events.extend(items)
        found.last_position += len(items)
        found.touch(now)
        if excess := self._retention.excess(len(found.events)):
            newest = next((item for item in reversed(found.events) if is_user_event(item.event)), None)
            found.events = [item for i, item in enumerate(found.events) if i >= excess or item is newest]
        return items

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """See storage.port.SessionEventStore."""
        events = self._session(key).events
        # A turn reads the newest: however long the session is, it costs the same.
        first = bisect_right(events, query.after, key=_position)
        end = len(events) if query.before is None else bisect_left(events, query.before, key=_position)
        places = range(end - 1, first - 1, -1) if query.newest_first else range(first, end)
        wanted = (events[place] for place in places if _matches(events[place], query))
        return list(islice(wanted, query.limit))

    async def find_session_event(self, key: SessionKey, event_id: str) -> SessionEvent | None:
        """See storage.port.SessionEventStore."""
        return next((item for item in self._session(key).events if item.event.id == event_id), None)

    # Tracks

    async def append_track_events(
        self, key: SessionKey, track: str, payloads: Sequence[str], now: datetime
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        found = self._session(key)
        found.touch(now)
        kept = found.tracks.setdefault(track, _Track())
        items = [TrackEvent(place, now, text) for place, text in enumerate(payloads, kept.last_position + 1)]
        kept.events.extend((item, self._retention.track_expiry(now)) for item in items)
        kept.last_position += len(items)
        return items

    async def list_track_events(
        self, key: SessionKey, track: str, *, after: int, limit: int
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        kept = self._session(key).tracks.get(track, _Track())
        now = self._now()
        found = (item for item, expiry in kept.events if item.position > after and not expiry.is_over(now))
        return list(islice(found, limit))

    # State

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, Any]:
        """See storage.port.StateStore."""
        return deepcopy(self._state(key, tier))

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, Any]:
        """See storage.port.StateStore."""
        if tier is Tier.SESSION:
            self._session(key).touch(now)
        return deepcopy(self._merge_tier(key, tier, delta, now))

    def _state(self, key: SessionKey, tier: Tier) -> dict[str, Any]:
        if tier is Tier.SESSION:
            return self._session(key).state
        owned = self._owned.get((tier, owner_of(key, tier)))
        return {} if owned is None or owned.expiry.is_over(self._now()) else owned.state

    def _merge_tier(self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime) -> dict[str, Any]:
        merged = merge_state(self._state(key, tier), deepcopy(delta))
        if tier is Tier.SESSION:
            self._session(key).state = merged
        else:
            expiry = self._retention.state_expiry(tier, now)
            self._owned[tier, owner_of(key, tier)] = _Owned(merged, expiry)
        return merged

    def _merge(self, key: SessionKey, delta: JsonObject, now: datetime) -> None:
        for tier, part in split_delta(delta).items():
            if tier is not Tier.SESSION or self._find(key) is not None:
                self._merge_tier(key, tier, part, now)

    # Copies

    async def list_owners(self, tier: Tier, *, limit: int, cursor: str | None = None) -> Page[SessionKey]:
        """See storage.port.CopyStore."""
        if tier is Tier.SESSION:
            found = sorted(session.key for session in self._live())
        else:
            found = sorted(key for of, key in self._owned if of is tier and self._state(key, tier))
        if cursor is not None:
            after = SessionKey(*parse_cursor(cursor, str, str, str))
            found = [key for key in found if key > after]
        last = found[limit - 1] if len(found) > limit else None
        following = make_cursor(last.app_name, last.user_id, last.session_id) if last else None
        return Page(tuple(found[:limit]), following)

    async def read_copy(self, key: SessionKey) -> SessionCopy:
        """See storage.port.CopyStore."""
        found = self._session(key)
        now = self._now()
        tracks = {
            name: (track.last_position, [item for item, expiry in track.events if not expiry.is_over(now)])
            for name, track in found.tracks.items()
        }
        session = replace(_bare(found), state=deepcopy(found.state))
        return SessionCopy(session=session, events=list(found.events), tracks=tracks)

    async def write_copy(self, copy: SessionCopy) -> None:
        """See storage.port.CopyStore."""
        session = copy.session
        if self._find(session.key) is not None:
            raise AlreadyExistsError("session", session.key.session_id)
        made = _Conversation(
            session.key, session.create_time, session.update_time, session.expiry, session.display_name
        )
        made.state = deepcopy(dict(session.state))
        made.events, made.last_position = list(copy.events), session.last_position
        for name, (last_position, events) in copy.tracks.items():
            expiries = (self._retention.track_expiry(item.create_time) for item in events)
            made.tracks[name] = _Track(last_position, list(zip(events, expiries, strict=True)))
        self._sessions[session.key] = made


def owner_of(key: SessionKey, tier: Tier) -> SessionKey:
    """Return the key with only what the tier needs."""
    return SessionKey(key.app_name, "" if tier is Tier.APP else key.user_id, "")


def _bare(found: _Conversation) -> Session:
    """Return the session without state."""
    return Session(
        key=found.key,
        create_time=found.create_time,
        update_time=found.update_time,
        event_count=len(found.events),
        last_position=found.last_position,
        display_name=found.display_name,
        expiry=found.expiry,
    )


def _matches(item: SessionEvent, query: EventQuery) -> bool:
    """Whether an event between the query's positions is wanted."""
    is_new = query.since is None or item.event.create_time >= query.since
    return is_new and (not query.user_only or is_user_event(item.event))


def _position(item: SessionEvent) -> int:
    return item.position


def _place(found: _Conversation) -> tuple[str, str]:
    """Where a session is in its user's list. The format of the time sorts as the time does."""
    return found.update_time.astimezone(UTC).isoformat(timespec="microseconds"), found.key.session_id
