"""What stands in front of a store must not be noticed: `deferred+URL` and `routed+URL` are stores like any other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from runwire_server.storage.deferred import DeferredStore
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store
from runwire_server.storage.routing import RoutedStore

FRONTS = ("deferred", "routed")


@asynccontextmanager
async def open_fronted(url: str, **options: Any) -> AsyncIterator[Store]:
    """Open the store at the URL, with what its prefix puts in front of it."""
    front, _, address = url.partition("+")
    if front not in FRONTS:
        async with open_store(url, **options) as store:
            yield store
        return
    async with open_store(address, **options) as store, open_store("memory:", **options) as beside:
        if front == "routed":
            yield RoutedStore(beside, {"app": store})
            return
        deferred = DeferredStore(store)
        try:
            yield deferred
        finally:
            await deferred.close()
