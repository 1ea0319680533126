"""What the URL of a database that is a server can say, and what such a server may be like. On real ones."""

import asyncio
import gc
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncmy
import asyncpg
import pytest

from conformance.test_sessions import event
from runwire_server.domain.errors import InvalidRequestError, NoRoomError, UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Run, RunState
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import migrate_store, migration_status, open_store
from runwire_server.storage.port import Store
from servers.secured import CONNECTIONS, DATABASE, PASSWORD, USER, SecuredServer
from servers.shared import STORES, admin, fresh_url, require

KINDS = [kind for kind in STORES if kind in {"postgres", "mariadb", "mysql"}]
NOW = datetime(2026, 11, 1, 1, 59, 59, 999_999, tzinfo=UTC)
KEY = SessionKey("app", "ann", "s")
SETTLE_SECONDS = 10.0


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, on the servers that tests share."""
    with fresh_url(request.param, tmp_path) as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def secured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecuredServer]:
    """A server of its own, see there."""
    require(request.param)
    server = SecuredServer(request.param, tmp_path_factory.mktemp("secured"))
    try:
        server.start()
        yield server
    finally:
        server.process.close()


async def refused(url: str) -> str:
    """Return why the store cannot be opened. It is one line, and nowhere is the password."""
    with pytest.raises(UnavailableError) as caught:
        async with open_store(url):
            pass
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    shown = text + "".join(traceback.format_exception(caught.value))
    assert all(secret not in shown for secret in (PASSWORD, "wr0ng"))
    return text


def run_of(name: str, **fields: Any) -> Run:
    key = RunKey("app", name)
    return Run(key=key, session=KEY, agent_name="a", state=RunState.QUEUED, create_time=NOW, **fields)


@asynccontextmanager
async def working(url: str) -> AsyncIterator[Store]:
    """Open a store, and see that it keeps something."""
    async with open_store(url) as store:
        name = SessionKey("app", "ann", f"s{time.monotonic_ns()}")
        await store.create_session(name, {"user:seen": 1}, NOW)
        assert (await store.append_session_event(name, event(1), NOW)).position == 1
        assert (await store.get_session(name)).event_count == 1
        yield store


def distinct(url: str) -> list[str]:
    """Return options that each name another store in one database."""
    prefixes = ["", "runwire_", "a_", "A_", "order", "sessions"]
    options = [f"table_prefix={prefix}" for prefix in prefixes]
    if url.startswith("postgresql"):
        schemas = ["one", "One", "user", "sessions", "_"]
        options += [f"schema={schema}" for schema in schemas] + ["schema=one&table_prefix=a_"]
    return options


async def test_schemas_and_prefixes_do_not_see_each_other(url: str) -> None:
    for option in distinct(url):
        assert (await migration_status(f"{url}?{option}")).current == "", option
        async with open_store(f"{url}?{option}") as store:
            await store.create_session(KEY, {"app:is": option}, NOW)
            await store.append_session_event(KEY, event(1, id=option), NOW)
            await store.append_track_events(KEY, "t", [option], NOW)
            await store.create_run(run_of("r", fingerprint=option))
            await store.renew_lease(ReplicaId(option), ttl_seconds=60)

    for option in distinct(url):
        async with open_store(f"{url}?{option}&migrate=false") as store:
            assert (await store.get_session(KEY)).state == {"app:is": option}
            found = await store.list_session_events(KEY, EventQuery())
            assert [item.event.id for item in found] == [option]
            assert len(await store.list_track_events(KEY, "t", after=0, limit=9)) == 1
            assert (await store.get_run(RunKey("app", "r"))).fingerprint == option


async def test_without_migrating_a_store_must_be_up_to_date(url: str) -> None:
    for option in ("", "&table_prefix=b_", *(["&schema=two"] if url.startswith("postgresql") else [])):
        chosen = f"{url}?migrate=false{option}"

        assert await refused(chosen) == "the store's schema is not up to date: run `runwire migrate`"
        assert (await migration_status(chosen)).current == ""
        await migrate_store(chosen)
        async with working(chosen):
            pass


async def test_a_database_must_be_named() -> None:
    for scheme in ("mysql", "mariadb"):
        with pytest.raises(InvalidRequestError, match="needs a database"):
            async with open_store(f"{scheme}://u@127.0.0.1:1/"):
                pass


async def test_a_small_pool_serves_many_at_once(url: str) -> None:
    async with open_store(f"{url}?pool_size=2") as store:
        await store.create_session(KEY, {}, NOW)

        async def work(number: int) -> None:
            match number % 4:
                case 0:
                    await store.append_session_event(KEY, event(number), NOW)
                case 1:
                    await store.update_state(KEY, Tier.SESSION, {f"k{number}": number}, NOW)
                case 2:
                    await store.get_or_create_session(SessionKey("app", "bob", f"s{number}"), {}, NOW)
                case _:
                    await store.list_session_events(KEY, EventQuery())

        await asyncio.gather(*(work(number) for number in range(100)))

        count = admin.fetch(
            url,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'runwire' "
            "AND datname = current_database()"
            if url.startswith("postgresql")
            else "SELECT count(*) - 1 FROM information_schema.processlist WHERE db = DATABASE()",
        )
        assert count[0] <= 2
        session = await store.get_session(KEY)
        assert (session.event_count, len(session.state)) == (25, 25)
        assert len((await store.list_sessions("app", "bob", limit=99)).items) == 25


async def test_sockets(secured: SecuredServer) -> None:
    # A server that is elsewhere proves that the socket is used.
    scheme, port = secured.url().partition(":")[0], secured.process.port
    user = "postgres" if secured.kind == "postgres" else "root"
    place = f"{user}@nowhere.invalid:{port}" if secured.kind == "postgres" else f"{user}@nowhere.invalid:1"
    async with working(f"{scheme}://{place}/{DATABASE}?host={secured.socket}&table_prefix=socket_"):
        pass

    text = await refused(f"{scheme}://{place}/{DATABASE}?host=/nowhere/s&connect_seconds=1")
    assert "/nowhere/s" in text


async def test_tls(secured: SecuredServer) -> None:
    ca, other = secured.folder / "ca.pem", secured.folder / "other.pem"
    for options in (
        {"ssl": "require"},
        {"ssl": "require", "ssl_ca": ca},
        {"ssl": "verify-ca", "ssl_ca": ca},
        {"ssl": "verify-full", "ssl_ca": ca, "host": "localhost"},
        {"ssl_ca": ca, "ssl": "verify-full", "host": "localhost", "connect_seconds": 2},
    ):
        async with working(secured.url(**options)):
            pass

    for options in (
        {"ssl": "require", "ssl_ca": other},
        {"ssl": "verify-ca", "ssl_ca": other},
        {"ssl": "verify-ca"},
        {"ssl": "verify-full", "ssl_ca": ca},
        {"ssl": "verify-full", "ssl_ca": other, "host": "localhost"},
    ):
        assert "certificate verify failed" in await refused(secured.url(**options)), options
    # This user may not come without.
    await refused(secured.url(ssl="disable"))
    with pytest.raises(InvalidRequestError, match="files of TLS"):
        async with open_store(secured.url(ssl="verify-ca", ssl_ca=secured.folder / "none.pem")):
            pass


@pytest.mark.parametrize("url", [kind for kind in KINDS if kind != "mysql"], indirect=True)
async def test_tls_is_not_left_out_when_the_server_has_none(url: str) -> None:
    """MySQL always has TLS."""
    for mode in ("require", "verify-ca", "verify-full"):
        await refused(f"{url}?ssl={mode}")


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # asyncmy leaves a refused socket open
async def test_a_wrong_password_and_an_unknown_database(secured: SecuredServer) -> None:
    assert USER in await refused(secured.url(password="wr0ng"))
    assert "unknown_one" in await refused(secured.url().replace(f"/{DATABASE}?", "/unknown_one?"))
    gc.collect()


async def test_time_zones_of_the_server_and_of_a_session_change_no_time(secured: SecuredServer) -> None:
    later = NOW + timedelta(microseconds=1)
    run = RunKey("app", "zones")
    async with open_store(secured.url(table_prefix="zones_")) as store:
        await store.create_session(KEY, {}, NOW, ttl=timedelta(days=36500))
        await store.append_session_event(KEY, event(1, create_time=NOW), later)
        await store.append_track_events(KEY, "t", ["x"], later)
        await store.create_run(run_of("zones"))
        await store.claim_run(run, ReplicaId("me"), attempt=0, now=later)
        await store.renew_lease(ReplicaId("me"), ttl_seconds=60)

        session = await store.get_session(KEY)
        assert (session.create_time, session.update_time) == (NOW, later)
        assert session.expiry.time == later + timedelta(days=36500)
        assert (await store.list_session_events(KEY, EventQuery()))[0].event.create_time == NOW
        assert (await store.list_track_events(KEY, "t", after=0, limit=1))[0].create_time == later
        found = await store.get_run(run)
        assert (found.create_time, found.start_time) == (NOW, later)
        assert await store.list_orphans(limit=9) == []
        until = admin.fetch(secured.admin_url, "SELECT expire_time FROM zones_leases")[0]
        assert abs(until / 1e6 - time.time() - 60) < 5


async def test_a_server_that_may_only_be_read(secured: SecuredServer) -> None:
    address = secured.url(table_prefix="reading_")
    async with open_store(address) as store:
        await store.create_session(KEY, {"a": 1}, NOW)
        secured.set_read_only(is_on=True)
        try:
            await eventually_refused(store)
            results = await asyncio.gather(
                *(store.append_session_event(KEY, event(n, id=f"refused{n}"), NOW) for n in range(5)),
                store.update_state(KEY, Tier.SESSION, {"b": 1}, NOW),
                store.renew_lease(ReplicaId("me"), ttl_seconds=60),
                store.delete_session(KEY),
                return_exceptions=True,
            )
            assert [type(result) for result in results] == [UnavailableError] * 8
            assert (await store.get_session(KEY)).state["a"] == 1
            assert (await store.list_sessions("app", "ann", limit=9)).items
            await store.check()
            # One that starts now can read, too: nothing has to be migrated.
            async with open_store(address) as another:
                assert (await another.get_session(KEY)).state["a"] == 1
        finally:
            secured.set_read_only(is_on=False)
        await eventually_written(store)
        found = await store.list_session_events(KEY, EventQuery())
        assert not [item for item in found if item.event.id.startswith("refused")]


async def eventually_refused(store: Store) -> None:
    """Write until it is refused: a server takes a moment to change."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        try:
            await store.update_state(KEY, Tier.SESSION, {"tries": time.monotonic()}, NOW)
        except UnavailableError:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("writes are not refused")


async def eventually_written(store: Store) -> None:
    """Write until that works."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            await store.append_session_event(KEY, event(1, id="written"), NOW)
        except UnavailableError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            return


async def taken_connections(secured: SecuredServer) -> list[Any]:
    """Take all the connections that the server has for users like this one."""
    taken: list[Any] = []
    place: dict[str, Any] = {"host": "127.0.0.1", "port": secured.process.port, "user": USER}
    while len(taken) <= CONNECTIONS:
        try:
            if secured.kind == "postgres":
                made = asyncpg.connect(**place, password=PASSWORD, database=DATABASE, ssl="require")
            else:
                made = asyncmy.connect(
                    **place, password=PASSWORD.encode(), db=DATABASE, ssl={"verify_mode": False}
                )
            taken.append(await made)
        except (asyncpg.PostgresError, asyncmy.errors.OperationalError):
            return taken
    raise AssertionError("the server has no bound")


async def test_all_connections_are_taken(secured: SecuredServer) -> None:
    async with open_store(secured.url(table_prefix="crowded_", pool_size=5, connect_seconds=2)) as store:
        await store.create_session(KEY, {}, NOW)
        taken = await taken_connections(secured)
        try:

            async def write(number: int) -> None:
                await store.update_state(KEY, Tier.SESSION, {f"k{number}": number}, NOW)

            # The store has a connection or two; those who want another one are told.
            results = await asyncio.gather(*(write(n) for n in range(20)), return_exceptions=True)
            assert {type(result) for result in results} <= {type(None), NoRoomError}
            assert NoRoomError in {type(result) for result in results}
            why = (await refused(secured.url(table_prefix="crowded_"))).lower()
            assert "too many" in why or "slots" in why
        finally:
            for one in taken:
                one.terminate() if secured.kind == "postgres" else one.close()
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            results = await asyncio.gather(*(write(n) for n in range(20)), return_exceptions=True)
            if not any(results):
                break
            assert time.monotonic() < deadline, results
            await asyncio.sleep(0.05)
        assert len((await store.get_session(KEY)).state) == 20
