"""The SQL databases through their bare drivers: sqlite3 in a thread, asyncpg, asyncmy."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from benchmarks.stores.sample import APP
from benchmarks.stores.statements import Statements
from runwire_server.domain.ids import SessionKey
from runwire_server.storage.port import Append
from runwire_server.storage.sql.append import prepare
from runwire_server.storage.url import StoreUrl

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
# As ours: the statement that advances a run has the columns of changing_columns in this order.
_RUN_COLUMNS = ("state", "owner", "attempt", "last_sequence", "end_time", "record")


@dataclass(frozen=True, slots=True)
class SqlBatch:
    """The rows of a batch, in the order of the columns of `Statements`."""

    runs: Rows
    run_events: Rows
    sessions: Rows
    session_events: Rows
    request_ids: list[str]
    users: dict[str, list[str]]


class SqlBare:
    """What the three have in common: which row an append goes to, and its values."""

    ways: Sequence[str] = ("writes", "all")
    statements: Statements

    def __init__(self) -> None:
        self._run_ids: dict[str, int] = {}
        self._session_ids: dict[str, int] = {}

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        raise NotImplementedError

    async def learn(self, appends: Sequence[Append]) -> None:
        """See Bare."""
        for append in appends:
            run = append.run
            for ids, statement, name in (
                (self._run_ids, self.statements.run_id, run.key.request_id),
                (self._session_ids, self.statements.session_id, run.session.session_id),
            ):
                if name not in ids:
                    ids[name] = (await self.fetch(statement, APP, name))[0][0]

    def encoded(self, appends: Sequence[Append]) -> SqlBatch:
        """See Bare. The values are those that the store itself makes."""
        batch = SqlBatch([], [], [], [], [], {})
        for append in appends:
            made = prepare(append)
            assert made.talk is not None
            run, session = append.run, append.run.session
            run_id, session_id = self._run_ids[run.key.request_id], self._session_ids[session.session_id]
            batch.runs.append((*(made.run[name] for name in _RUN_COLUMNS), run_id))
            batch.request_ids.append(run.key.request_id)
            batch.users.setdefault(session.user_id, []).append(session.session_id)
            for row in made.events:
                values = (row["sequence"], row["kind"], row["payload"], row["envelope"])
                batch.run_events.append((run_id, *values))
            last = append.after
            for row in made.talk.rows:
                last += 1
                batch.session_events.append(
                    (
                        *(session_id, last, row["event_id"], row["create_time"], row["is_user"]),
                        *(row["kind"], row["payload"], row["envelope"]),
                    )
                )
            update_time = batch.session_events[-1][3]
            batch.sessions.append((last, 0, last, update_time, None, session_id))
        return batch

    async def newest(self, session: SessionKey, limit: int) -> list[tuple[int, str, str, str]]:
        """See Bare."""
        return await self.fetch(self.statements.newest, APP, session.user_id, session.session_id, limit)

    async def ping(self) -> None:
        """See Bare."""
        await self.fetch("SELECT 1")


class SqliteBare(SqlBare):
    """The stdlib's sqlite3, in one thread, with the settings of the store's writer."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.statements = Statements("", lambda _: "?", lock="")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bare-sqlite")
        self._path = path
        self._connection: sqlite3.Connection

    @classmethod
    async def open(cls, url: StoreUrl) -> Self:
        """Connect."""
        made = cls(url.path)
        await made._in_thread(made._connect)
        return made

    def _connect(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=normal")

    async def _in_thread(self, work: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)

    def version(self) -> str:
        """See Bare."""
        return sqlite3.sqlite_version

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        """See SqlBare."""
        return await self._in_thread(lambda: self._connection.execute(statement, values).fetchall())

    async def write(self, batch: SqlBatch, way: str) -> None:
        """See Bare."""
        await self._in_thread(self._write, batch, way)

    def _write(self, batch: SqlBatch, way: str) -> None:
        db, made = self._connection, self.statements
        db.execute("BEGIN IMMEDIATE")
        if way == "all":
            db.execute(made.lock_runs(len(batch.request_ids)), (APP, *batch.request_ids)).fetchall()
        db.executemany(made.update_runs, batch.runs)
        db.executemany(made.insert_run_events, batch.run_events)
        if way == "all":
            for user, names in batch.users.items():
                db.execute(made.lock_sessions(len(names)), (APP, user, *names)).fetchall()
        db.executemany(made.insert_session_events, batch.session_events)
        db.executemany(made.update_sessions, batch.sessions)
        db.execute("COMMIT")

    async def close(self) -> None:
        """See Bare."""
        await self._in_thread(self._connection.close)
        self._thread.shutdown()


class PostgresBare(SqlBare):
    """asyncpg."""

    ways: Sequence[str] = ("writes", "all", "bulk")

    def __init__(self, connection: Any, prefix: str) -> None:
        super().__init__()
        self.statements = Statements(prefix, lambda place: f"${place}")
        self._db = connection

    @classmethod
    async def open(cls, url: StoreUrl) -> Self:
        """Connect."""
        import asyncpg  # type: ignore[import-untyped]

        host, port = url.host
        db = await asyncpg.connect(host=host, port=port, user=url.user, database=url.path)
        return cls(db, url.options.table_prefix)

    def version(self) -> str:
        """See Bare."""
        return ".".join(str(part) for part in self._db.get_server_version()[:2])

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        """See SqlBare."""
        return list(await self._db.fetch(statement, *values))

    async def write(self, batch: SqlBatch, way: str) -> None:
        """See Bare. bulk: one statement for all rows of a table."""
        db, made = self._db, self.statements
        async with db.transaction():
            if way == "bulk":
                for statement, rows in (
                    (made.bulk_update_runs, batch.runs),
                    (made.bulk_insert_run_events, batch.run_events),
                    (made.bulk_insert_session_events, batch.session_events),
                    (made.bulk_update_sessions, batch.sessions),
                ):
                    await db.execute(statement, *(list(column) for column in zip(*rows, strict=True)))
                return
            if way == "all":
                names = batch.request_ids
                await db.fetch(made.lock_runs(len(names)), APP, *names)
            await db.executemany(made.update_runs, batch.runs)
            await db.executemany(made.insert_run_events, batch.run_events)
            if way == "all":
                for user, names in batch.users.items():
                    await db.fetch(made.lock_sessions(len(names)), APP, user, *names)
            await db.executemany(made.insert_session_events, batch.session_events)
            await db.executemany(made.update_sessions, batch.sessions)

    async def close(self) -> None:
        """See Bare."""
        await self._db.close()


class MariaBare(SqlBare):
    """asyncmy. Its executemany makes one statement of an INSERT, and as many round trips as rows of an UPDATE."""

    ways: Sequence[str] = ("writes", "all", "bulk")

    def __init__(self, connection: Any, prefix: str) -> None:
        super().__init__()
        self.statements = Statements(prefix, lambda _: "%s")
        self._db = connection

    @classmethod
    async def open(cls, url: StoreUrl) -> Self:
        """Connect."""
        import asyncmy

        host, port = url.host
        db = await asyncmy.connect(host=host, port=port, user=url.user, db=url.path, charset="utf8mb4")
        async with db.cursor() as cursor:
            await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            await cursor.execute("SET autocommit = 1")
        return cls(db, url.options.table_prefix)

    def version(self) -> str:
        """See Bare."""
        return str(self._db.get_server_info())

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        """See SqlBare."""
        async with self._db.cursor() as cursor:
            await cursor.execute(statement, values)
            return list(await cursor.fetchall())

    async def write(self, batch: SqlBatch, way: str) -> None:
        """See Bare. bulk: one statement for all rows of a table."""
        made = self.statements
        await self._db.begin()
        async with self._db.cursor() as cursor:
            if way == "all":
                names = batch.request_ids
                await cursor.execute(made.lock_runs(len(names)), (APP, *names))
            await self._update(cursor, made.update_runs, made.join_runs, batch.runs, way)
            await cursor.executemany(made.insert_run_events, batch.run_events)
            if way == "all":
                for user, names in batch.users.items():
                    await cursor.execute(made.lock_sessions(len(names)), (APP, user, *names))
            await cursor.executemany(made.insert_session_events, batch.session_events)
            await self._update(cursor, made.update_sessions, made.join_sessions, batch.sessions, way)
        await self._db.commit()

    @staticmethod
    async def _update(cursor: Any, one: str, many: Callable[[int], str], rows: Rows, way: str) -> None:
        if way == "bulk":
            await cursor.execute(many(len(rows)), tuple(value for row in rows for value in row))
        else:
            await cursor.executemany(one, rows)

    async def close(self) -> None:
        """See Bare."""
        self._db.close()
