"""Databases that are servers: PostgreSQL through asyncpg, MySQL and MariaDB through asyncmy."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from runwire_server.domain.errors import RunwireError, UnavailableError
from runwire_server.domain.sessions import SessionEvent
from runwire_server.storage.group_commit import GroupCommit
from runwire_server.storage.sql.append import Answer, Prepared
from runwire_server.storage.sql.database import AppendAll
from runwire_server.storage.sql.failures import failure, is_failure, is_refusal, lost_connection, was_undone

T = TypeVar("T")
_TRIES = 10
_CLOSE_SECONDS = 10.0


class ServerDatabase:
    """See sql.database.Database. `seconds` bounds each try of a transaction, with getting a connection."""

    has_one_writer = False

    def __init__(self, engine: AsyncEngine, append_all: AppendAll, seconds: float) -> None:
        self._engine = engine
        # A read is one statement, mostly: no BEGIN and COMMIT around it. MySQL begins without being told; there,
        # switching this on and off would be what takes two more round trips.
        is_mysql = engine.dialect.name in {"mysql", "mariadb"}
        self._reading = engine if is_mysql else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._append_all = append_all
        self._seconds = seconds
        self._appends: GroupCommit[Prepared, SessionEvent | None] = GroupCommit(self._append_batch)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    async def read(self, work: Callable[[Connection], T], *, is_short: bool = False) -> T:
        """See Database."""
        return await self._finish(self._read(work))

    async def write(self, work: Callable[[Connection], T], *, is_short: bool = False) -> T:
        """See Database."""
        return await self._finish(self._transaction(work))

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Let work go on to its end when the caller is cancelled: in mid-work a connection is good for nothing."""
        if self._is_closing:
            work.close()
            raise UnavailableError("the store is closed")
        task = asyncio.create_task(work, name="sql")  # noqa: TID251 -- close awaits it
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        # Whoever waited may be gone; then nobody else looks at what went wrong.
        if not task.cancelled():
            task.exception()

    async def append(self, write: Prepared) -> SessionEvent | None:
        """See Database."""
        return await self._appends.submit(write)

    async def _append_batch(self, writes: Sequence[Prepared]) -> Sequence[Answer]:
        try:
            return await self._transaction(lambda connection: self._append_all(connection, writes))
        except UnavailableError as error:
            # One row that somebody else keeps locked, say, is no reason to refuse the others.
            if len(writes) == 1 or not is_refusal(error.__cause__):
                raise
        answers: list[Answer] = []
        for write in writes:
            try:
                answers += await self._append_batch([write])
            except UnavailableError as error:
                answers.append(error)
        return answers

    async def _read(self, work: Callable[[Connection], T]) -> T:
        for is_last in (False, True):
            try:
                # The time is for all of it: a server that stands still may do so while it is connected to.
                async with asyncio.timeout(self._seconds), self._reading.connect() as connection:
                    return await connection.run_sync(work)
            except Exception as error:
                if not is_failure(error):
                    raise
                # A server that was started again leaves connections that are found dead when they are used.
                if is_last or not lost_connection(error):
                    raise failure(error) from error
        raise AssertionError("unreachable")

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        tries = 0
        while True:
            tries += 1
            attempt = _Attempt()
            try:
                async with asyncio.timeout(self._seconds), self._engine.connect() as connection:
                    return await attempt.run(connection, work)
            except Exception as error:
                if not is_failure(error):
                    raise
                # Nothing of it is in the database, for sure: do it again.
                is_cut = lost_connection(error) and not attempt.is_committing and tries == 1
                if not (was_undone(error) or is_cut) or tries >= _TRIES:
                    raise failure(error) from error
                if tries > 1:
                    await asyncio.sleep(0.005 * 2 ** min(tries, 6))

    async def close(self) -> None:
        """See Database."""
        if self._is_closing:
            return
        self._is_closing = True
        await self._appends.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
        await self._engine.dispose()


class _Attempt:
    """One try of a transaction. `is_committing`: from here on nobody knows whether a failure has undone it."""

    def __init__(self) -> None:
        self.is_committing = False

    async def run(self, connection: AsyncConnection, work: Callable[[Connection], T]) -> T:
        try:
            result = await connection.run_sync(work)
        except RunwireError:
            await connection.rollback()
            raise
        self.is_committing = True
        await connection.commit()
        return result
