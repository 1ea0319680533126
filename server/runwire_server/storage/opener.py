"""Choose an adapter by URL. The only module that knows every adapter."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from runwire_server.domain.errors import InvalidRequestError
from runwire_server.storage.port import Store


@asynccontextmanager
async def open_store(
    url: str, *, migrate: bool = True, clock: Callable[[], float] = time.time
) -> AsyncGenerator[Store, None]:
    """Open the store at `url` and close it on exit.

    `memory:`, or `sqlite:PATH` (also sqlite:///PATH and sqlite:////ABSOLUTE, as SQLAlchemy writes them). `clock`
    judges leases. With `migrate` the schema is brought up to date.

    Raises: InvalidRequestError (field store) for a URL that is none; UnavailableError when it cannot be opened, or,
    without `migrate`, when its schema is not the current one.
    """
    store = await _open(url, migrate=migrate, clock=clock)
    try:
        yield store
    finally:
        await store.close()


async def _open(url: str, *, migrate: bool, clock: Callable[[], float]) -> Store:
    scheme, _, rest = url.partition(":")
    match scheme:
        case "memory":
            if rest not in {"", "//"}:
                raise InvalidRequestError.of("store", "memory has no path: memory:")
            from runwire_server.storage.memory import MemoryStore

            return MemoryStore(clock)
        case "sqlite":
            from runwire_server.storage.sql.open_sqlite import open_sqlite

            return await open_sqlite(sqlite_path(rest), may_migrate=migrate, clock=clock)
        case "redis" | "rediss" | "postgresql" | "postgres" | "mysql" | "mariadb":
            raise InvalidRequestError.of("store", f"{scheme} comes with a later version")
        case _:
            raise InvalidRequestError.of(
                "store", f"there is no store for {scheme!r}: use sqlite:PATH or memory:"
            )


async def migrate_store(url: str) -> str:
    """Bring the schema at `url` up to date and return its version; empty for a store without one.

    Raises: as open_store.
    """
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        async with open_store(url):
            return ""
    from runwire_server.storage.sql.open_sqlite import prepare_sqlite

    return await asyncio.to_thread(prepare_sqlite, sqlite_path(rest), may_migrate=True)


def sqlite_path(rest: str) -> Path:
    """Return the path of a URL without its scheme. Raises: InvalidRequestError."""
    path = rest[3:] if rest.startswith("///") else rest
    if not path or path.startswith("//"):
        raise InvalidRequestError.of("store", "sqlite needs a path: sqlite:runwire.db")
    if path == ":memory:":
        raise InvalidRequestError.of("store", "several connections cannot share :memory: - use memory:")
    return Path(path)
