"""kill -9 of the server in the middle of appends, on each durable store: what clients saw is there after a restart.

KILLS=50 kills more often.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from runwire.client import Client
from runwire.v1 import runner_service_pb2_grpc
from servers.private import SERVERS
from servers.shared import STORES, admin, server_url
from support import durable, run_request, server_process

KILLS = int(os.environ.get("KILLS", "2"))
RUNS = 8

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1200)]


@pytest.fixture(params=[kind for kind in STORES if kind != "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store that keeps what it acknowledges."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'store.db'}"
        return
    server_url(request.param)
    with SERVERS[request.param](is_durable=True) as server:
        if request.param in {"mariadb", "mysql"}:
            admin.run(server.url, "CREATE DATABASE kills")
        yield f"{server.url}kills" if request.param in {"mariadb", "mysql"} else server.url


async def follow(stub: Any, name: str, seen: dict[str, list[Any]]) -> None:
    seen[name] = []
    try:
        async for response in stub.Run(run_request("go", request_id=name, session_id=name), timeout=60):
            seen[name].append(response.event)
    except grpc.aio.AioRpcError:
        return


async def test_what_clients_saw_is_there_after_kill_9(store: str, tmp_path: Path) -> None:
    here = Path(__file__).parent
    options = {"RUNWIRE_STORE": store, "RUNWIRE_LEASE_TTL_SECONDS": "1", "PYTHONPATH": str(here)}
    seen: dict[str, list[Any]] = {}
    for number in range(KILLS):
        with server_process("chatty_app:app", cwd=tmp_path, **options) as server:
            async with grpc.aio.insecure_channel(server.address) as channel:
                stub = runner_service_pb2_grpc.RunnerServiceStub(channel)
                names = [f"r{number}.{run}" for run in range(RUNS)]
                async with asyncio.TaskGroup() as group:
                    for name in names:
                        group.create_task(follow(stub, name, seen))
                    async with asyncio.timeout(30):
                        while not all(len(seen.get(name, ())) > 20 for name in names):
                            await asyncio.sleep(0.01)
                    await asyncio.sleep(random.Random(number).uniform(0, 0.2))
                    server.kill()

    with server_process("chatty_app:app", cwd=tmp_path, **options) as server:
        async with Client(server.address, user_id="u") as client:
            for name, events in seen.items():
                async with client.attach(name) as attached:
                    log = durable([event async for event in attached])
                shown = durable(events)
                assert len(shown) > 10
                assert log[: len(shown)] == shown
                assert [event.sequence for event in log] == list(range(1, len(log) + 1))
                assert [event for event in log if event.HasField("completion")] == log[-1:]
