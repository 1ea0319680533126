"""SQLite: one thread writes, a few read (notes/performance.md §3).

Appends are group-committed: what has come in while a commit was under way goes into the next one. WAL: what was
committed survives a kill -9 of the process; with synchronous=full a power failure, too.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.sessions import SessionEvent
from runwire_server.storage.sql.append import Answer, Prepared
from runwire_server.storage.sql.database import AppendAll
from runwire_server.storage.sql.direct import transaction
from runwire_server.storage.sql.failures import failure

T = TypeVar("T")

BUSY_SECONDS = 5.0
_READERS = 3
_WAITING_MAX = 10_000
_BATCH_MAX = 500
_CLOSE_SECONDS = 10.0
_WAL_RETRY_SECONDS = 0.02
_ERRORS = (SQLAlchemyError, sqlite3.Error)


@dataclass(slots=True, eq=False)
class _Job:
    """A write that waits: an append, or any other work."""

    work: Callable[[Connection], Any] | Prepared
    future: asyncio.Future[Any]


class _Own(threading.local):
    """What each thread has for itself."""

    connection: Connection | None = None


class SqliteDatabase:
    """One SQLite file. `commit_count` counts the transactions of the writer."""

    has_one_writer = True

    def __init__(self, engine: Engine, append_all: AppendAll, waiting_max: int) -> None:
        """Use `open` instead."""
        self._append_all = append_all
        self.commit_count = 0
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._connections: list[Connection] = []
        self._own = _Own()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
        # Bounded by _waiting_count, so that there is always room for the None that ends the writer.
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting_count = 0
        self._waiting_max = waiting_max
        self._closed = asyncio.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._write_jobs, name="sqlite-write", daemon=True)
        self._thread.start()

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
        engine = await asyncio.to_thread(make, begin=None, connections=_READERS + 1)
        return cls(engine, append_all, waiting_max)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See Database."""
        if self._is_closing:
            raise UnavailableError("the store is closed")
        return await self._loop.run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._transaction("BEGIN") as connection:
                return work(connection)
        except _ERRORS as error:
            raise failure(error) from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        """Begin a transaction on this thread's own connection, and commit or undo it."""
        connection = self._own.connection
        if connection is None:
            connection = self._own.connection = self._engine.connect()
            self._connections.append(connection)
        with transaction(connection, begin):
            yield connection

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See Database."""
        return cast(T, await self._submit(work))

    async def append(self, write: Prepared) -> SessionEvent | None:
        """See Database."""
        return cast("SessionEvent | None", await self._submit(write))

    async def _submit(self, work: Callable[[Connection], Any] | Prepared) -> Any:
        if self._is_closing:
            raise UnavailableError("the store is closed")
        if self._waiting_count >= self._waiting_max:
            raise UnavailableError(f"more than {self._waiting_max} writes are waiting")
        job = _Job(work, self._loop.create_future())
        self._waiting_count += 1
        self._jobs.put(job)
        return await job.future

    # In the writer's thread

    def _write_jobs(self) -> None:
        batch: list[_Job] = []
        while True:
            job = self._jobs.get()
            # Take what waits, but keep the order between appends and other work.
            while job is not None and isinstance(job.work, Prepared):
                batch.append(job)
                if len(batch) >= _BATCH_MAX:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._append_batch(batch)
            if job is None:
                break
            if job not in batch:
                self._do(job)
            batch = []
        self._loop.call_soon_threadsafe(self._closed.set)

    def _append_batch(self, batch: list[_Job]) -> None:
        writes = [cast(Prepared, job.work) for job in batch]
        answers: list[Answer]
        try:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                answers = self._append_all(connection, writes)
            self.commit_count += 1
        except Exception as error:  # noqa: BLE001 -- boundary: the writer's thread must outlive any write
            # One each: an error that several tasks raise would collect the tracebacks of all.
            answers = [failure(error) for _ in batch]
        self._answer(
            [
                (job, answer, None) if isinstance(answer, Exception) else (job, None, answer)
                for job, answer in zip(batch, answers, strict=True)
            ]
        )

    def _do(self, job: _Job) -> None:
        work = cast(Callable[[Connection], Any], job.work)
        try:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                result = work(connection)
            self.commit_count += 1
        except Exception as error:  # noqa: BLE001 -- boundary: see _append_batch
            refusal = failure(error) if isinstance(error, _ERRORS) else error
            self._answer([(job, refusal, None)])
        else:
            self._answer([(job, None, result)])

    def _answer(self, answers: list[tuple[_Job, Exception | None, Any]]) -> None:
        self._loop.call_soon_threadsafe(self._deliver, answers)

    # In the loop's thread again

    def _deliver(self, answers: list[tuple[_Job, Exception | None, Any]]) -> None:
        """Hand results to those who still wait for them."""
        self._waiting_count -= len(answers)
        for job, refusal, result in answers:
            if job.future.done():
                continue
            if refusal is not None:
                job.future.set_exception(refusal)
            else:
                job.future.set_result(result)

    async def close(self) -> None:
        """See Database."""
        if self._is_closing:
            return
        self._is_closing = True
        self._jobs.put(None)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._closed.wait()
        except TimeoutError:
            raise UnavailableError(f"the store did not close within {_CLOSE_SECONDS:.0f} seconds") from None
        self._readers.shutdown(wait=False)
        await self._loop.run_in_executor(None, self._dispose)

    def _dispose(self) -> None:
        self._thread.join(_CLOSE_SECONDS)
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
