"""The guard, around tiny handlers of a real server (notes/grpc.md §6)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import StringValue
from guard_support import (
    SECONDS,
    both_shapes,
    failed,
    outcome,
    raising,
    serving,
)

from runwire_server.domain import errors
from runwire_server.domain.errors import FieldViolation, InvalidRequestError
from runwire_server.transport.guard import Guard

# Every shape of call goes through.


async def test_a_unary_call_gets_its_answer() -> None:
    async def handler(request: StringValue, context: Any) -> StringValue:
        return StringValue(value=request.value.upper())

    async with serving(handler, shape="unary_unary") as method:
        answer = await method(StringValue(value="hi").SerializeToString(), timeout=SECONDS)

    assert answer.value == "HI"


async def test_a_stream_gets_all_messages_whether_serialised_or_not() -> None:
    async def handler(request: StringValue, context: Any) -> AsyncIterator[Any]:
        yield StringValue(value="message")
        yield StringValue(value="bytes").SerializeToString()

    async with serving(handler, shape="unary_stream") as method:
        answers = [message.value async for message in method(b"", timeout=SECONDS)]

    assert answers == ["message", "bytes"]


async def test_a_stream_that_writes_by_itself_works_too() -> None:
    async def handler(request: StringValue, context: Any) -> None:
        await context.write(StringValue(value="written"))

    async with serving(handler, shape="unary_stream") as method:
        answers = [message.value async for message in method(b"", timeout=SECONDS)]

    assert answers == ["written"]


async def test_a_call_with_a_request_stream_is_left_alone() -> None:
    async def handler(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield StringValue(value=request.value.upper())

    async with serving(handler, shape="stream_stream") as method:
        requests = [StringValue(value=text).SerializeToString() for text in ("a", "b")]
        answers = [message.value async for message in method(iter(requests), timeout=SECONDS)]

    assert answers == ["A", "B"]


async def test_a_client_stream_is_left_alone() -> None:
    async def handler(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return StringValue(value="".join([request.value async for request in requests]))

    async with serving(handler, shape="stream_unary") as method:
        requests = [StringValue(value=text).SerializeToString() for text in ("a", "b")]
        answer = await method(iter(requests), timeout=SECONDS)

    assert answer.value == "ab"


async def test_an_unknown_method_is_unimplemented() -> None:
    server = grpc.aio.server(interceptors=[Guard()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/test.Test/Nothing")(b"", timeout=SECONDS)

    await server.stop(0)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@both_shapes
async def test_the_handler_runs_in_the_event_loop(shape: str) -> None:
    loops = []

    async def unary(request: Any, context: Any) -> StringValue:
        loops.append(asyncio.get_running_loop())
        return StringValue()

    async def stream(request: Any, context: Any) -> AsyncIterator[StringValue]:
        loops.append(asyncio.get_running_loop())
        yield StringValue()

    async with serving(stream if shape == "unary_stream" else unary, shape=shape) as method:
        call = method(b"", timeout=SECONDS)
        _ = [message async for message in call] if shape == "unary_stream" else await call

    assert loops == [asyncio.get_running_loop()]


# What goes wrong has a status, and says nothing that is not for the peer.


@both_shapes
async def test_a_request_that_is_not_utf_8_is_the_callers_fault(shape: str) -> None:
    asked: list[Any] = []

    async def unary(request: Any, context: Any) -> StringValue:
        asked.append(request)
        return StringValue()

    async def stream(request: Any, context: Any) -> AsyncIterator[StringValue]:
        asked.append(request)
        yield StringValue()

    malformed = b"\x0a\x02\xff\xfe"
    with pytest.raises(DecodeError):
        StringValue.FromString(malformed)
    async with serving(stream if shape == "unary_stream" else unary, shape=shape) as method:
        call = method(malformed, timeout=SECONDS)
        with pytest.raises(grpc.aio.AioRpcError):
            _ = [message async for message in call] if shape == "unary_stream" else await call
        code, _, reason = await outcome(call)

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    assert asked == []


@both_shapes
async def test_a_domain_error_is_its_status(shape: str) -> None:
    found = await failed(raising(errors.NotFoundError("run", "r1"), shape), shape)

    assert found == (grpc.StatusCode.NOT_FOUND, "run 'r1' does not exist", "RUN_NOT_FOUND")


async def test_two_hundred_violations_still_reach_the_caller() -> None:
    error = InvalidRequestError([FieldViolation(f"messages[{i}].content", "ü" * 300) for i in range(200)])

    async with serving(raising(error, "unary_unary"), shape="unary_unary") as method:
        outcomes = []
        for _ in range(50):
            call = method(b"", timeout=SECONDS)
            with pytest.raises(grpc.aio.AioRpcError):
                await call
            code, _, reason = await outcome(call)
            outcomes.append((code, reason))

    assert outcomes == [(grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")] * 50


@both_shapes
@pytest.mark.parametrize(
    "error",
    [
        ValueError("postgres://u:hunter2@db"),
        errors.AgentError("hunter2", "X"),
        errors.RunCancelled("hunter2"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_bug_tells_the_caller_an_id_and_the_log_everything(
    error: Exception, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    code, details, reason = await failed(raising(error, shape), shape)

    assert (code, reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in details
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert details.removeprefix("internal error; error id ") in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_a_secret_in_an_exception_is_not_in_the_trailers_either() -> None:
    async with serving(raising(ValueError("hunter2"), "unary_unary"), shape="unary_unary") as method:
        call = method(b"", timeout=SECONDS)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        trailers = await call.trailing_metadata()

    assert trailers
    assert "hunter2" not in str(trailers)


@both_shapes
async def test_an_abort_of_a_handler_is_kept(shape: str, caplog: pytest.LogCaptureFixture) -> None:
    async def unary(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.DATA_LOSS, "mine")

    async def stream(request: Any, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue()
        await context.abort(grpc.StatusCode.DATA_LOSS, "mine")

    code, details, _ = await failed(stream if shape == "unary_stream" else unary, shape)

    assert (code, details) == (grpc.StatusCode.DATA_LOSS, "mine")
    assert caplog.records == []
