"""Reading around an event, and going back to one, over the wire."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from runwire.v1 import content_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import session_service_pb2 as pb
from support import call_turn, collect, run_request, scripted_app, started_server, text_turn

KEY: Any = {"user_id": "u", "session_id": "s"}


@pytest.fixture
def grpc_stub_cls() -> Any:
    return session_service_pb2_grpc.SessionServiceStub


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """Return code and reason of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    status = rpc_status.from_call(refused.value)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return refused.value.code(), info.reason


async def session_of(stub: Any, count: int, size: int = 1) -> list[str]:
    """Make a session with so many events of so many characters. Return their ids."""
    await stub.CreateSession(pb.CreateSessionRequest(key=KEY))
    ids = []
    for number in range(1, count + 1):
        request = pb.AppendEventRequest(key=KEY)
        request.event.id = f"e{number}"
        request.event.message.message.role = content_pb2.ROLE_USER
        request.event.message.message.content = str(number) * size
        ids.append((await stub.AppendEvent(request)).event.event.id)
    return ids


async def window(stub: Any, event_id: str, before: int = 0, after: int = 0) -> list[str]:
    request = pb.GetEventWindowRequest(key=KEY, event_id=event_id, before=before, after=after)
    events = (await stub.GetEventWindow(request)).events
    positions = [item.position for item in events]
    assert positions == sorted(positions)
    return [item.event.id for item in events]


async def ids_of(stub: Any) -> list[str]:
    return [item.event.id for item in (await stub.ListEvents(pb.ListEventsRequest(key=KEY))).events]


async def truncate(stub: Any, event_id: str = "") -> int:
    request = pb.TruncateSessionRequest(key=KEY, event_id=event_id)
    count: int = (await stub.TruncateSession(request)).deleted_count
    return count


@pytest.mark.parametrize(
    ("anchor", "before", "after", "expected"),
    [
        (3, 0, 0, [3]),
        (3, 1, 1, [2, 3, 4]),
        (3, 2, 0, [1, 2, 3]),
        (3, 0, 1, [3, 4]),
        (1, 9, 1, [1, 2]),
        (5, 1, 9, [4, 5]),
        (3, 1000, 1000, [1, 2, 3, 4, 5]),
    ],
)
async def test_a_window_has_what_is_around_its_event(
    grpc_stub: Any, anchor: int, before: int, after: int, expected: list[int]
) -> None:
    await session_of(grpc_stub, 5)

    assert await window(grpc_stub, f"e{anchor}", before, after) == [f"e{number}" for number in expected]


async def test_a_window_needs_its_event_and_bounds(grpc_stub: Any) -> None:
    missing = pb.GetEventWindowRequest(key=KEY, event_id="e1")
    assert await refusal(grpc_stub.GetEventWindow(missing)) == (
        grpc.StatusCode.NOT_FOUND,
        "SESSION_NOT_FOUND",
    )
    await session_of(grpc_stub, 1)

    for name in ("nope", "e1 "):
        request = pb.GetEventWindowRequest(key=KEY, event_id=name, before=1)
        assert await refusal(grpc_stub.GetEventWindow(request)) == (
            grpc.StatusCode.NOT_FOUND,
            "EVENT_NOT_FOUND",
        )
    for wrong in ({"before": -1}, {"after": 1001}, {"event_id": ""}):
        request = pb.GetEventWindowRequest(**{"key": KEY, "event_id": "e1", **wrong})
        assert await refusal(grpc_stub.GetEventWindow(request)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "FIELD_INVALID",
        )


async def test_a_window_that_is_too_large_loses_what_is_farthest(grpc_stub: Any) -> None:
    ids = await session_of(grpc_stub, 9, size=600_000)

    found = await window(grpc_stub, "e5", 9, 9)

    assert found == ids[1:7] or found == ids[2:8]
    assert await window(grpc_stub, "e9", 9, 0) == ids[3:]


async def test_a_session_is_truncated_to_an_event(grpc_stub: Any) -> None:
    await session_of(grpc_stub, 5)

    assert await truncate(grpc_stub, "e3") == 2

    assert await ids_of(grpc_stub) == ["e1", "e2", "e3"]
    session = (await grpc_stub.GetSession(pb.GetSessionRequest(key=KEY))).session
    assert session.event_count == 3
    assert await truncate(grpc_stub, "e3") == 0
    request = pb.TruncateSessionRequest(key=KEY, event_id="e4")
    assert await refusal(grpc_stub.TruncateSession(request)) == (
        grpc.StatusCode.NOT_FOUND,
        "EVENT_NOT_FOUND",
    )


async def test_without_an_event_all_are_deleted(grpc_stub: Any) -> None:
    await session_of(grpc_stub, 3)

    assert await truncate(grpc_stub) == 3

    assert await ids_of(grpc_stub) == []
    assert await refusal(grpc_stub.TruncateSession(pb.TruncateSessionRequest(key={"user_id": "u"}))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "FIELD_INVALID",
    )
    unknown = pb.TruncateSessionRequest(key={"user_id": "u", "session_id": "nope"})
    assert await refusal(grpc_stub.TruncateSession(unknown)) == (
        grpc.StatusCode.NOT_FOUND,
        "SESSION_NOT_FOUND",
    )


async def test_what_was_said_is_edited_and_asked_again(store_url: str) -> None:
    app = scripted_app([text_turn("first"), text_turn("second")])
    async with (
        started_server(app, store_url) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = session_service_pb2_grpc.SessionServiceStub(channel)
        runner: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        await session_of(stub, 1)
        await collect(runner.Run(run_request("a typo", session_id="s")))

        assert await truncate(stub, "e1") == 2
        await collect(runner.Run(run_request("no typo", session_id="s")))

        events = (await stub.ListEvents(pb.ListEventsRequest(key=KEY))).events
        assert [item.event.message.message.content for item in events] == ["1", "no typo", "second"]
        assert [item.position for item in events] == [1, 4, 5]


async def test_a_session_at_work_is_not_truncated(store_url: str) -> None:
    gate = asyncio.Event()

    async def wait_for_gate() -> str:
        """Wait."""
        await gate.wait()
        return "open"

    app = scripted_app([call_turn("wait_for_gate"), text_turn("done")], [wait_for_gate])
    async with (
        started_server(app, store_url) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = session_service_pb2_grpc.SessionServiceStub(channel)
        runner: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        call = runner.Run(run_request(session_id="s"))
        async for response in call:
            if response.event.WhichOneof("payload") == "tool_started":
                break

        refused = await refusal(stub.TruncateSession(pb.TruncateSessionRequest(key=KEY)))
        assert refused == (grpc.StatusCode.ABORTED, "SESSION_BUSY")
        gate.set()
        async for _ in call:
            pass

        assert await truncate(stub) > 0
