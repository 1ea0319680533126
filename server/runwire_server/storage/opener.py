"""Choose an adapter by URL. The only module that knows every adapter."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

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
            from runwire_server.storage.memory import MemoryStore

            return MemoryStore(clock)
        case _:
            raise InvalidRequestError.of("store", f"there is no store for {scheme!r}: use sqlite:PATH or memory:")
