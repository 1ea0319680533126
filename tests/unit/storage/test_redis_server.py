"""Redis: what its servers do. Scripts that are flushed, large sessions, restarts, no room, no answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from conformance.conftest import NOW
from conformance.test_runs import SESSION, claimed, later, make_run, write
from conformance.test_sessions import event
from runwire_server.domain.errors import (
    InvalidRequestError,
    NoRoomError,
    RunwireError,
    UnavailableError,
)
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import Retention
from runwire_server.domain.sessions import EventQuery, Session, SessionCopy, SessionEvent
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store
from runwire_server.storage.redis.store import RedisStore
from servers.private import CannotRunError, RedisServer
from servers.shared import IS_CI

MANY = 10_000


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of this test's own."""
    try:
        RedisServer.find()
    except CannotRunError as error:
        (pytest.fail if IS_CI else pytest.skip)(str(error))
    made = RedisServer(is_durable=True)
    with made:
        yield made


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[Store]:
    """A store on it that does not wait long."""
    url = f"{server.url}?command_seconds=0.5&connect_seconds=0.5&pool_size=4"
    async with open_store(url, clock=NOW.timestamp) as opened:
        yield opened


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    """Another client of the server."""
    async with Redis.from_url(server.url) as made:
        yield made


async def test_scripts_that_were_flushed_are_sent_again(store: Store, client: Redis) -> None:
    run = await claimed(store)
    await client.script_flush()
    await asyncio.gather(
        store.append(write(run, None, state_delta={"s": 1, "user:u": 1})), store.get_run(run.key)
    )
    await client.script_flush()

    assert (await store.get_session(SESSION)).state == {"s": 1, "user:u": 1}
    assert len(await store.list_run_events(run.key, after=0, limit=9)) == 1


async def test_ten_thousand_events(server: RedisServer) -> None:
    prefix = f"{server.url}?key_prefix="
    async with open_store(f"{prefix}a:", clock=NOW.timestamp, retention=Retention(event_limit=0)) as store:
        events = [SessionEvent(n, event(n)) for n in range(1, MANY + 1)]
        session = Session(key=SESSION, create_time=NOW, update_time=NOW, last_position=MANY)
        await store.write_copy(SessionCopy(session=session, events=events))
        run, _ = await store.create_run(make_run())
        run = await store.claim_run(run.key, run.owner, attempt=0, now=NOW) or run
        step = write(run, *[None] * MANY, session_events=tuple(event(n) for n in range(MANY, 2 * MANY)))
        await store.append(step)

        found = await store.list_session_events(SESSION, EventQuery(limit=3 * MANY))
        assert [item.position for item in found] == list(range(1, 2 * MANY + 1))
        assert len(await store.list_run_events(run.key, after=0, limit=2 * MANY)) == MANY
        assert (await store.read_copy(SESSION)).events == found
        tracks = await store.append_track_events(SESSION, "t", ["{}"] * MANY, NOW)
        assert await store.list_track_events(SESSION, "t", after=0, limit=2 * MANY) == tracks
    async with open_store(f"{prefix}a:", clock=NOW.timestamp, retention=Retention(event_limit=5)) as store:
        await store.append_session_event(SESSION, event(0), NOW)
        kept = await store.list_session_events(SESSION, EventQuery())
        assert [item.position for item in kept] == list(range(2 * MANY - 3, 2 * MANY + 2))


async def test_it_comes_back_after_a_restart_with_all_that_was_acknowledged(
    server: RedisServer, store: Store
) -> None:
    run = await claimed(store)
    await store.append(write(run, None))

    await asyncio.to_thread(server.kill)
    for work in (store.get_run(run.key), store.append(write(run, None, after=1)), store.check()):
        with pytest.raises(UnavailableError) as caught:
            await work
        assert caught.value.__cause__ is not None
    await asyncio.to_thread(server.start)

    assert (await store.get_run(run.key)).last_sequence == 1
    assert len(await store.list_run_events(run.key, after=0, limit=9)) == 1


async def test_a_server_that_does_not_answer_is_unavailable_in_time(
    server: RedisServer, store: Store
) -> None:
    run = await claimed(store)
    server.pause()
    try:
        async with asyncio.timeout(3):
            results = await asyncio.gather(
                *(store.get_run(run.key) for _ in range(8)),
                store.append(write(run, None)),
                return_exceptions=True,
            )
    finally:
        server.resume()
    assert all(isinstance(result, UnavailableError | NoRoomError) for result in results)

    assert (await store.get_run(run.key)).key == run.key


async def test_no_room_and_no_connection_are_limits(store: Store, client: Redis) -> None:
    run = await claimed(store)
    await client.config_set("maxmemory", "1")
    for work in (
        store.append(write(run, None)),
        store.create_session(SessionKey("app", "ann", "s2"), {}, NOW),
        store.update_state(SESSION, Tier.SESSION, {"a": 1}, NOW),
    ):
        with pytest.raises(NoRoomError):
            await work
    await client.config_set("maxmemory", "0")
    await store.append(write(run, None))


async def test_a_replica_and_a_server_that_loads_are_unavailable(store: Store, client: Redis) -> None:
    run = await claimed(store)
    await client.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(UnavailableError):
        await store.append(write(run, None))
    await client.execute_command("REPLICAOF", "NO", "ONE")

    assert (await store.get_run(run.key)).last_sequence == 0


async def test_more_callers_than_connections_take_turns(server: RedisServer) -> None:
    async with open_store(f"{server.url}?pool_size=2", clock=NOW.timestamp) as store:
        await store.create_session(SESSION, {}, NOW)

        await asyncio.gather(*(store.get_session(SESSION) for _ in range(200)))


async def test_a_session_with_an_end_leaves_nothing_behind(server: RedisServer, client: Redis) -> None:
    async with open_store(server.url, clock=NOW.timestamp) as store:
        await store.create_session(SESSION, {}, NOW, ttl=timedelta(seconds=30))
        await store.append_session_event(SESSION, event(1), NOW)
        await store.append_track_events(SESSION, "t", ["{}"], NOW)
        assert isinstance(store, RedisStore)
        root = store._site.keys.session(SESSION)
        generation = [key async for key in client.scan_iter(f"{root}:g:*")]
        times = [await client.pttl(key) for key in generation]
        assert len(generation) == 6
        assert all(85_000 < left <= 90_000 for left in times)
    async with open_store(server.url, clock=later(31).timestamp) as store:
        assert await store.clean_up(limit=10) == 1
        assert [key async for key in client.scan_iter("*s:*")] == []
        assert await client.keys("*") == []


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/x",
        "redis+sentinel://127.0.0.1:1",
        "redis+cluster://127.0.0.1:1/3",
        "rediss://127.0.0.1:1/?ssl=disable",
    ],
)
async def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        async with open_store(url):
            pass


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel", "redis+cluster"])
async def test_nobody_there_is_unavailable(scheme: str) -> None:
    path = "/mine/0" if "sentinel" in scheme else ""
    with pytest.raises(RunwireError) as caught:
        async with open_store(f"{scheme}://127.0.0.1:1{path}?connect_seconds=0.5"):
            pass
    assert isinstance(caught.value, UnavailableError)
