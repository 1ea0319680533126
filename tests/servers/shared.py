"""Servers that all tests of a run share, and an empty place on them for each test.

Whoever needs a server first starts it; all workers of pytest-xdist use the same; the guard ends it with the run.
"""

import asyncio
import fcntl
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from runwire_server.storage.sql.tables import metadata
from servers.private import SERVERS, CannotRunError, PrivateServer

IS_CI = os.environ.get("CI") == "true"
# Every store, in the order of the conformance suite. MySQL proper is asked for with MYSQL=1.
STORES = [
    "memory",
    "sqlite",
    "redis",
    "postgres",
    "mariadb",
    *(["mysql"] if os.environ.get("MYSQL") == "1" else []),
]
_lock = threading.Lock()
_urls: dict[str, str] = {}
# Those that this process started, kept so that nothing of them is collected while they are at work.
_servers: list[PrivateServer] = []


def server_url(kind: str) -> str:
    """Return the URL of the run's server of this kind, started if need be. Skips the test, or fails it in CI."""
    given = os.environ.get(f"RUNWIRE_TEST_{kind.upper()}_URL")
    if given:
        return given
    with _lock:
        if kind not in _urls:
            try:
                SERVERS[kind].find()
            except CannotRunError as error:
                if IS_CI:
                    pytest.fail(f"CI needs {kind}: {error}")
                pytest.skip(str(error))
            _urls[kind] = _started(kind)
    return _urls[kind]


def _started(kind: str) -> str:
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = Path(tempfile.gettempdir()) / f"rw-tests-{os.geteuid()}-{run}"
    folder.mkdir(exist_ok=True)
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = folder / f"{kind}.json"
        if not known.exists():
            server = SERVERS[kind](watched=run)
            server.also_removed = str(folder)
            _servers.append(server.start())
            known.write_text(json.dumps(server.url))
        url: str = json.loads(known.read_text())
        return url


@contextmanager
def fresh_url(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a new place for a store of this kind, without tables."""
    if kind in {"memory", "sqlite"}:
        yield "memory:" if kind == "memory" else f"sqlite:{folder / 'runwire.db'}"
        return
    server = server_url(kind)
    name = f"t{uuid.uuid4().hex[:16]}"
    if kind == "redis":
        yield f"{server}?key_prefix={name}:"
        return
    admin.run(server, f"CREATE DATABASE {name}")
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        force = " WITH (FORCE)" if kind == "postgres" else ""
        admin.run(server, f"DROP DATABASE {name}{force}")


@contextmanager
def empty_url(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty store of this kind. Faster than fresh_url: the tables are made once for all tests."""
    if kind in {"memory", "sqlite", "redis"}:
        with fresh_url(kind, folder) as made:
            yield made
        return
    server = server_url(kind)
    name = f"tests_{os.getpid()}"
    url = f"{server.rpartition('/')[0]}/{name}"
    if url not in _made:
        admin.run(server, f"CREATE DATABASE {name}")
        _made.add(url)
    try:
        yield url
    finally:
        admin.run(url, *(f"DELETE FROM runwire_{table}" for table in metadata.tables), may_fail=True)


class Admin:
    """Runs statements in a thread of its own, whether or not the caller's thread has a loop at work."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="admin")
        self._runner = asyncio.Runner()

    def run(self, url: str, *statements: str, may_fail: bool = False) -> None:
        """Run statements, each for itself."""
        self.fetch(url, *statements, may_fail=may_fail)

    def fetch(self, url: str, *statements: str, may_fail: bool = False) -> list[Any]:
        """Run statements and return the first column of the last one's rows."""
        work = self._run(url, statements, may_fail=may_fail)
        return self._executor.submit(self._runner.run, work).result(60)

    async def _run(self, url: str, statements: Sequence[str], *, may_fail: bool) -> list[Any]:
        rows: list[Any] = []
        driver = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}[url.partition(":")[0]]
        engine = create_async_engine(
            f"{driver}:{url.partition(':')[2]}", isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        async with engine.connect() as connection:
            for statement in statements:
                try:
                    result = await connection.execute(text(statement))
                    rows = list(result.scalars()) if result.returns_rows else []
                except DBAPIError:
                    if not may_fail:
                        raise
        return rows


admin = Admin()
_made: set[str] = set()
