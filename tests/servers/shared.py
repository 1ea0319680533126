"""Servers that all tests of a run share, and an empty place on them for each test.

Whoever needs a server first starts it; all workers of pytest-xdist use the same; it ends with the run.
"""

import fcntl
import json
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runwire_server.storage.sql.tables import metadata
from servers.admin import Admin
from servers.private import SERVERS, CannotRunError, PrivateServer
from servers.process import owner

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
admin = Admin()
_lock = threading.Lock()
_urls: dict[str, str] = {}
# Those that this process started.
_servers: list[PrivateServer] = []
# The databases that this process made for empty_url, by server.
_made: dict[str, str] = {}


def server_url(kind: str) -> str:
    """Return the URL of the run's server of this kind, started if need be. Skips the test, or fails it in CI.

    RUNWIRE_TEST_<KIND>_URL names a server to use instead.
    """
    if given := os.environ.get(f"RUNWIRE_TEST_{kind.upper()}_URL"):
        return given
    with _lock:
        if kind not in _urls:
            require(kind)
            _urls[kind] = _started(kind)
    return _urls[kind]


def require(kind: str) -> None:
    """Skip the test when this machine has no such server; fail it in CI."""
    try:
        SERVERS[kind].find()
    except CannotRunError as error:
        if IS_CI:
            pytest.fail(f"CI needs {kind}: {error}")
        pytest.skip(str(error))


def _started(kind: str) -> str:
    run, name = owner()
    folder = Path(tempfile.gettempdir()) / f"rw-tests-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = folder / f"{kind}.json"
        if not known.exists():
            with ExitStack() as failing:
                server = SERVERS[kind](watched=run)
                failing.callback(server.close)
                server.also_removed = [str(folder)]
                known.write_text(json.dumps(server.start().url))
                failing.pop_all()
            _servers.append(server)
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
        query = urlsplit(server).query
        yield f"{server}{'&' if query else '?'}key_prefix={name}:"
        admin.forget_keys(server, f"{name}:")
        return
    admin.run(server, _create(server, name))
    try:
        yield _at(server, name)
    finally:
        # Nobody waits for it: it takes longer than to make one.
        admin.run_later(server, _drop(server, name))


@contextmanager
def empty_url(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty store of this kind. Faster than fresh_url: the tables are made once for all tests."""
    if kind in {"memory", "sqlite", "redis"}:
        with fresh_url(kind, folder) as made:
            yield made
        return
    server = server_url(kind)
    if server not in _made:
        name = f"tests_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        admin.run(server, _create(server, name))
        _made[server] = name
    url = _at(server, _made[server])
    try:
        yield url
    finally:
        admin.run(url, *(f"DELETE FROM runwire_{table}" for table in metadata.tables), may_fail=True)


def end_shared() -> None:
    """Leave nothing on servers that were given to us, and end those that are this process's alone."""
    for server, name in _made.items():
        admin.run_later(server, _drop(server, name))
    _made.clear()
    admin.close()
    # Those that a worker started serve the others until the run is over; then their guards end them.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        for private in _servers:
            private.close()
            for path in private.also_removed:
                shutil.rmtree(path, ignore_errors=True)
        _servers.clear()
        _urls.clear()


def _at(server: str, name: str) -> str:
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def _create(server: str, name: str) -> str:
    return f"CREATE DATABASE {name}" + ("" if _is_postgres(server) else " CHARACTER SET utf8mb4")


def _drop(server: str, name: str) -> str:
    return f"DROP DATABASE IF EXISTS {name}" + (" WITH (FORCE)" if _is_postgres(server) else "")


def _is_postgres(server: str) -> bool:
    return server.startswith("postgres")
