"""Sessions: making, reading, listing, changing, deleting and restoring them."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError, RunwireError
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Expiry
from runwire_server.domain.sessions import Session, SessionChange, SessionCopy
from runwire_server.domain.state import Tier, merge_state, merged_view, split_delta
from runwire_server.storage.codec import encode_value
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import Index, names_of, pack, span_micros, to_micros
from runwire_server.storage.redis.records import event_words, expiry_words, session_of, time_word
from runwire_server.storage.redis.site import Site
from runwire_server.storage.redis.tiers import OWNED, Conflicts, Tiers, Turns, outbox_entry


class RedisSessions:
    """The part of the store that is about sessions themselves."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._database = site.database
        self._tiers = Tiers(site)
        self._turns = Turns()

    # Making

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
        session, is_new = await self.get_or_create_session(
            key, state, now, ttl=ttl, display_name=display_name
        )
        if not is_new:
            raise AlreadyExistsError("session", key.session_id)
        return session

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
        if (found := await self._find(key)) is not None:
            return found, False
        parts = split_delta(state)
        session = Session(
            key=key,
            create_time=now,
            update_time=now,
            state=merge_state({}, parts.get(Tier.SESSION, {})),
            display_name=display_name,
            expiry=self._site.retention.session_expiry(ttl, now),
        )
        is_new, fields = await self._make(SessionCopy(session=session), outbox_entry(parts, now))
        return await self._shown(key, fields), is_new

    async def _make(self, copy: SessionCopy, outbox: str) -> tuple[bool, Sequence[str]]:
        """Write a session and its events; return whether this call did, and the fields of the one that is there.

        The indexes are written before the session, and once more after it: somebody who sees no session for an entry
        takes the entry out (see _forget), and may have done so in between. DIRTY stays when this process dies.
        """
        session, site = copy.session, self._site
        key = session.key
        hints = [
            site.hint(Index.DIRTY, *names_of(key)),
            *site.listed(key, session.update_time),
            *site.due(session.expiry.time, Tier.SESSION.value, *names_of(key)),
            *self._due_tracks(copy),
        ]
        make = site.of_session(
            scripts.SESSION_CREATE,
            key,
            pack(*names_of(key)),
            to_micros(session.create_time),
            to_micros(session.update_time),
            *expiry_words(session.expiry),
            session.display_name,
            encode_value(session.state),
            secrets.token_hex(8),
            session.last_position,
            outbox,
            *self._copied(copy),
        )
        answers = await self._database.in_order(hints, [make], site.listed(key, session.update_time))
        is_new, fields = answers[len(hints)]
        if outbox and is_new:
            await self._tiers.deliver_all(key)
        await self._is_clean(key, answers[0])
        return bool(is_new), fields

    async def _is_clean(self, key: SessionKey, score: str) -> None:
        """Say that all is written that was begun when the session was put among the DIRTY with that score."""
        index = self._site.keys.index(Index.DIRTY)
        with suppress(RunwireError):  # The sweep finds out, too.
            await self._database.call(self._site.drop_hint(index, pack(*names_of(key)), int(score)))

    def _due_tracks(self, copy: SessionCopy) -> list[Call]:
        times = [item.create_time for _, events in copy.tracks.values() for item in events]
        expire = self._site.retention.track_expiry(min(times)).time if times else None
        return self._site.due(expire, Tier.SESSION.value, *names_of(copy.session.key))

    def _copied(self, copy: SessionCopy) -> list[Any]:
        words: list[Any] = [len(copy.events)]
        for item in copy.events:
            words += [item.position, *event_words(item.event)]
        words.append(len(copy.tracks))
        for name, (last_position, events) in copy.tracks.items():
            words += [name, last_position, len(events)]
            for event in events:
                expire = self._site.retention.track_expiry(event.create_time).time
                words += [event.position, to_micros(event.create_time), time_word(expire), event.payload]
        return words

    # Reading

    async def get_session(self, key: SessionKey) -> Session:
        """See storage.port.SessionStore."""
        if (found := await self._find(key)) is None:
            raise NotFoundError("session", key.session_id)
        return found

    async def _find(self, key: SessionKey) -> Session | None:
        return (await self._find_all([key]))[0]

    async def _find_all(self, keys: Sequence[SessionKey]) -> list[Session | None]:
        """Return sessions of one user with their merged state, None for each that is not there.

        What their outboxes have belongs to the state: it is delivered first.
        """
        if not keys:
            return []
        while True:
            tiers = [self._tiers.read_call(keys[0], tier) for tier in OWNED]
            reads = [self._site.of_session(scripts.SESSION_READ, key) for key in keys]
            *owned, answers = _split(await self._database.in_order([*tiers, *reads]))
            waiting = [(key, answer[0]) for key, answer in zip(keys, answers, strict=True) if answer[0]]
            if not waiting:
                break
            for key, outbox in waiting:
                await self._tiers.deliver(key, outbox)
        return [
            self._merged(key, answer[1], owned) if len(answer) > 1 else None
            for key, answer in zip(keys, answers, strict=True)
        ]

    async def _shown(self, key: SessionKey, fields: Sequence[str]) -> Session:
        owned = await self._database.in_order([self._tiers.read_call(key, tier) for tier in OWNED])
        return self._merged(key, fields, owned)

    def _merged(self, key: SessionKey, fields: Sequence[str], owned: Sequence[Any]) -> Session:
        session = session_of(key, fields)
        app, user = (self._tiers.document_of(answer).state for answer in owned)
        return replace(session, state=merged_view(app, user, session.state))

    # Changing

    async def update_session(self, key: SessionKey, change: SessionChange, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        expiry = None if change.expiry is None else change.expiry.renewed(now)
        due = [] if expiry is None else self._site.due(expiry.time, Tier.SESSION.value, *names_of(key))
        update = self._site.of_session(
            scripts.SESSION_UPDATE,
            key,
            to_micros(now),
            "0" if change.display_name is None else "1",
            change.display_name or "",
            "0" if expiry is None else "1",
            *expiry_words(expiry or Expiry()),
        )
        # A session that does not exist gets into no list: what is dead in one is taken out by who reads it.
        moved = self._site.moved(key, now)
        answers = await self._database.in_order([*due, moved], [update], [moved])
        outbox, *fields = answers[len(due) + 1]
        await self._tiers.deliver(key, outbox)
        if not fields:
            await self._forget(key)
            raise NotFoundError("session", key.session_id)
        return await self._shown(key, fields[0])

    async def delete_session(self, key: SessionKey, *, purge: bool = False) -> bool:
        """See storage.port.SessionStore."""
        site = self._site
        kept = span_micros(site.retention.deleted_ttl)
        due = (
            []
            if purge or not kept
            else site.due(site.now_micros() + kept, Tier.SESSION.value, *names_of(key))
        )
        delete = site.of_session(scripts.SESSION_DELETE, key, "1" if purge else "0", kept)
        answers = await self._database.in_order(due, [delete])
        await self._forget(key)
        return bool(answers[-1])

    async def restore_session(self, key: SessionKey, now: datetime) -> Session:
        """See storage.port.SessionStore."""
        site = self._site
        kept = span_micros(site.retention.deleted_ttl)
        restore = site.of_session(scripts.SESSION_RESTORE, key, to_micros(now), kept)
        dirty = site.hint(Index.DIRTY, *names_of(key))
        score, answer = await self._database.in_order([dirty], [restore])
        if answer[0] == 1:
            session = session_of(key, answer[1])
            due = site.due(session.expiry.time, Tier.SESSION.value, *names_of(key))
            await self._database.in_order([*site.listed(key, session.update_time), *due])
        await self._is_clean(key, score)
        if answer[0] == -1:
            raise AlreadyExistsError("session", key.session_id)
        if answer[0] == 0:
            raise NotFoundError("session", key.session_id)
        return await self._shown(key, answer[1])

    async def _forget(self, key: SessionKey) -> None:
        """Take a session out of the lists, and put it in again when there is one after all.

        Whoever makes one meanwhile writes the lists after it: either that comes after the removal here, or the
        session is seen here.
        """
        site = self._site
        lists = [
            Call("ZREM", [site.keys.user_sessions(key.app_name, key.user_id)], [key.session_id]),
            site.unhint(Index.SESSIONS, *names_of(key)),
        ]
        *_, answer = await self._database.in_order(lists, [site.of_session(scripts.SESSION_READ, key)])
        if len(answer) > 1:
            session = session_of(key, answer[1])
            due = site.due(session.expiry.time, Tier.SESSION.value, *names_of(key))
            await self._database.in_order([*site.listed(key, session.update_time), *due])

    # State

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, Any]:
        """See storage.port.StateStore."""
        if tier is not Tier.SESSION:
            return (await self._tiers.read(key, tier)).state
        return dict((await self._own_state(key))[0])

    async def _own_state(self, key: SessionKey) -> tuple[JsonObject, str]:
        """Return a session's own state and its version. Raises: NotFoundError."""
        answer = await self._database.call(self._site.of_session(scripts.SESSION_READ, key))
        await self._tiers.deliver(key, answer[0])
        if len(answer) == 1:
            raise NotFoundError("session", key.session_id)
        return session_of(key, answer[1]).state, answer[1][6]

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, Any]:
        """See storage.port.StateStore."""
        if tier is not Tier.SESSION:
            return await self._tiers.merge(key, tier, delta, now)
        async with self._turns.of(self._site.keys.session(key)):
            conflicts = Conflicts(self._database.command_seconds)
            while True:
                state, version = await self._own_state(key)
                merged = merge_state(state, delta)
                write = self._site.of_session(
                    scripts.SESSION_STATE,
                    key,
                    to_micros(now),
                    version,
                    encode_value(merged),
                    secrets.token_hex(8),
                )
                moved = self._site.moved(key, now)
                _, answer, _ = await self._database.in_order([moved], [write], [moved])
                if answer == 1:
                    return merged
                if answer == -1:
                    await self._forget(key)
                    raise NotFoundError("session", key.session_id)
                await conflicts.again()


def _split(answers: Sequence[Any]) -> list[Any]:
    """Return the answers for the tiers each, and all others in one."""
    return [*answers[: len(OWNED)], answers[len(OWNED) :]]
