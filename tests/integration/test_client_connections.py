"""The Python client against a real server, over connections that break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest

from runwire import CallError, Client, RunCancelledError, RunFailedError, RunTimedOutError
from runwire import sync as synchronous
from runwire.v1 import event_pb2, run_pb2, runner_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as spb
from support import (
    CALL_SECONDS,
    collect,
    durable,
    eventually,
    kinds,
    run_request,
    scripted_app,
    started_server,
    text_turn,
)


@pytest.fixture
def store_url() -> str:
    """The client does not see which store it is."""
    return "memory:"


@pytest.fixture
async def client(grpc_server: Any) -> AsyncIterator[Client]:
    async with Client(grpc_server.address, user_id="u") as connected:
        yield connected


@asynccontextmanager
async def cutting_proxy(address: str, bytes_max: int) -> AsyncIterator[str]:
    """A proxy that cuts a connection when it has sent that many bytes to the client."""
    host, _, port = address.rpartition(":")
    serving: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_connection(host, int(port))

        async def pump_up() -> None:
            while data := await reader.read(65_536):
                up_writer.write(data)
            up_writer.close()

        async def pump_down() -> None:
            left = bytes_max
            while left > 0 and (data := await up_reader.read(min(left, 65_536))):
                writer.write(data)
                await writer.drain()
                left -= len(data)
            # A connection that is reset loses what the client has not read yet: on a busy machine, all of it.
            writer.write_eof()
            await up_writer.wait_closed()

        tasks = {asyncio.create_task(pump_up()), asyncio.create_task(pump_down())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for end in (writer, up_writer):
                end.transport.abort()
            # Aborted transports close in the loop's next round.
            await asyncio.sleep(0)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)


# Some 600 bytes come before the first whole event: every connection brings one at least.
@pytest.mark.parametrize("bytes_max", [1000, 1200, 1500, 2100, 3500])
async def test_a_run_over_breaking_connections_is_whole(grpc_server: Any, bytes_max: int) -> None:
    async with (
        cutting_proxy(grpc_server.address, bytes_max) as address,
        Client(address, user_id="u") as cut,
        Client(grpc_server.address) as straight,
    ):
        async with asyncio.timeout(60), cut.run("What is 25*4? And what time is it?") as run:
            events = [event async for event in run]
        stored = [event async for event in straight.run_events(run.request_id)]

    assert [event.sequence for event in durable(events)] == list(range(1, len(stored) + 1))
    assert [event.id for event in durable(events)] == [event.id for event in stored]


async def test_deltas_are_the_text_once_whatever_the_connection_does(grpc_server: Any) -> None:
    async with (
        cutting_proxy(grpc_server.address, 1500) as address,
        Client(address, user_id="u") as cut,
        asyncio.timeout(60),
        cut.run("tell me about yourself") as run,
    ):
        pieces = [piece async for piece in run.deltas()]

        assert "".join(pieces) == await run.text()


async def test_outcomes_other_than_completed_are_errors(client: Client, store_url: str) -> None:
    async with client.run("write a slow report on tea") as run:
        async for event in run:
            if event.WhichOneof("payload") == "tool_started":
                assert await run.cancel("enough")
        with pytest.raises(RunCancelledError, match="enough"):
            await run.text()
    with pytest.raises(RunTimedOutError):
        await client.chat("write a slow report on tea", deadline_seconds=0.3)
    app = scripted_app([RuntimeError("secret")])
    async with started_server(app, store_url) as service, Client(service.address, user_id="u") as other:
        with pytest.raises(RunFailedError, match="internal error") as failed:
            await other.chat("hi")
    assert "secret" not in str(failed.value)


async def test_errors_of_calls_have_code_reason_and_fields(client: Client) -> None:
    with pytest.raises(CallError) as refused:
        await client.chat("x", options={"max_tokens": -1}, user_id="")
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.value.reason, set(refused.value.violations)) == ("FIELD_INVALID", {"options.max_tokens"})
    with pytest.raises(CallError) as missing:
        await client.status("nope")
    assert missing.value.reason == "RUN_NOT_FOUND"


async def test_a_conversation_remembers(client: Client) -> None:
    talk = client.conversation()

    assert await talk.chat("What is 1+1?") == "1+1 = 2."
    assert "What is 1+1?" in await talk.chat("What did I say?")
    found = await client.get_session(talk.session_id)
    assert found.session.event_count == 6


async def test_sessions_and_state_through_the_client(client: Client) -> None:
    made = await client.create_session("s", state={"a": 1})
    event = event_pb2.Event()
    event.message.message.content = "hello"

    appended = await client.append_event("s", event)

    assert made.key.session_id == "s"
    assert [item async for item in client.session_events("s")] == [appended]
    assert await client.update_state(spb.STATE_TIER_USER, {"b": 2, "c": None}) == {"b": 2.0}
    assert await client.get_state(spb.STATE_TIER_USER) == {"b": 2.0}
    assert [session.key.session_id async for session in client.sessions()] == ["s"]
    assert [agent.name async for agent in client.agents()] == ["assistant"]
    assert await client.delete_session("s")


async def test_streams_that_are_left_are_closed(grpc_server: Any, client: Client) -> None:
    for number in range(20):
        async with client.run("write a slow report on tea", request_id=f"r{number}") as run:
            async for _ in run:
                break

    await eventually(lambda: grpc_server.runner.live_count == 0)
    runs = [run async for run in client.runs()]
    assert {run.stop_reason for run in runs} == {"no_follower"}


async def test_the_callers_deadline_ends_the_run_and_the_log_says_so(grpc_stub: Any) -> None:
    call = grpc_stub.Run(run_request("write a slow report on tea", request_id="r"), timeout=0.4)
    with suppress(grpc.aio.AioRpcError):
        await collect(call)
    # Both ends look at the same moment: the deadline ends the stream, or, just before, the completion does.
    assert await call.code() in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.OK}

    ended = await grpc_stub.WaitRun(pb.WaitRunRequest(request_id="r"), timeout=CALL_SECONDS)

    assert (ended.run.state, ended.run.stop_reason) == (run_pb2.RUN_STATE_TIMED_OUT, "deadline")


async def test_a_full_server_refuses_runs_and_answers_all_else(store_url: str) -> None:
    async def forever() -> str:
        """Never end."""
        await asyncio.Event().wait()
        return ""

    app = scripted_app([[*text_turn("x")[:1]], text_turn("y")], [forever], pause=asyncio.Event().wait)
    async with (
        started_server(app, store_url, runs_max=1) as service,
        Client(service.address, user_id="u") as client,
        client.run("hi", request_id="r") as run,
    ):
        await anext(aiter(run))
        with pytest.raises(CallError) as refused:
            await client.chat("more")
        assert (refused.value.code, refused.value.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "LIMIT_EXCEEDED",
        )
        assert (await client.status("r")).state == run_pb2.RUN_STATE_RUNNING
        assert (await client.cancel("r", wait_seconds=5)).changed


async def test_an_event_of_a_newer_server_is_passed_over(grpc_server: Any) -> None:
    """A payload that the client does not know is skipped, and its position counts."""
    newer = event_pb2.Event.FromString(
        event_pb2.Event(sequence=7, object="new.thing").SerializeToString() + b"\xea\x05\x02hi"
    )

    assert newer.WhichOneof("payload") is None
    assert (newer.sequence, newer.object) == (7, "new.thing")


@pytest.mark.may_block
async def test_the_synchronous_client_does_the_same(grpc_server: Any) -> None:
    def talk() -> tuple[list[str], str, str, int]:
        with synchronous.Client(grpc_server.address, user_id="u") as client:
            with client.run("What is 25*4?") as run:
                events = list(run)
                text = run.text()
            return kinds(events), text, client.chat("What is 1+1?"), len(list(client.runs()))

    seen, text, answer, count = await asyncio.to_thread(talk)

    assert (seen[0], seen[-1]) == ("run_started", "completion")
    assert (text, answer, count) == ("25*4 = 100.", "1+1 = 2.", 2)


async def test_raw_streams_can_be_left_without_a_trace(grpc_server: Any) -> None:
    async with grpc.aio.insecure_channel(grpc_server.address) as channel:
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        for _ in range(50):
            call = stub.Run(run_request("write a slow report on tea"), timeout=CALL_SECONDS)
            call.cancel()
        await eventually(lambda: grpc_server.runner.live_count == 0)
