"""Opens a store in an empty place, and a bare connection to the same place."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.stores.bare import Bare
from runwire_server.domain.retention import Retention
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store
from runwire_server.storage.url import parse_store_url

KINDS = ("sqlite", "redis", "postgres", "mariadb")
DRIVERS = {"sqlite": "", "redis": "redis", "postgres": "asyncpg", "mariadb": "asyncmy"}
# All events stay, so that a long session can be made; trimming is no part of what is measured.
_RETENTION = Retention(event_limit=0)


@asynccontextmanager
async def opened(kind: str) -> AsyncGenerator[tuple[Store, Bare], None]:
    """Yield a store and a bare connection. Servers are private ones that flush what they acknowledge.

    Raises: servers.private.CannotRunError without such a server on this machine.
    """
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="rw-bench-") as folder:
            async with _both(kind, f"sqlite:{Path(folder) / 'runwire.db'}") as both:
                yield both
        return
    from servers.private import SERVERS

    SERVERS[kind].find()
    server = SERVERS[kind](is_durable=True)
    await asyncio.to_thread(server.start)
    try:
        async with _both(kind, await _empty(kind, server.url)) as both:
            yield both
    finally:
        await asyncio.to_thread(server.close)


async def _empty(kind: str, url: str) -> str:
    if kind == "mariadb":
        import asyncmy

        host, port = parse_store_url(f"{url.rpartition('/')[0]}/any").host
        connection: Any = await asyncmy.connect(host=host, port=port, user="root")
        async with connection.cursor() as cursor:
            await cursor.execute("CREATE DATABASE bench")
        connection.close()
        return f"{url}bench"
    return url


@asynccontextmanager
async def _both(kind: str, url: str) -> AsyncGenerator[tuple[Store, Bare], None]:
    async with open_store(url, retention=_RETENTION) as store:
        bare = await _bare(kind, url)
        try:
            yield store, bare
        finally:
            await bare.close()


async def _bare(kind: str, url: str) -> Bare:
    from benchmarks.stores import bare_redis, bare_sql

    parsed = parse_store_url(url)
    match kind:
        case "sqlite":
            return await bare_sql.SqliteBare.open(parsed)
        case "postgres":
            return await bare_sql.PostgresBare.open(parsed)
        case "mariadb":
            return await bare_sql.MariaBare.open(parsed)
        case _:
            return await bare_redis.RedisBare.open(parsed)
