"""Redis Cluster: three masters, and a slot that moves. The conformance suite runs over it with its URL, too."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from conformance.conftest import NOW
from conformance.test_runs import ANN, DONE, SESSION, claimed, later, write
from conformance.test_sessions import event
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import RunFilter
from runwire_server.storage.redis.store import RedisStore
from servers.private import CannotRunError, RedisServer, free_port
from servers.shared import IS_CI

SLOTS = 16384
# The nodes talk to each other at ports 10,000 above.
BUS_PORT_MAX = 55535


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    """Three masters that know each other."""
    try:
        RedisServer.find()
    except CannotRunError as error:
        (pytest.fail if IS_CI else pytest.skip)(str(error))
    servers = [RedisServer(options=["--cluster-enabled", "yes"]) for _ in range(3)]
    for server in servers:
        while server.port > BUS_PORT_MAX:
            server.port = free_port()
    try:
        for server in servers:
            server.start()
        clients: list[Any] = [Redis(port=server.port, decode_responses=True) for server in servers]
        for number, client in enumerate(clients):
            slots = range(SLOTS * number // 3, SLOTS * (number + 1) // 3)
            client.execute_command("CLUSTER", "ADDSLOTS", *slots)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", server.port)
        deadline = time.monotonic() + 30
        while not all(_is_ready(client) for client in clients):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for client in clients:
            client.close()
        yield servers
    finally:
        for server in servers:
            server.close()


def _is_ready(client: Any) -> bool:
    found = client.execute_command("CLUSTER", "INFO")
    text = found if isinstance(found, str) else "\r\n".join(f"{k}:{v}" for k, v in found.items())
    return "cluster_state:ok" in text and "cluster_known_nodes:3" in text and "cluster_size:3" in text


def _url(nodes: list[RedisServer], prefix: str) -> str:
    places = ",".join(f"127.0.0.1:{node.port}" for node in nodes[:2])
    return f"redis+cluster://{places}?key_prefix={prefix}&command_seconds=2"


async def test_many_sessions_on_all_nodes(nodes: list[RedisServer]) -> None:
    async with open_store(_url(nodes, "a:"), clock=NOW.timestamp) as store:
        keys = [SessionKey("app", "ann", f"s{number}") for number in range(30)]
        runs = await asyncio.gather(*(claimed(store, f"r{n}", key) for n, key in enumerate(keys)))
        delta = {"s": 1, "user:u": {"a": 1}}
        await asyncio.gather(
            *(store.append(write(run, DONE, session_events=(event(1),), state_delta=delta)) for run in runs)
        )

        assert len((await store.list_sessions("app", "ann", limit=99)).items) == 30
        assert len((await store.list_runs(RunFilter(app_name="app"), limit=99)).items) == 30
        assert await store.list_orphans(limit=99) == []
        assert await store.get_state(keys[0], Tier.USER) == {"u": {"a": 1}}
        assert await store.delete_runs_ended_before(later(99), limit=99) == 30
        assert (await store.list_runs(RunFilter(app_name="app"), limit=99)).items == ()
        await store.renew_lease(ANN, ttl_seconds=1)


async def test_while_a_slot_moves_a_write_is_done_or_not_done_and_never_half(
    nodes: list[RedisServer],
) -> None:
    async with open_store(_url(nodes, "b:"), clock=NOW.timestamp) as store:
        assert isinstance(store, RedisStore)
        run = await claimed(store)
        await store.append(write(run, None, session_events=(event(1),)))
        run = await store.get_run(run.key)
        root = store._site.keys.session(SESSION)
        clients: list[Any] = [Redis(port=node.port, decode_responses=True) for node in nodes]
        slot = clients[0].execute_command("CLUSTER", "KEYSLOT", root)
        source = slot * 3 // SLOTS
        target = (source + 1) % 3
        ids = [client.execute_command("CLUSTER", "MYID") for client in clients]
        clients[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        clients[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        keys = sorted(clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100))
        assert len(keys) >= 6
        written = 1
        for key in keys:
            clients[source].execute_command("MIGRATE", "127.0.0.1", nodes[target].port, key, 0, 1000)
            try:
                await store.append(write(run, None, session_events=(event(written + 1),)))
            except UnavailableError:
                continue
            written += 1
            run = await store.get_run(run.key)
        for client in clients:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])

        assert len(await store.list_run_events(run.key, after=0, limit=99)) == written
        found = await store.list_session_events(SESSION, EventQuery())
        assert [item.position for item in found] == list(range(1, written + 1))
        assert (await store.get_session(SESSION)).event_count == written
        await store.append(write(await store.get_run(run.key), DONE))
        for client in clients:
            client.close()
