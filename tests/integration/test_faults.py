"""The database stops, stalls, drops connections or is full: calls say so, the service stays up, and nothing is lost.

Each test has a server process of its own, which keeps what it acknowledges (storage/README.md says what that takes).
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from runwire.v1 import event_pb2, run_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as spb
from servers.private import SERVERS, PrivateServer
from servers.shared import IS_CI, STORES, admin, server_url
from support import App, call_turn, collect, durable, run_request, scripted_app, started_server, text_turn

# Waiting is scaled down: the store gives up after a second, and stalls for three.
COMMAND_SECONDS, STALL_SECONDS = 1.0, 3.0
RECOVERY_SECONDS = 30.0
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
KEY: Any = {"user_id": "u", "session_id": "s"}
KINDS = [kind for kind in STORES if kind in SERVERS]

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(180)]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A server that is durable."""
    server_url(request.param)  # skips, or fails in CI, when there is no such server
    with SERVERS[request.param](is_durable=True) as started:
        yield started


def url_of(server: PrivateServer, **options: Any) -> str:
    values = {"command_seconds": COMMAND_SECONDS, "connect_seconds": COMMAND_SECONDS, **options}
    query = "&".join(f"{name}={value}" for name, value in values.items())
    base = server.url
    if server.kind in {"mariadb", "mysql"}:
        admin.run(base, "CREATE DATABASE IF NOT EXISTS faults")
        base = f"{base}faults"
    return f"{base}?{query}"


class Service:
    """The service, and its calls."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.sessions = session_service_pb2_grpc.SessionServiceStub(channel)
        self.runs = runner_service_pb2_grpc.RunnerServiceStub(channel)

    async def append(self, text: str) -> None:
        said = event_pb2.Event(id=text[:100])
        said.message.message.content = text
        await self.sessions.AppendEvent(spb.AppendEventRequest(key=KEY, event=said), timeout=20)

    async def texts(self) -> list[str]:
        response = await self.sessions.ListEvents(spb.ListEventsRequest(key=KEY, page_size=1000), timeout=20)
        return [item.event.message.message.content for item in response.events]

    async def recovered(self) -> None:
        """Wait until a write works again."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        while True:
            try:
                await self.append(f"again {time.monotonic()}")
            except grpc.aio.AioRpcError as error:
                if error.code() not in AWAY or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def served(url: str, app: App | None = None) -> AsyncIterator[Service]:
    app = app or scripted_app([text_turn("hi")])
    async with started_server(app, url, reattach_grace_seconds=60.0) as started:
        async with grpc.aio.insecure_channel(started.address) as channel:
            service = Service(channel)
            await service.sessions.CreateSession(spb.CreateSessionRequest(key=KEY))
            yield service


async def refusal(call: Any) -> tuple[grpc.StatusCode, bool]:
    """The code of a call that must fail, and whether it says when to try again."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    status = rpc_status.from_call(refused.value)
    assert status is not None, refused.value
    details = [detail.type_url.rpartition(".")[2] for detail in status.details]
    return refused.value.code(), error_details_pb2.RetryInfo.DESCRIPTOR.name in details


async def test_a_database_that_is_gone_and_comes_back(server: PrivateServer) -> None:
    async with served(url_of(server)) as service:
        await service.append("before")
        server.kill()

        for call in (service.append("lost"), service.texts()):
            assert await refusal(call) == (grpc.StatusCode.UNAVAILABLE, True)
        server.start()
        await service.recovered()

        texts = await service.texts()
        assert texts[0] == "before"
        assert "lost" not in texts


async def test_a_database_that_stalls(server: PrivateServer) -> None:
    async with served(url_of(server)) as service:
        await service.append("before")
        server.pause()
        begun = time.monotonic()
        try:
            results = await asyncio.gather(
                *(refusal(call) for call in (service.append("perhaps"), service.texts(), service.texts()))
            )
            took = time.monotonic() - begun
            await asyncio.sleep(max(0.0, STALL_SECONDS - took))
        finally:
            server.resume()

        assert set(results) == {(grpc.StatusCode.UNAVAILABLE, True)}
        assert took < 15
        await service.recovered()
        # Whether the write in between was done nobody could know; a retry with its id settles it.
        await service.append("perhaps")
        texts = await service.texts()
        assert texts[0] == "before"
        assert texts.count("perhaps") == 1


async def test_connections_that_are_cut(server: PrivateServer) -> None:
    async with served(url_of(server)) as service:
        for number in range(3):
            await service.append(str(number))
            cut_connections(server)

        await service.recovered()
        assert (await service.texts())[:3] == ["0", "1", "2"]


async def test_a_run_that_is_at_work_meanwhile_ends_and_says_how(server: PrivateServer) -> None:
    is_working, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        """Wait."""
        is_working.set()
        await may_go_on.wait()
        return "done"

    app = scripted_app([call_turn("slow"), text_turn("the end")], [slow])
    async with served(url_of(server), app) as service:
        request = run_request(session_id="s", request_id="r1")
        following = asyncio.ensure_future(collect(service.runs.Run(request)))
        async with asyncio.timeout(20):
            await is_working.wait()
        server.kill()
        may_go_on.set()
        await asyncio.sleep(COMMAND_SECONDS)
        server.start()

        async with asyncio.timeout(60):
            events = await following
        status = await service.runs.RunStatus(pb.RunStatusRequest(request_id="r1"), timeout=20)
        log = await service.runs.ListRunEvents(
            pb.ListRunEventsRequest(request_id="r1", page_size=100), timeout=20
        )

    seen = [event.id for event in durable(events)]
    assert [event.id for event in log.events] == seen
    assert [event.sequence for event in log.events] == list(range(1, len(seen) + 1))
    completion = events[-1].completion
    if completion.outcome == run_pb2.OUTCOME_FAILED:
        assert completion.error.code == "STORE_UNAVAILABLE"
        assert status.run.state == run_pb2.RUN_STATE_FAILED
    else:
        assert status.run.state == run_pb2.RUN_STATE_COMPLETED


async def test_a_full_disk_of_sqlite(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    with ExitStack() as stack:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False, capture_output=True
        )
        if mounted.returncode:
            if IS_CI:
                pytest.fail("CI needs to mount a small file system")
            pytest.skip("only root can mount a small file system")
        stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)
        async with served(f"sqlite:{folder / 'store.db'}") as service:
            kept = await fill(service)
            (folder / "ballast").write_bytes(b"")
            assert (await service.texts())[: len(kept)] == kept
            assert await refusal(service.append("x" * 200_000)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
            subprocess.run(["mount", "-o", "remount,size=20m", str(folder)], check=True)

            await service.recovered()

            assert (await service.texts())[: len(kept)] == kept


async def test_redis_without_memory() -> None:
    server_url("redis")
    options = ["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]
    with SERVERS["redis"](options=options) as server:
        async with served(url_of(server)) as service:
            kept = await fill(service)

            assert (await service.texts())[: len(kept)] == kept
            assert await refusal(service.append("x" * 200_000)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
            redis_command(server, "CONFIG", "SET", "maxmemory", "100mb")
            await service.recovered()


async def test_redis_that_forgets_everything() -> None:
    """Without persistence a restart loses all: calls say NOT_FOUND, runs end, and new ones work."""
    server_url("redis")
    is_working, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        """Wait."""
        is_working.set()
        await may_go_on.wait()
        return "done"

    app = scripted_app([call_turn("slow"), text_turn("the end"), text_turn("new")], [slow])
    with SERVERS["redis"]() as server:
        async with served(url_of(server), app) as service:
            following = asyncio.ensure_future(
                outcome(service.runs.Run(run_request(session_id="s", request_id="r1")))
            )
            async with asyncio.timeout(20):
                await is_working.wait()
            server.kill()
            server.start()
            may_go_on.set()

            async with asyncio.timeout(60):
                await following
            with pytest.raises(grpc.aio.AioRpcError) as missing:
                await service.runs.RunStatus(pb.RunStatusRequest(request_id="r1"), timeout=20)
            assert missing.value.code() == grpc.StatusCode.NOT_FOUND
            async with asyncio.timeout(30):
                events = await collect(service.runs.Run(run_request(session_id="s2", request_id="r2")))
            assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED


async def outcome(call: Any) -> Any:
    try:
        return await collect(call)
    except grpc.aio.AioRpcError as error:
        return error.code()


async def fill(service: Service) -> list[str]:
    """Append until there is no room, and return what was acknowledged."""
    kept: list[str] = []
    for number in range(500):
        text = f"{number} " + "x" * 50_000
        try:
            await service.append(text)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            return kept
        kept.append(text)
    raise AssertionError("there is always room")


def cut_connections(server: PrivateServer) -> None:
    """End all connections but the one that says so."""
    match server.kind:
        case "redis":
            redis_command(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        case "postgres":
            others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
            admin.run(server.url, f"SELECT pg_terminate_backend(pid) {others}")
        case _:
            for number in admin.fetch(
                server.url, "SELECT id FROM information_schema.processlist WHERE db = 'faults'"
            ):
                admin.run(server.url, f"KILL {number}", may_fail=True)


def redis_command(server: PrivateServer, *words: str) -> None:
    import redis

    with redis.Redis(port=server.port) as client:
        client.execute_command(*words)
