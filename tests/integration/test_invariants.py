"""The invariants of server/ARCHITECTURE.md, over the wire. The numbers are DESIGN §2's."""

import asyncio
from typing import Any

import grpc
import pytest

from runwire.v1 import content_pb2, run_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.app import App, LlmAgent
from runwire_server.domain.content import Usage
from runwire_server.models.model import EndChunk, TextChunk
from runwire_server.models.scripted import ScriptedModel
from support import (
    CALL_SECONDS,
    call_turn,
    collect,
    durable,
    eventually,
    kinds,
    run_request,
    scripted_app,
    started_server,
    text_turn,
)


def key(session_id: str = "s") -> Any:
    return {"user_id": "u", "session_id": session_id}


async def history(channel: Any, session_id: str = "s") -> list[Any]:
    stub = session_service_pb2_grpc.SessionServiceStub(channel)
    request = session_pb.GetSessionRequest(key=key(session_id))
    return list((await stub.GetSession(request, timeout=CALL_SECONDS)).events)


async def test_1_durable_events_are_numbered_without_gaps_in_the_order_of_a_calculation(
    grpc_stub: Any, grpc_channel: Any
) -> None:
    events = await collect(grpc_stub.Run(run_request("What is 25*4?", session_id="s"), timeout=CALL_SECONDS))

    assert [event.sequence for event in durable(events)] == list(range(1, 8))
    assert kinds(events) == [
        "run_started",
        "message",
        "tool_started",
        "tool_finished",
        "tool_results",
        "message",
        "completion",
    ]
    shown = kinds(events, partials=True)
    assert shown[0] == "run_started"
    assert shown[-3:] == ["text_delta", "message", "completion"]
    assert shown.index("tool_call_delta") < shown.index("message")
    completion = events[-1].completion
    assert completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert completion.usage.total_tokens > 0
    assert completion.usage.model_calls == 2
    assert "100" in durable(events)[-2].message.message.content
    said = [item.event.WhichOneof("payload") for item in await history(grpc_channel)]
    assert said == ["message", "message", "tool_results", "message"]


async def test_1_every_position_is_a_place_to_resume(grpc_stub: Any) -> None:
    events = await collect(grpc_stub.Run(run_request("What is 25*4?", request_id="r"), timeout=CALL_SECONDS))
    whole = durable(events)

    for after in range(len(whole) + 1):
        request = pb.AttachRequest(request_id="r", after_sequence=after)
        rest = durable(await collect(grpc_stub.Attach(request, timeout=CALL_SECONDS)))
        assert rest == whole[after:]


@pytest.mark.parametrize("ending", ["success", "failure", "cancel", "timeout"])
async def test_2_there_is_one_completion_and_it_is_last(store_url: str, ending: str) -> None:
    async def forever() -> str:
        """Never end."""
        await asyncio.Event().wait()
        return ""

    turns: Any = {
        "success": [text_turn("x")],
        "failure": [RuntimeError("boom")],
    }.get(ending, [call_turn("forever")])
    async with (
        started_server(scripted_app(turns, [forever]), store_url) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        options: Any = {"max_run_duration": {"nanos": 200_000_000}} if ending == "timeout" else {}
        call = stub.Run(run_request(request_id="r", options=options), timeout=CALL_SECONDS)
        events = []
        async for response in call:
            events.append(response.event)
            if ending == "cancel" and response.event.WhichOneof("payload") == "tool_started":
                await stub.Cancel(pb.CancelRequest(request_id="r"), timeout=CALL_SECONDS)

        assert await call.code() is grpc.StatusCode.OK
        assert [event.WhichOneof("payload") for event in events].count("completion") == 1
        wanted = {"success": "COMPLETED", "failure": "FAILED", "cancel": "CANCELLED", "timeout": "TIMED_OUT"}
        outcome = run_pb2.Outcome.Name(events[-1].completion.outcome)
        assert outcome == f"OUTCOME_{wanted[ending]}"
        status = await stub.RunStatus(pb.RunStatusRequest(request_id="r"), timeout=CALL_SECONDS)
        assert run_pb2.RunState.Name(status.run.state) == f"RUN_STATE_{wanted[ending]}"
        again = run_request("again", session_id=status.run.session.session_id, user_id="u")
        assert await collect(stub.Run(again, timeout=2)) if ending == "success" else True


async def test_3_partials_are_not_stored_and_carry_the_sequence_before_them(grpc_stub: Any) -> None:
    events = await collect(grpc_stub.Run(run_request("hello there", request_id="r"), timeout=CALL_SECONDS))

    last = 0
    text: dict[str, str] = {}
    for event in events:
        if event.partial:
            assert event.sequence == last
            delta = event.text_delta
            text[delta.message_id] = text.get(delta.message_id, "")[: delta.offset] + delta.text
        last = event.sequence
    (message,) = [event.message for event in durable(events) if event.WhichOneof("payload") == "message"]
    assert text == {message.message_id: message.message.content}
    stored = await grpc_stub.ListRunEvents(pb.ListRunEventsRequest(request_id="r"), timeout=CALL_SECONDS)
    assert not any(event.partial for event in stored.events)


async def test_4_a_slow_follower_slows_nobody_and_misses_nothing(store_url: str) -> None:
    words = [f"w{n} " for n in range(20_000)]
    model = ScriptedModel([[*(TextChunk(word) for word in words), EndChunk("stop", Usage(1))]])
    app = App("test", [LlmAgent("agent", model=model)])
    async with (
        started_server(app, store_url) as service,
        grpc.aio.insecure_channel(
            service.address, options=[("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0)]
        ) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        slow = aiter(stub.Run(run_request(request_id="r"), timeout=60))
        first = await anext(slow)
        assert first.event.WhichOneof("payload") == "run_started"
        done = await stub.WaitRun(pb.WaitRunRequest(request_id="r"), timeout=60)

        assert done.run.state == run_pb2.RUN_STATE_COMPLETED
        events = [first.event, *await collect(slow)]
        pieces = [event.text_delta for event in events if event.WhichOneof("payload") == "text_delta"]
        assert "".join(piece.text for piece in pieces) == "".join(words)
        assert len(pieces) < len(words)
        assert kinds(events) == ["run_started", "message", "completion"]


async def test_5_what_was_seen_is_stored(grpc_stub: Any, grpc_channel: Any) -> None:
    async for response in grpc_stub.Run(
        run_request("What is 25*4?", session_id="s", request_id="r"), timeout=CALL_SECONDS
    ):
        event = response.event
        if event.partial or not event.id:
            continue
        request = pb.ListRunEventsRequest(request_id="r", after_sequence=event.sequence - 1, page_size=1)
        (stored,) = (await grpc_stub.ListRunEvents(request, timeout=CALL_SECONDS)).events
        assert stored == event
        if event.WhichOneof("payload") == "message":
            assert event.id in {item.event.id for item in await history(grpc_channel)}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # two servers cannot share a memory store
async def test_7_a_lost_wake_up_loses_no_event(store_url: str) -> None:
    """A follower on another replica hears nothing and only reads."""
    gate = asyncio.Event()

    async def wait_for_gate() -> str:
        """Wait."""
        await gate.wait()
        return "ok"

    app = scripted_app([call_turn("wait_for_gate"), text_turn("done")], [wait_for_gate])
    async with (
        started_server(app, store_url) as here,
        started_server(scripted_app([text_turn("x")]), store_url) as there,
        grpc.aio.insecure_channel(here.address) as channel,
        grpc.aio.insecure_channel(there.address) as other,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        other_stub: Any = runner_service_pb2_grpc.RunnerServiceStub(other)
        call = aiter(stub.Run(run_request(request_id="r"), timeout=CALL_SECONDS))
        await anext(call)
        watcher = asyncio.create_task(
            collect(other_stub.Attach(pb.AttachRequest(request_id="r"), timeout=CALL_SECONDS))
        )
        await asyncio.sleep(0.1)
        gate.set()
        mine = await collect(call)

        assert [event.sequence for event in durable(await watcher)] == list(range(1, mine[-1].sequence + 1))


async def test_two_first_runs_on_a_new_session_are_both_recorded(grpc_stub: Any, grpc_channel: Any) -> None:
    await asyncio.gather(
        *(
            collect(grpc_stub.Run(run_request(f"hello {n}", session_id="new"), timeout=CALL_SECONDS))
            for n in range(2)
        )
    )

    roles = [item.event.message.message.role for item in await history(grpc_channel, "new")]
    assert roles == [content_pb2.ROLE_USER, content_pb2.ROLE_ASSISTANT] * 2
    sessions: Any = session_service_pb2_grpc.SessionServiceStub(grpc_channel)
    request = session_pb.ListSessionsRequest(user_id="u")
    assert len((await sessions.ListSessions(request, timeout=CALL_SECONDS)).sessions) == 1


async def test_clients_that_start_a_run_and_vanish_leave_nothing(store_url: str) -> None:
    async def forever() -> str:
        """Never end."""
        await asyncio.Event().wait()
        return ""

    async with started_server(scripted_app([call_turn("forever")], [forever]), store_url) as service:
        tasks_before = service.supervisor.task_count
        for _ in range(20):
            channel = grpc.aio.insecure_channel(service.address)
            stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
            call = stub.Run(run_request(), timeout=CALL_SECONDS)
            await call.read()
            await channel.close()
        await eventually(lambda: service.runner.live_count == 0)
        await eventually(lambda: service.supervisor.task_count <= tasks_before)


async def test_a_stream_that_is_cancelled_does_not_cancel_its_run(grpc_stub: Any) -> None:
    request = run_request("write a slow report on tea", request_id="r")
    request.options.detached_cancel = True
    call = grpc_stub.Run(request, timeout=CALL_SECONDS)
    await call.read()
    call.cancel()

    status = await grpc_stub.RunStatus(pb.RunStatusRequest(request_id="r"), timeout=CALL_SECONDS)
    assert status.run.state in {run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING}
    attached = grpc_stub.Attach(pb.AttachRequest(request_id="r"), timeout=CALL_SECONDS)
    assert [event.sequence for event in durable(await collect(attached))] == list(range(1, 8))


async def test_five_equal_requests_make_one_run(grpc_stub: Any) -> None:
    request = run_request("What is 1+1?", request_id="r")

    streams = await asyncio.gather(*(collect(grpc_stub.Run(request, timeout=CALL_SECONDS)) for _ in range(5)))

    assert len({tuple(event.id for event in durable(events)) for events in streams}) == 1
    assert sum(not events[0].run_started.joined for events in streams) == 1
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await collect(grpc_stub.Run(run_request("other", request_id="r"), timeout=CALL_SECONDS))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
