"""Connect to Redis by URL: one server, a master that Sentinel knows, or a cluster."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from runwire_server.domain.errors import InvalidRequestError
from runwire_server.domain.retention import Retention
from runwire_server.storage.codec import warm_up
from runwire_server.storage.port import Store
from runwire_server.storage.redis.database import Database
from runwire_server.storage.redis.store import RedisStore
from runwire_server.storage.url import StoreOptions, StoreUrl

_Opened = tuple["Redis | RedisCluster", Callable[[], Awaitable[None]]]


async def open_redis(url: StoreUrl, retention: Retention, clock: Callable[[], float] | None) -> Store:
    """Return the store at `url`. Without `clock` expiry goes by this process's time, and leases by the server's.

    Raises: InvalidRequestError (field store) for a URL that makes no sense; UnavailableError when it does not answer.
    """
    await asyncio.to_thread(warm_up)
    client, close_client = _client(url)
    options = url.options
    database = Database(
        client, close_client, pool_size=options.pool_size, command_seconds=options.command_seconds
    )
    store = RedisStore(database, options.key_prefix, retention, clock)
    try:
        await store.check()
    except BaseException:
        await store.close()
        raise
    return store


def _client(url: StoreUrl) -> _Opened:
    if url.scheme.endswith("+sentinel"):
        return _sentinel(url)
    if url.scheme.endswith("+cluster"):
        return _cluster(url)
    host, port = url.host
    client = Redis(
        host=host, port=port, db=_database(url.path), max_connections=url.options.pool_size, **_settings(url)
    )
    return client, client.aclose


def _cluster(url: StoreUrl) -> _Opened:
    if url.path not in {"", "0"}:
        raise _wrong("a cluster has only database 0")
    nodes = [ClusterNode(host, port) for host, port in url.hosts]
    settings = _settings(url)
    client = RedisCluster(startup_nodes=nodes, max_connections=url.options.pool_size, **settings)
    return client, client.aclose


def _sentinel(url: StoreUrl) -> _Opened:
    master, _, database = url.path.partition("/")
    if not master:
        raise _wrong(f"{url.scheme} needs the name of a master: {url.scheme}://HOST:PORT/MASTER/DATABASE")
    settings = _settings(url)
    # The user and password are those of the servers, not of the sentinels.
    asking = {name: value for name, value in settings.items() if name not in {"username", "password"}}
    sentinel = Sentinel(list(url.hosts), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    client = sentinel.master_for(
        master, db=_database(database), max_connections=url.options.pool_size, **settings
    )

    async def close() -> None:
        await client.aclose()
        for one in sentinel.sentinels:
            await one.aclose()

    return client, close


def _settings(url: StoreUrl) -> dict[str, Any]:
    options = url.options
    return {
        "username": url.user or None,
        "password": url.password or None,
        "socket_connect_timeout": options.connect_seconds,
        "socket_timeout": options.command_seconds,
        "decode_responses": True,
        # Whether a script was run is unknown when its answer is lost: the caller decides, not the driver.
        "retry": Retry(NoBackoff(), 0),
        # The driver would read its own version from disk, on the loop, to tell it to the server.
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **_tls(url.scheme, options),
    }


def _tls(scheme: str, options: StoreOptions) -> dict[str, Any]:
    mode = options.ssl or ("verify-full" if scheme.startswith("rediss") else "disable")
    if mode == "disable":
        if scheme.startswith("rediss"):
            raise _wrong("rediss cannot go with ssl=disable")
        return {}
    return {
        "ssl": True,
        "ssl_cert_reqs": ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED,
        "ssl_check_hostname": mode == "verify-full",
        "ssl_ca_certs": options.ssl_ca or None,
        "ssl_certfile": options.ssl_cert or None,
        "ssl_keyfile": options.ssl_key or None,
    }


def _database(path: str) -> int:
    if path and not (path.isascii() and path.isdigit()):
        raise _wrong(f"the database is a number, not {path[:40]!r}")
    return int(path or 0)


def _wrong(description: str) -> InvalidRequestError:
    return InvalidRequestError.of("store", description)
