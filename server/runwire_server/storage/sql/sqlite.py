"""SQLite: one connection writes at a time (sqlite_writer.py), the loop and a few threads read.

Appends are group-committed: what has come in while a commit was under way goes into the next one. WAL: what was
committed survives a kill -9 of the process; with synchronous=full a power failure, too.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event

from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.sessions import SessionEvent
from runwire_server.storage.sql.append import Prepared
from runwire_server.storage.sql.database import AppendAll
from runwire_server.storage.sql.direct import driver_of, transaction
from runwire_server.storage.sql.failures import failure
from runwire_server.storage.sql.loop_time import LoopTime
from runwire_server.storage.sql.sqlite_writer import ERRORS, Writer, is_busy

T = TypeVar("T")

BUSY_SECONDS = 5.0
_READERS = 3
_WAITING_MAX = 10_000
_WAL_RETRY_SECONDS = 0.02


class _Own(threading.local):
    """What each thread has for itself."""

    connection: Connection | None = None


class SqliteDatabase:
    """One SQLite file."""

    has_one_writer = True

    def __init__(
        self,
        engine: Engine,
        here: Connection,
        append_all: AppendAll,
        *,
        waiting_max: int,
        may_write_here: bool,
    ) -> None:
        """Use `open` instead. `here` is the loop's own connection."""
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._connections = [here]
        self._own = _Own()
        self._own.connection = here
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
        self._is_closing = False
        self._loop_time = LoopTime()
        self._writer = Writer(
            self._connection,
            append_all,
            self._loop_time,
            waiting_max=waiting_max,
            may_write_here=may_write_here,
        )

    @property
    def commit_count(self) -> int:
        """How many transactions have written."""
        return self._writer.commit_count

    @classmethod
    async def open(
        cls,
        path: Path,
        append_all: AppendAll,
        *,
        synchronous: str = "normal",
        busy_seconds: float = BUSY_SECONDS,
        waiting_max: int = _WAITING_MAX,
    ) -> Self:
        """Open the file, whose tables are there.

        A write waits for other processes up to `busy_seconds`. More than `waiting_max` writes at once are refused.
        """
        make = partial(make_engine, path, busy_seconds=busy_seconds, synchronous=synchronous)
        engine = await asyncio.to_thread(make, begin=None, connections=_READERS + 2)
        here = await asyncio.to_thread(_connect_impatiently, engine)
        may_write_here = synchronous in {"normal", "off"}
        return cls(engine, here, append_all, waiting_max=waiting_max, may_write_here=may_write_here)

    async def read(self, work: Callable[[Connection], T], *, is_short: bool = False) -> T:
        """See Database. What is short is in memory, mostly, and costs less than handing it to a thread."""
        if self._is_closing:
            raise UnavailableError("the store is closed")
        if is_short and not self._loop_time.is_scarce:
            try:
                with self._loop_time.spent():
                    return self._read_here(work)
            except ERRORS as error:
                # Busy: another process died, and its log is being read. The thread waits for that.
                if not is_busy(error):
                    raise failure(error) from error
        return await self._loop.run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._read_here(work)
        except ERRORS as error:
            raise failure(error) from error

    def _read_here(self, work: Callable[[Connection], T]) -> T:
        connection = self._connection()
        with transaction(connection, "BEGIN"):
            return work(connection)

    def _connection(self) -> Connection:
        """Return the calling thread's own connection."""
        connection = self._own.connection
        if connection is None:
            connection = self._own.connection = self._engine.connect()
            self._connections.append(connection)
        return connection

    async def write(self, work: Callable[[Connection], T], *, is_short: bool = False) -> T:
        """See Database."""
        return cast(T, await self._writer.write(work, is_short=is_short))

    async def append(self, write: Prepared) -> SessionEvent | None:
        """See Database."""
        return cast("SessionEvent | None", await self._writer.write(write, is_short=True))

    async def close(self) -> None:
        """See Database."""
        if self._is_closing:
            return
        self._is_closing = True
        await self._writer.close()
        self._readers.shutdown(wait=False)
        await self._loop.run_in_executor(None, self._dispose)

    def _dispose(self) -> None:
        self._writer.join()
        self._readers.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
        self._engine.dispose()


def make_engine(
    path: Path,
    *,
    begin: str | None,
    connections: int,
    busy_seconds: float = BUSY_SECONDS,
    synchronous: str = "normal",
) -> Engine:
    """Return an engine whose transactions begin as said: SQLite's driver would begin them when it thinks best.

    None: whoever has a connection begins and ends its transactions.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": busy_seconds},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        _use_wal(cursor, busy_seconds)
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    if begin is not None:

        @event.listens_for(engine, "begin")
        def do_begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

    return engine


def _connect_impatiently(engine: Engine) -> Connection:
    """Return a connection that does not wait for locks, nor for checkpoints: they are others'."""
    connection = engine.connect()
    driver = cast(sqlite3.Connection, driver_of(connection))
    driver.execute("PRAGMA busy_timeout=0")
    driver.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _use_wal(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Turn the file to WAL, which it then stays.

    SQLite does not wait for locks here, as it does elsewhere: of two processes that start on a new file, one would
    fail.
    """
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_RETRY_SECONDS)
        else:
            return
