"""Statements on the tests' servers that no test is about: from any test, whether a loop is at work in it or not."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mysql+asyncmy",
}
SECONDS = 60.0


class Admin:
    """A loop in a thread of its own. Each call connects anew: servers come and go."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._later: list[Future[Any]] = []

    def run(self, url: str, *statements: str, may_fail: bool = False) -> None:
        """Execute statements, each committed by itself."""
        self.fetch(url, *statements, may_fail=may_fail)

    def fetch(self, url: str, *statements: str, may_fail: bool = False) -> list[Any]:
        """The same, and return the first column of the last one's rows."""
        return self._submit(self._execute(url, statements, may_fail=may_fail)).result(SECONDS)

    def run_later(self, url: str, *statements: str) -> None:
        """The same, but wait for it only in `close`, where it may raise."""
        self._later = [future for future in self._later if not future.done() or future.exception()]
        self._later.append(self._submit(self._execute(url, statements, may_fail=False)))

    def forget_keys(self, url: str, prefix: str) -> None:
        """Remove all keys of Redis that begin so; waited for as by run_later."""
        self._later.append(self._submit(self._forget(url, prefix)))

    def close(self) -> None:
        """Wait for what was put off, and close everything. It opens again by itself."""
        if self._loop is None or self._thread is None:
            return
        try:
            for future in self._later:
                future.result(SECONDS)
        finally:
            self._later.clear()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(SECONDS)
            self._loop.close()
            self._loop = None

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="servers-admin", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _execute(self, url: str, statements: tuple[str, ...], *, may_fail: bool) -> list[Any]:
        rows: list[Any] = []
        parts = urlsplit(url)
        # The query is made of Runwire's options, which drivers do not know.
        address = parts._replace(scheme=_DRIVERS[parts.scheme], query="").geturl()
        engine = create_async_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            for statement in statements:
                try:
                    result = await connection.execute(text(statement))
                    rows = list(result.scalars()) if result.returns_rows else []
                except DBAPIError:
                    if not may_fail:
                        raise
        return rows

    async def _forget(self, url: str, prefix: str) -> None:
        async with Redis.from_url(urlsplit(url)._replace(query="").geturl()) as redis:
            keys = [key async for key in redis.scan_iter(match=f"{prefix}*", count=1000)]
            if keys:
                await redis.unlink(*keys)
