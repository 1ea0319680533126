"""What all parts of the store need: the connection, the names of keys, the clock, the rules of retention."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import Retention
from runwire_server.domain.runs import Run, RunState
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.database import Call, Database
from runwire_server.storage.redis.keys import Index, Keys, names_of, pack, to_micros

# Whoever is at work in several steps finishes them in this time, or has died.
STALE_MICROS = 60_000_000


class Site:
    """See above. `clock` gives seconds since 1970; without it expiry goes by this process's clock."""

    def __init__(
        self, database: Database, prefix: str, retention: Retention, clock: Callable[[], float] | None
    ) -> None:
        self.database = database
        self.keys = Keys(prefix)
        self.retention = retention
        self.has_clock = clock is not None
        self._clock = clock or time.time

    def now(self) -> datetime:
        """Return the store's time."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def now_micros(self) -> int:
        """Return the store's time in microseconds since 1970."""
        return to_micros(self.now())

    def of_session(self, script: scripts.Script, key: SessionKey, *arguments: Any) -> Call:
        """Return a call of a script of a session's slot."""
        return Call(script, [self.keys.session(key)], [self.now_micros(), *arguments])

    # Hints

    def hint(self, index: Index, *names: str) -> Call:
        """Return a call that puts a member into an index, as the newest."""
        return Call(scripts.HINT_ADD, [self.keys.index(index)], [pack(*names)])

    def unhint(self, index: Index, *names: str) -> Call:
        """Return a call that takes a member out of an index, whatever its score."""
        return Call("ZREM", [self.keys.index(index)], [pack(*names)])

    def due(self, expire: datetime | int | None, *names: str) -> list[Call]:
        """Return a call that says that something of these names may have expired then; none for never."""
        if expire is None:
            return []
        micros = expire if isinstance(expire, int) else to_micros(expire)
        return [Call("ZADD", [self.keys.index(Index.DUE)], ["LT", micros, pack(*names)])]

    def waiting(self, run: Run) -> list[Call]:
        """Return a call that says when a run that waits is due; none for a run that does not wait, or for ever."""
        if run.state is not RunState.WAITING or run.due_time is None:
            return []
        return [self.due_run(run, run.due_time)]

    def due_run(self, run: Run, due_time: datetime) -> Call:
        """Return a call that says that a run may be due then."""
        member = pack(*names_of(run.session), run.key.request_id)
        return Call("ZADD", [self.keys.index(Index.WAITING)], ["LT", to_micros(due_time), member])

    def listed(self, key: SessionKey, update: datetime | int) -> list[Call]:
        """Return calls that put a session into its user's list and into the list of all."""
        micros = update if isinstance(update, int) else to_micros(update)
        index = self.keys.user_sessions(key.app_name, key.user_id)
        return [
            Call("ZADD", [index], ["GT", micros, key.session_id]),
            self.hint(Index.SESSIONS, *names_of(key)),
        ]

    def moved(self, key: SessionKey, update: datetime) -> Call:
        """Return a call that moves a session up in its user's list."""
        index = self.keys.user_sessions(key.app_name, key.user_id)
        return Call("ZADD", [index], ["GT", to_micros(update), key.session_id])

    async def hints(
        self,
        key: str,
        *,
        low: str = "-inf",
        high: str = "+inf",
        limit: int,
        offset: int = 0,
        newest_first: bool = False,
    ) -> tuple[int, list[tuple[str, int]]]:
        """Return the server's time in microseconds, and members of an index with their scores."""
        ends = (high, low) if newest_first else (low, high)
        arguments = ["1" if newest_first else "0", *ends, offset, limit]
        time_text, *rows = await self.database.call(Call(scripts.HINT_LIST, [key], arguments))
        return int(time_text), list(zip(rows[::2], (int(float(score)) for score in rows[1::2]), strict=True))

    def drop_hint(self, key: str, member: str, score: int) -> Call:
        """Return a call that takes a member out of an index unless it was put in again."""
        return Call(scripts.HINT_DROP, [key], [member, score])


def pairs(rows: Sequence[Any], width: int) -> list[Sequence[Any]]:
    """Cut a flat answer into rows."""
    return [rows[start : start + width] for start in range(0, len(rows), width)]
