"""The events and the tracks of sessions, and whole sessions to be copied."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.runs import busy_session
from runwire_server.domain.sessions import EventQuery, SessionCopy, SessionEvent, TrackEvent
from runwire_server.domain.state import Tier, merge_state, split_delta
from runwire_server.storage.codec import decode_run, encode_value
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.keys import Index, names_of, to_micros, unpack
from runwire_server.storage.redis.listing import RedisListing
from runwire_server.storage.redis.records import (
    event_words,
    session_event_of,
    session_of,
    time_word,
    track_event_of,
)
from runwire_server.storage.redis.site import STALE_MICROS, pairs
from runwire_server.storage.redis.tiers import INDEX_OF, Conflicts, outbox_entry


class RedisConversation(RedisListing):
    """The part of the store that is about what sessions contain."""

    # Events

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """See storage.port.SessionEventStore."""
        parts = split_delta(event.state_delta or {})
        own = parts.get(Tier.SESSION)
        if own is None:
            return await self._append_changing(key, event, now, parts)
        async with self._turns.of(self._site.keys.session(key)):
            return await self._append_changing(key, event, now, parts)

    async def _append_changing(
        self, key: SessionKey, event: Event, now: datetime, parts: Mapping[Tier, JsonObject]
    ) -> SessionEvent:
        own = parts.get(Tier.SESSION)
        entry = outbox_entry(parts, now)
        words = event_words(event)
        conflicts = Conflicts(self._database.command_seconds)
        while True:
            change = ["0", "", "", ""]
            if own is not None:
                state, version = await self._own_state(key)
                change = ["1", version, encode_value(merge_state(state, own)), secrets.token_hex(8)]
            limit = self._site.retention.event_limit
            answer = await self._append_event(
                key, now, [to_micros(now), limit, *change, entry, *words], entry
            )
            match answer[0]:
                case "ok":
                    return SessionEvent(int(answer[1]), event)
                case "known":
                    return session_event_of(*answer[1:])
                case "missing":
                    await self._forget(key)
                    raise NotFoundError("session", key.session_id)
            await conflicts.again()

    async def _append_event(
        self, key: SessionKey, now: datetime, arguments: Sequence[Any], entry: str
    ) -> list[str]:
        dirty = [self._site.hint(Index.DIRTY, *names_of(key))] if entry else []
        moved = self._site.moved(key, now)
        append = self._site.of_session(scripts.SESSION_APPEND, key, *arguments)
        answers = await self._database.in_order([*dirty, moved], [append], [moved])
        if entry:
            await self._tiers.deliver_all(key)
            await self._is_clean(key, answers[0])
        found: list[str] = answers[-2]
        return found

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """See storage.port.SessionEventStore."""
        if query.limit <= 0:
            await self._own_state(key)
            return []
        read = self._site.of_session(
            scripts.SESSION_EVENTS,
            key,
            query.after,
            "" if query.before is None else query.before,
            time_word(query.since),
            "1" if query.user_only else "0",
            "1" if query.newest_first else "0",
            query.limit,
        )
        is_there, *rows = await self._database.call(read)
        if not is_there:
            raise NotFoundError("session", key.session_id)
        return [session_event_of(*row) for row in pairs(rows, 4)]

    async def find_session_event(self, key: SessionKey, event_id: str) -> SessionEvent | None:
        """See storage.port.SessionEventStore."""
        find = self._site.of_session(scripts.SESSION_FIND, key, event_id)
        is_there, *found = await self._database.call(find)
        if not is_there:
            raise NotFoundError("session", key.session_id)
        return session_event_of(*found) if found else None

    async def truncate_session(self, key: SessionKey, *, after: int, now: datetime) -> int:
        """See storage.port.SessionEventStore."""
        moved = self._site.moved(key, now)
        cut = self._site.of_session(scripts.SESSION_TRUNCATE, key, to_micros(now), after)
        answers = await self._database.in_order([moved], [cut], [moved])
        count, *busy = answers[1]
        if count == -1:
            await self._forget(key)
            raise NotFoundError("session", key.session_id)
        if busy:
            raise busy_session(decode_run(busy[0]).key)
        return int(count)

    # Tracks

    async def append_track_events(
        self, key: SessionKey, track: str, payloads: Sequence[str], now: datetime
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        expire = self._site.retention.track_expiry(now).time
        due = self._site.due(expire, Tier.SESSION.value, *names_of(key))
        moved = self._site.moved(key, now)
        append = self._site.of_session(
            scripts.TRACK_APPEND, key, to_micros(now), track, time_word(expire), *payloads
        )
        answers = await self._database.in_order([*due, moved], [append], [moved])
        if (before := answers[-2]) is None:
            await self._forget(key)
            raise NotFoundError("session", key.session_id)
        return [TrackEvent(place, now, text) for place, text in enumerate(payloads, int(before) + 1)]

    async def list_track_events(
        self, key: SessionKey, track: str, *, after: int, limit: int
    ) -> list[TrackEvent]:
        """See storage.port.TrackStore."""
        read = self._site.of_session(scripts.TRACK_LIST, key, track, after, max(limit, 0))
        is_there, *rows = await self._database.call(read)
        if not is_there:
            raise NotFoundError("session", key.session_id)
        return [track_event_of(*row) for row in pairs(rows, 3)]

    # Copies

    async def list_owners(self, tier: Tier, *, limit: int, cursor: str | None = None) -> Page[SessionKey]:
        """See storage.port.CopyStore. In the order in which they came into the index."""
        index = self._site.keys.index(INDEX_OF.get(tier, Index.SESSIONS))
        after = 0 if cursor is None else parse_cursor(cursor, int)[0]
        found: list[tuple[SessionKey, int]] = []
        while len(found) <= limit:
            time, entries = await self._site.hints(index, low=f"({after}", limit=limit + 1)
            for member, score in entries:
                key = SessionKey(*[*unpack(member), "", ""][:3])
                if await self._has_something(key, tier):
                    found.append((key, score))
                elif score < time - STALE_MICROS:
                    await self._database.call(self._site.drop_hint(index, member, score))
            if len(entries) <= limit:
                break
            after = entries[-1][1]
        following = make_cursor(found[limit - 1][1]) if len(found) > limit else None
        return Page(tuple(key for key, _ in found[:limit]), following)

    async def _has_something(self, key: SessionKey, tier: Tier) -> bool:
        if tier is Tier.SESSION:
            return len(await self._database.call(self._site.of_session(scripts.SESSION_READ, key))) > 1
        return bool((await self._tiers.read(key, tier)).state)

    async def read_copy(self, key: SessionKey) -> SessionCopy:
        """See storage.port.CopyStore."""
        outbox, *found = await self._database.call(self._site.of_session(scripts.SESSION_COPY, key))
        await self._tiers.deliver(key, outbox)
        if not found:
            raise NotFoundError("session", key.session_id)
        fields, events, tracks = found
        return SessionCopy(
            session=session_of(key, fields),
            events=[session_event_of(*row) for row in pairs(events, 4)],
            tracks={
                name: (int(last_position), [track_event_of(*row) for row in pairs(rows, 3)])
                for name, last_position, *rows in tracks
            },
        )

    async def write_copy(self, copy: SessionCopy) -> None:
        """See storage.port.CopyStore."""
        is_new, _ = await self._make(copy, "")
        if not is_new:
            raise AlreadyExistsError("session", copy.session.key.session_id)
