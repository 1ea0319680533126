"""Several stores behind one: each app's data is in the store that was chosen for it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TypeVar

from runwire_server.domain.errors import InvalidRequestError, RunwireError, UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Run
from runwire_server.domain.state import Tier
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.forwarding import ForwardingStore
from runwire_server.storage.port import Page, Store
from runwire_server.storage.url import StoreUrl, parse_store_url

T = TypeVar("T")
_logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_stores(
    default: str, by_app: Mapping[str, str], open_one: Callable[[str], AbstractAsyncContextManager[Store]]
) -> AsyncGenerator[Store, None]:
    """Open the stores at these URLs, each once, however many apps use it. One URL in all: that store itself.

    Raises: InvalidRequestError (field store), and what `open_one` raises.
    """
    async with AsyncExitStack() as stack:
        opened: dict[StoreUrl, Store] = {}
        for url in (default, *by_app.values()):
            place = parse_store_url(url)
            if place not in opened:
                opened[place] = await stack.enter_async_context(open_one(url))
        first = opened[parse_store_url(default)]
        if len(opened) == 1:
            yield first
        else:
            yield RoutedStore(first, {app: opened[parse_store_url(url)] for app, url in by_app.items()})


class RoutedStore(ForwardingStore):
    """See storage.port.Store. Apps that are not in `by_app` use `default`. Owns all stores: `close` closes each once.

    What concerns a replica concerns every store: leases are kept in all of them, and lists are gathered from all.
    A store that is down does not keep the others from being asked.
    """

    def __init__(self, default: Store, by_app: Mapping[str, Store]) -> None:
        self._default = default
        self._by_app = dict(by_app)
        self._stores = list({id(store): store for store in (default, *by_app.values())}.values())

    @property
    def kind(self) -> str:
        """The kinds of all stores: sqlite+redis."""
        return "+".join(dict.fromkeys(store.kind for store in self._stores))

    def _of(self, app_name: str) -> Store:
        return self._by_app.get(app_name, self._default)

    async def _at_app(self, app_name: str, user_id: str = "") -> Store:
        return self._of(app_name)

    async def _at_session(self, key: SessionKey) -> Store:
        return self._of(key.app_name)

    async def _at_run(self, key: RunKey) -> Store:
        return self._of(key.app_name)

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """See storage.port.LiveStore."""
        await self._of(key.app_name).wait(key, after=after, timeout_seconds=timeout_seconds)

    # All stores

    async def _ask_all(self, ask: Callable[[Store], Awaitable[T]]) -> tuple[list[T], list[Exception]]:
        """Ask every store at once. Return the answers, and why the others gave none."""
        answers: list[T] = []
        failures: list[Exception] = []

        async def ask_one(store: Store) -> None:
            try:
                answers.append(await ask(store))
            except RunwireError as error:
                _logger.warning("the %s store: %s", store.kind, error)
                failures.append(error)

        await asyncio.gather(*(ask_one(store) for store in self._stores))
        return answers, failures

    async def _all(self, ask: Callable[[Store], Awaitable[T]]) -> list[T]:
        """Ask every store, to the last, and raise the first failure then."""
        answers, failures = await self._ask_all(ask)
        if failures:
            raise failures[0]
        return answers

    async def _gathered(
        self,
        ask: Callable[[Store], Awaitable[list[Run]]],
        limit: int,
        time_of: Callable[[Run], datetime] = lambda run: run.create_time,
    ) -> list[Run]:
        """Return the oldest runs of all stores that answer. Raises: UnavailableError when that is none."""
        answers, failures = await self._ask_all(ask)
        found = sorted((run for runs in answers for run in runs), key=time_of)
        if failures and not found:
            raise failures[0]
        return found[:limit]

    async def _counted(self, ask: Callable[[Store, int], Awaitable[int]], limit: int) -> int:
        """Let one store after the other do its part of `limit`."""
        count = 0
        failure: UnavailableError | None = None
        for store in self._stores:
            try:
                count += await ask(store, limit - count) if count < limit else 0
            except UnavailableError as error:
                failure = error
        if failure is not None and not count:
            raise failure
        return count

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """See storage.port.LiveStore."""
        await self._all(lambda store: store.renew_lease(replica, ttl_seconds=ttl_seconds))

    async def release_lease(self, replica: ReplicaId) -> None:
        """See storage.port.LiveStore."""
        await self._all(lambda store: store.release_lease(replica))

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._gathered(lambda store: store.list_orphans(limit=limit), limit)

    async def list_due(self, now: datetime, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._gathered(
            lambda store: store.list_due(now, limit=limit), limit, lambda run: run.due_time or now
        )

    async def list_with_mail(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._gathered(lambda store: store.list_with_mail(owner, limit=limit), limit)

    async def clean_up(self, *, limit: int) -> int:
        """See storage.port.SessionStore."""
        return await self._counted(lambda store, left: store.clean_up(limit=left), limit)

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """See storage.port.RunStore."""
        return await self._counted(
            lambda store, left: store.delete_runs_ended_before(end_time, limit=left), limit
        )

    async def list_owners(self, tier: Tier, *, limit: int, cursor: str | None = None) -> Page[SessionKey]:
        """See storage.port.CopyStore. One store after the other."""
        place, inner = parse_cursor(cursor, int, str) if cursor is not None else (0, "")
        if not 0 <= place < len(self._stores):
            raise InvalidRequestError.of("page_token", "is not a token of this list")
        found: list[SessionKey] = []
        while len(found) < limit:
            left = limit - len(found)
            page = await self._stores[place].list_owners(tier, limit=left, cursor=inner or None)
            found += page.items
            inner = page.next_cursor or ""
            place += not inner
            if place == len(self._stores):
                return Page(tuple(found))
        return Page(tuple(found), make_cursor(place, inner))

    async def check(self) -> None:
        """See storage.port.Store."""
        await self._all(lambda store: store.check())

    async def flush(self) -> None:
        """See storage.port.Store."""
        await self._all(lambda store: store.flush())

    async def close(self) -> None:
        """See storage.port.Store."""
        await self._all(lambda store: store.close())
