"""Named stores: one store an app, and what all of them are asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from runwire_server.domain.errors import InvalidRequestError, NotFoundError, UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import CancelMode, CancelRequest, Run
from runwire_server.domain.state import Tier
from runwire_server.storage.cursor import make_cursor
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Store
from runwire_server.storage.routing import RoutedStore, open_stores
from unit.storage.deferred_support import ANN, NOW, FlakyStore, add, begun, last_write


class DownStore(FlakyStore):
    """A store that does not answer while it is down."""

    def _answer(self) -> None:
        if self.is_down:
            raise UnavailableError("down")

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """Answer, if it may."""
        self._answer()
        await super().renew_lease(replica, ttl_seconds=ttl_seconds)

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """Answer, if it may."""
        self._answer()
        return await super().list_orphans(limit=limit)

    async def check(self) -> None:
        """Answer, if it may."""
        self._answer()

    async def clean_up(self, *, limit: int) -> int:
        """Answer, if it may."""
        self._answer()
        return await super().clean_up(limit=limit)


@asynccontextmanager
async def opened(*urls: str) -> AsyncIterator[tuple[Store, list[MemoryStore]]]:
    made: list[MemoryStore] = []

    @asynccontextmanager
    async def open_one(url: str) -> AsyncIterator[Store]:
        made.append(MemoryStore())
        yield made[-1]

    default, *others = urls
    apps = {f"app{n}": url for n, url in enumerate(others)}
    async with open_stores(default, apps, open_one) as store:
        yield store, made


@pytest.mark.parametrize(
    ("urls", "count"),
    [
        (["memory:"], 1),
        (["memory:", "memory:", "memory:"], 1),
        (["sqlite:a.db", "sqlite:///a.db"], 1),
        (["sqlite:a.db", "memory:", "sqlite:b.db", "memory:"], 3),
    ],
)
async def test_every_address_is_opened_once_and_one_needs_no_router(urls: list[str], count: int) -> None:
    async with opened(*urls) as (store, made):
        assert len(made) == count
        assert isinstance(store, RoutedStore) is (count > 1)


async def test_a_wrong_address_never_shows_its_password() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        async with opened("memory:", "postgresql://u:secret@host:port/db"):
            pass
    assert "secret" not in str(refused.value)


def routed() -> tuple[RoutedStore, DownStore, DownStore]:
    one, two = DownStore(), DownStore()
    return RoutedStore(one, {"second": two, "third": two}), one, two


async def test_each_app_has_its_store() -> None:
    store, one, two = routed()
    for app in ("first", "second", "third"):
        run = await begun(store, app=app)
        await store.append(last_write(run))
        assert (await store.get_run(RunKey(app, "r"))).last_sequence == 3

    assert sorted(key.app_name for key in one._logs) == ["first"]
    assert sorted(key.app_name for key in two._logs) == ["second", "third"]
    with pytest.raises(NotFoundError):
        await two.get_session(SessionKey("first", "ann", "s"))
    assert store.kind == "memory"


async def test_a_lease_is_kept_everywhere_and_runs_are_gathered_oldest_first() -> None:
    store, one, two = routed()
    await store.renew_lease(ANN, ttl_seconds=60)
    assert ANN in one._leases
    assert ANN in two._leases
    for name, app in (("a", "first"), ("b", "second"), ("c", "third")):
        await begun(store, name, app=app)
    assert await store.list_orphans(limit=9) == []
    cancel = CancelRequest(CancelMode.IMMEDIATE)
    for name, app in (("a", "first"), ("b", "second")):
        await store.request_cancel(RunKey(app, name), cancel, now=NOW, remember_until=NOW)
    wanted = [run.key.request_id for run in await store.list_with_mail(ANN, limit=9)]
    assert sorted(wanted) == ["a", "b"]
    await store.release_lease(ANN)

    assert {run.key.request_id for run in await store.list_orphans(limit=9)} == {"a", "b", "c"}
    assert len(await store.list_orphans(limit=2)) == 2
    await asyncio.gather(store.check(), store.flush(), store.close())
    assert one.is_closed
    assert two.is_closed


async def test_a_store_that_is_down_does_not_keep_the_others_from_being_asked() -> None:
    store, one, two = routed()
    await begun(store, "a", app="second")
    one.is_down = True

    assert [run.key.request_id for run in await store.list_orphans(limit=9)] == ["a"]
    with pytest.raises(UnavailableError):
        await store.renew_lease(ANN, ttl_seconds=60)
    assert ANN in two._leases
    with pytest.raises(UnavailableError):
        await store.list_orphans(limit=9)  # none is left, and one did not say
    with pytest.raises(UnavailableError):
        await store.check()
    with pytest.raises(UnavailableError):
        await store.clean_up(limit=9)


async def test_deleting_keeps_to_its_limit_over_all_stores() -> None:
    store, _, _ = routed()
    for app in ("first", "second"):
        for number in range(3):
            run = await begun(store, f"r{number}", f"s{number}", app=app)
            await store.append(last_write(await add(store, run)))

    counts = [await store.delete_runs_ended_before(NOW + timedelta(1), limit=4) for _ in range(3)]

    assert counts == [4, 2, 0]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
async def test_owners_of_all_stores_come_in_pages(limit: int) -> None:
    store, _, _ = routed()
    for app in ("first", "second", "third"):
        for number in range(2):
            await store.create_session(SessionKey(app, "ann", f"s{number}"), {}, NOW)
    found: list[SessionKey] = []
    cursor = None
    while True:
        page = await store.list_owners(Tier.SESSION, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(found) == [
        SessionKey(app, "ann", f"s{n}") for app in ("first", "second", "third") for n in range(2)
    ]


@pytest.mark.parametrize("cursor", ["?", make_cursor(7, ""), make_cursor(-1, ""), make_cursor(0, "x")])
async def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    store, _, _ = routed()
    with pytest.raises(InvalidRequestError):
        await store.list_owners(Tier.SESSION, limit=1, cursor=cursor)
