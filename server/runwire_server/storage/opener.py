"""Choose an adapter by URL. The only module that knows every adapter."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from runwire_server.domain.errors import InvalidRequestError
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Retention
from runwire_server.storage.port import Store
from runwire_server.storage.schema import MigrationStatus
from runwire_server.storage.url import StoreUrl, parse_store_url

# The extra of the distribution that brings a module that a store needs.
_SQL_KINDS = {"sqlite", "postgresql", "mysql"}
_EXTRAS = {"redis": "redis", "asyncpg": "postgres", "asyncmy": "mysql", "greenlet": "postgres"}


@asynccontextmanager
async def open_store(
    url: str,
    *,
    retention: Retention | None = None,
    migrate: bool = True,
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Store, None]:
    """Open the store at `url` (see storage.url) and close it on exit.

    `clock`, in seconds since 1970, judges what has expired, and leases; without it leases are judged by the clock of
    the database that replicas share. The schema is brought up to date unless `migrate` or the URL's option says no.

    Raises: InvalidRequestError (field store) for a URL that is none; UnavailableError when it cannot be opened, or,
    without `migrate`, when its schema is not the current one.
    """
    parsed = parse_store_url(url)
    if not migrate:
        parsed = replace(parsed, options=replace(parsed.options, migrate=False))
    store = await _open(parsed, retention or Retention(), clock)
    try:
        yield store
    finally:
        await store.close()


async def _open(url: StoreUrl, retention: Retention, clock: Callable[[], float] | None) -> Store:
    try:
        match url.kind:
            case "memory":
                from runwire_server.storage.memory.store import MemoryStore

                return MemoryStore(retention, clock or time.time)
            case "redis":
                from runwire_server.storage.redis.open_redis import open_redis

                return await open_redis(url, retention, clock)
            case _:
                from runwire_server.storage.sql.open_sql import open_sql

                return await open_sql(url, retention, clock)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise InvalidRequestError.of(
            "store",
            f"{url.scheme} needs {error.name}, which is not installed: pip install 'runwire[{extra}]'",
        ) from error


async def migrate_store(url: str) -> str:
    """Bring the schema at `url` up to date and return its version; empty for a store without one.

    Raises: as open_store.
    """
    parsed = parse_store_url(url)
    if parsed.kind not in _SQL_KINDS:
        return ""
    from runwire_server.storage.sql.migrate import migrate
    from runwire_server.storage.sql.open_sql import prepare

    version: str = await prepare(parsed, migrate)
    return version


async def migration_status(url: str) -> MigrationStatus:
    """Return how far the schema at `url` is; all empty for a store without one. Raises: as open_store."""
    parsed = parse_store_url(url)
    if parsed.kind not in _SQL_KINDS:
        return MigrationStatus("", "", ())
    from runwire_server.storage.sql.open_sql import read_status

    return await read_status(parsed)
