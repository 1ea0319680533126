"""Who writes to an SQLite file: the event loop itself when that takes no time, else a thread.

A commit in WAL mode does not wait for the disk, and costs less than handing it to a thread: two threads take the
interpreter's lock from each other some thirty times a transaction, which is a third of what a run costs with it
(docs/performance.md). So the loop does short writes, appends of the same round in one transaction, but not

- when each commit waits for the disk (synchronous=full), or the thread has anything to do;
- when another process is writing: the thread waits for it;
- for a while after one that took long, as on a disk that is overloaded (loop_time.py).
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from runwire_server.domain.errors import UnavailableError
from runwire_server.storage.sql.append import Prepared
from runwire_server.storage.sql.database import AppendAll
from runwire_server.storage.sql.direct import driver_of, transaction
from runwire_server.storage.sql.failures import failure
from runwire_server.storage.sql.loop_time import LoopTime
from runwire_server.storage.sql.talking import Talk

_logger = logging.getLogger(__name__)
ERRORS = (SQLAlchemyError, sqlite3.Error)
_BATCH_MAX = 500
_CLOSE_SECONDS = 10.0
# What one round of the loop may have to write, for how long, and how large an append.
_HERE_MAX = 50
_ROUND_SECONDS = 0.01
_SHORT_CHARS_MAX = 100_000
# Copying what is in the WAL into the file waits for the disk, so the thread does it, after so many commits, or
# characters, of the loop.
_CHECKPOINT_COMMITS = 500
_CHECKPOINT_CHARS = 4_194_304
# So much more the loop may write meanwhile. Then it waits for the thread, or the log would grow without end.
_LOG_FACTOR_MAX = 4
_CHECKPOINT_MILLISECONDS = 100


@dataclass(slots=True, eq=False)
class _Job:
    """A write that waits: an append, or any other work."""

    work: Callable[[Connection], Any] | Prepared
    future: asyncio.Future[Any]
    chars: int


class _Order(Enum):
    """What the thread is to do other than to write."""

    CHECKPOINT = "checkpoint"
    END = "end"


_Done = tuple[_Job, Exception | None, Any]


class _BusyError(Exception):
    """Another connection is writing."""


class Writer:
    """Does all writes, in the order in which they came. `commit_count` counts its transactions.

    `connection` returns one that only the calling thread uses; the loop's does not wait for locks. `may_write_here`:
    commits do not wait for the disk.
    """

    def __init__(
        self,
        connection: Callable[[], Connection],
        append_all: AppendAll,
        loop_time: LoopTime,
        *,
        waiting_max: int,
        may_write_here: bool,
    ) -> None:
        self.commit_count = 0
        self._connection = connection
        self._append_all = append_all
        self._loop_time = loop_time
        self._waiting_max = waiting_max
        self._may_write_here = may_write_here
        self._loop = asyncio.get_running_loop()
        # Those that the loop writes in its next round.
        self._soon: list[_Job] = []
        # Bounded by _waiting_count, but for the two orders.
        self._jobs: queue.SimpleQueue[_Job | _Order] = queue.SimpleQueue()
        self._waiting_count = 0
        # What the loop has written since the last checkpoint, in checkpoints, and whether the next is on its way.
        self._log_share = 0.0
        self._is_ordered = False
        self._closed = asyncio.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._write_jobs, name="sqlite-write", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], Any] | Prepared, *, is_short: bool) -> Any:
        """Write it, and return its result once it is durable. Raises: what it raises; UnavailableError."""
        if self._is_closing:
            raise UnavailableError("the store is closed")
        if self._waiting_count >= self._waiting_max:
            raise UnavailableError(f"more than {self._waiting_max} writes are waiting")
        job = _Job(work, self._loop.create_future(), _chars(work))
        self._waiting_count += 1
        if is_short and self._is_quick(job):
            self._soon.append(job)
            if len(self._soon) == 1:
                self._loop.call_soon(self._write_here)
        else:
            self._hand_over([*self._soon, job])
            self._soon = []
        return await job.future

    def _hand_over(self, jobs: Iterable[_Job]) -> None:
        for job in jobs:
            self._jobs.put(job)

    def _is_quick(self, job: _Job) -> bool:
        """Whether a write in the loop would not wait for the disk, nor keep others waiting."""
        return (
            self._may_write_here
            and len(self._soon) < _HERE_MAX
            and self._log_share < _LOG_FACTOR_MAX
            and job.chars <= _SHORT_CHARS_MAX
            and not self._loop_time.is_scarce
        )

    async def close(self) -> None:
        """Finish the writes that wait. Idempotent. Raises: UnavailableError when that takes too long."""
        if self._is_closing:
            return
        self._is_closing = True
        self._hand_over(self._soon)
        self._soon = []
        self._jobs.put(_Order.END)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._closed.wait()
        except TimeoutError:
            raise UnavailableError(f"the store did not close within {_CLOSE_SECONDS:.0f} seconds") from None

    def join(self) -> None:
        """Wait for the thread's end. To be called elsewhere than in the loop."""
        self._thread.join(_CLOSE_SECONDS)

    # In the loop

    def _write_here(self) -> None:
        if self._waiting_count > len(self._soon):
            return  # the thread comes first, and calls again
        groups, self._soon = _groups(self._soon), []
        until = time.monotonic() + _ROUND_SECONDS
        try:
            while groups and time.monotonic() < until:
                with self._loop_time.spent():
                    done = self._done(groups[0], is_patient=False)
                del groups[0]
                self._log_share += 1 / _CHECKPOINT_COMMITS
                self._log_share += sum(job.chars for job, _, _ in done) / _CHECKPOINT_CHARS
                self._deliver(done)
        except _BusyError:
            pass  # the thread waits until it may write
        finally:
            self._hand_over(chain.from_iterable(groups))
        if self._log_share >= 1 and not self._is_ordered:
            self._is_ordered = True
            self._jobs.put(_Order.CHECKPOINT)

    def _note_checkpoint(self) -> None:
        self._log_share, self._is_ordered = 0.0, False

    def _deliver(self, done: Sequence[_Done]) -> None:
        """Hand results to those who still wait for them."""
        self._waiting_count -= len(done)
        for job, refusal, result in done:
            if job.future.done():
                continue
            if refusal is not None:
                job.future.set_exception(refusal)
            else:
                job.future.set_result(result)
        if self._soon and self._waiting_count == len(self._soon):
            self._write_here()

    # In the thread

    def _write_jobs(self) -> None:
        while True:
            taken = [self._jobs.get()]
            while len(taken) < _BATCH_MAX and not self._jobs.empty():
                taken.append(self._jobs.get())
            for group in _groups([job for job in taken if isinstance(job, _Job)]):
                self._loop.call_soon_threadsafe(self._deliver, self._done(group, is_patient=True))
            if _Order.CHECKPOINT in taken:
                self._checkpoint()
                self._loop.call_soon_threadsafe(self._note_checkpoint)
            if _Order.END in taken:
                break
        self._loop.call_soon_threadsafe(self._closed.set)

    def _checkpoint(self) -> None:
        """Copy what the log has into the file, so that the log begins anew: most of it while others write.

        The rest keeps them waiting, so it has no time to wait for readers.
        """
        try:
            connection = self._connection()
            driver = cast(sqlite3.Connection, driver_of(connection))
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
            driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MILLISECONDS}")
            try:
                driver.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout={patience}")
            # The first commit of a log waits for the disk, so it is this one, which changes nothing.
            (version,) = driver.execute("PRAGMA user_version").fetchone()
            with transaction(connection, "BEGIN IMMEDIATE"):
                driver.execute(f"PRAGMA user_version={version}")
        except Exception as error:  # noqa: BLE001 -- boundary: the writer's thread must outlive it
            _logger.warning("SQLite's log could not be copied into the file: %s", error)

    # In either

    def _done(self, group: Sequence[_Job], *, is_patient: bool) -> list[_Done]:
        """Do writes in one transaction: appends, or a single other one. Raises: _BusyError unless patient."""
        first = group[0].work
        try:
            connection = self._connection()
            with transaction(connection, "BEGIN IMMEDIATE"):
                if isinstance(first, Prepared):
                    answers = self._append_all(connection, [cast(Prepared, job.work) for job in group])
                else:
                    result = first(connection)
            self.commit_count += 1
            if not isinstance(first, Prepared):
                return [(group[0], None, result)]
            return [
                (job, one, None) if isinstance(one, Exception) else (job, None, one)
                for job, one in zip(group, answers, strict=True)
            ]
        except Exception as error:
            if not is_patient and is_busy(error):
                raise _BusyError from error
            is_ours = isinstance(first, Prepared) or isinstance(error, (*ERRORS, StopIteration))
            # One each: an error that several tasks raise would collect the tracebacks of all.
            return [(job, failure(error) if is_ours else error, None) for job in group]


def _chars(work: Callable[[Connection], Any] | Prepared) -> int:
    """Return about how much an append writes."""
    if not isinstance(work, Prepared):
        return 0
    rows = (
        list(work.rows) if isinstance(work, Talk) else [*work.events, *(work.talk.rows if work.talk else ())]
    )
    return sum(len(row["payload"]) for row in rows)


def _groups(jobs: Iterable[_Job]) -> list[list[_Job]]:
    """Return what goes into one transaction each, in order: appends that follow each other, or one other write."""
    groups: list[list[_Job]] = []
    for job in jobs:
        is_append = isinstance(job.work, Prepared)
        if is_append and groups and isinstance(groups[-1][0].work, Prepared):
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def is_busy(error: Exception) -> bool:
    """Whether another connection has what is needed."""
    # What Python's module raises by itself has no code.
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, sqlite3.OperationalError) and code & 0xFF == sqlite3.SQLITE_BUSY
