"""The statements of an append as the store's SQL is, in each driver's own style of parameters."""

from collections.abc import Callable, Sequence
from functools import lru_cache

_RUN_EVENTS = ("run", "sequence", "kind", "payload", "envelope")
_SESSION_EVENTS = (
    *("session", "position", "event_id", "create_time", "is_user"),
    *("kind", "payload", "envelope"),
)
_RUNS = ("state", "owner", "attempt", "last_sequence", "end_time", "record")
_SESSIONS = ("last_position", "last_user_position", "event_count", "update_time", "expire_time")
_LOCKED = (
    *("id", "app_name", "user_id", "session_id", "last_position", "last_user_position"),
    *("event_count", "update_time", "ttl", "expire_time"),
)
_TYPES = dict.fromkeys(("is_user", "attempt"), "int") | dict.fromkeys(
    (
        *("run", "sequence", "session", "position", "create_time", "last_sequence", "end_time", "ordinal"),
        *("last_position", "last_user_position", "event_count", "update_time", "expire_time", "id"),
    ),
    "bigint",
)


class Statements:
    """`mark` makes the nth parameter, from 1."""

    def __init__(self, prefix: str, mark: Callable[[int], str], *, lock: str = " FOR UPDATE") -> None:
        self._prefix, self._mark, self._lock = prefix, mark, lock
        p = prefix
        self.run_id = f"SELECT ordinal FROM {p}runs WHERE app_name = {mark(1)} AND request_id = {mark(2)}"
        self.session_id = (
            f"SELECT id FROM {p}sessions WHERE app_name = {mark(1)} AND session_id = {mark(2)} AND live = 1"
        )
        self.insert_run_events = self._insert("run_events", _RUN_EVENTS)
        self.insert_session_events = self._insert("session_events", _SESSION_EVENTS)
        self.update_runs = self._update("runs", _RUNS, "ordinal")
        self.update_sessions = self._update("sessions", _SESSIONS, "id")
        self.newest = (
            f"SELECT e.position, e.kind, e.payload, e.envelope FROM {p}session_events e "
            f"JOIN {p}sessions s ON s.id = e.session WHERE s.app_name = {mark(1)} AND s.user_id = {mark(2)} "
            f"AND s.session_id = {mark(3)} AND s.live = 1 ORDER BY e.position DESC LIMIT {mark(4)}"
        )
        self.lock_runs = lru_cache(1000)(self._lock_runs)
        self.lock_sessions = lru_cache(1000)(self._lock_sessions)
        self.join_runs = lru_cache(1000)(lambda count: self._join("runs", _RUNS, "ordinal", count))
        self.join_sessions = lru_cache(1000)(lambda count: self._join("sessions", _SESSIONS, "id", count))
        self.bulk_insert_run_events = self._bulk_insert("run_events", _RUN_EVENTS)
        self.bulk_insert_session_events = self._bulk_insert("session_events", _SESSION_EVENTS)
        self.bulk_update_runs = self._bulk_update("runs", _RUNS, "ordinal")
        self.bulk_update_sessions = self._bulk_update("sessions", _SESSIONS, "id")

    def _marks(self, start: int, count: int) -> str:
        return ", ".join(self._mark(place) for place in range(start, start + count))

    def _insert(self, table: str, columns: Sequence[str]) -> str:
        values = self._marks(1, len(columns))
        return f"INSERT INTO {self._prefix}{table} ({', '.join(columns)}) VALUES ({values})"

    def _update(self, table: str, columns: Sequence[str], key: str) -> str:
        sets = ", ".join(f"{name} = {self._mark(place)}" for place, name in enumerate(columns, 1))
        return f"UPDATE {self._prefix}{table} SET {sets} WHERE {key} = {self._mark(len(columns) + 1)}"

    def _lock_runs(self, count: int) -> str:
        return (
            f"SELECT ordinal, request_id, attempt, last_sequence, state FROM {self._prefix}runs WHERE "
            f"app_name = {self._mark(1)} AND request_id IN ({self._marks(2, count)}) ORDER BY request_id{self._lock}"
        )

    def _lock_sessions(self, count: int) -> str:
        return (
            f"SELECT {', '.join(_LOCKED)} FROM {self._prefix}sessions WHERE app_name = {self._mark(1)} AND "
            f"user_id = {self._mark(2)} AND session_id IN ({self._marks(3, count)}) AND live = 1 "
            f"ORDER BY session_id{self._lock}"
        )

    # One statement for all rows: PostgreSQL's arrays, MariaDB's derived table

    def _unnest(self, columns: Sequence[str]) -> str:
        typed = (f"{self._mark(n)}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(columns, 1))
        return f"unnest({', '.join(typed)})"

    def _bulk_insert(self, table: str, columns: Sequence[str]) -> str:
        names = ", ".join(columns)
        return f"INSERT INTO {self._prefix}{table} ({names}) SELECT * FROM {self._unnest(columns)}"

    def _bulk_update(self, table: str, columns: Sequence[str], key: str) -> str:
        names = ", ".join((*columns, key))
        sets = ", ".join(f"{name} = new.{name}" for name in columns)
        return (
            f"UPDATE {self._prefix}{table} AS old SET {sets} FROM {self._unnest((*columns, key))} AS new({names}) "
            f"WHERE old.{key} = new.{key}"
        )

    def _join(self, table: str, columns: Sequence[str], key: str, count: int) -> str:
        every = (*columns, key)
        first = "SELECT " + ", ".join(f"{self._mark(0)} AS {name}" for name in every)
        others = f" UNION ALL SELECT {self._marks(0, len(every))}" * (count - 1)
        sets = ", ".join(f"old.{name} = new.{name}" for name in columns)
        table = f"{self._prefix}{table} AS old"
        return f"UPDATE {table} JOIN ({first}{others}) AS new ON old.{key} = new.{key} SET {sets}"
