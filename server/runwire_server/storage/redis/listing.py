"""Listing a user's sessions, newest first, out of an index that is only nearly right.

The index has a session at its update time or, when a writer died or was refused between two steps, at another one. So
each entry is checked against its session, and a session is shown only when all that may come before it has been read:
what has not been read yet is not above the last entry that was. An entry at another time is put right; then the next
page, which begins in the index where this one ended, finds the session where it belongs. So pages neither skip nor
repeat a session that nobody writes meanwhile; one that is written moves up, out of the pages to come.
"""

from collections.abc import Sequence

from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import Session
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import to_micros
from runwire_server.storage.redis.sessions import RedisSessions

_CHUNK_MAX = 200
_Place = tuple[int, bytes]


class RedisListing(RedisSessions):
    """The part of the store that lists sessions."""

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """See storage.port.SessionStore."""
        before: _Place | None = None
        high = "+inf"
        if cursor is not None:
            micros, name = parse_cursor(cursor, int, str)
            before, high = (micros, name.encode()), str(micros)
        index = self._site.keys.user_sessions(app_name, user_id)
        found: dict[_Place, Session] = {}
        seen: set[str] = set()
        size = min(limit + 1, _CHUNK_MAX)
        while True:
            _, entries = await self._site.hints(index, high=high, limit=size, newest_first=True)
            fresh = [entry for entry in entries if entry[0] not in seen]
            seen.update(name for name, _ in fresh)
            for session in await self._checked(SessionKey(app_name, user_id, ""), index, fresh):
                place = _place(session)
                if before is None or place < before:
                    found[place] = session
            if len(entries) < size:
                break
            last_name, last_score = entries[-1]
            if sum(place >= (last_score, last_name.encode()) for place in found) > limit:
                break
            if str(last_score) == high:
                size *= 2  # More sessions than fit were written at one moment.
            high = str(last_score)
        shown = sorted(found, reverse=True)
        return _page([found[place] for place in shown], limit)

    async def _checked(
        self, owner: SessionKey, index: str, entries: Sequence[tuple[str, int]]
    ) -> list[Session]:
        """Return the sessions of entries; put entries right that are wrong."""
        keys = [SessionKey(owner.app_name, owner.user_id, name) for name, _ in entries]
        sessions = await self._find_all(keys)
        repairs: list[Call] = []
        for key, (name, score), session in zip(keys, entries, sessions, strict=True):
            if session is None:
                await self._forget(key)
            elif (micros := to_micros(session.update_time)) != score:
                repairs.append(Call(scripts.HINT_MOVE, [index], [name, score, micros]))
        await self._database.in_order(repairs)
        return [session for session in sessions if session is not None]


def _place(session: Session) -> _Place:
    return to_micros(session.update_time), session.key.session_id.encode()


def _page(sessions: Sequence[Session], limit: int) -> Page[Session]:
    last = sessions[limit - 1] if len(sessions) > limit else None
    following = make_cursor(to_micros(last.update_time), last.key.session_id) if last else None
    return Page(tuple(sessions[:limit]), following)
