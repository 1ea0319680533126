"""The guard, around tiny handlers of a real server (notes/grpc.md §6)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from runwire_server.domain import errors
from runwire_server.domain.errors import FieldViolation, InvalidRequestError
from runwire_server.transport.guard import Guard

SECONDS = 10.0
STALL_BYTES = StringValue(value="x" * 100_000).SerializeToString()

Handler = Callable[[Any, Any], Any]


@asynccontextmanager
async def serving(handler: Handler, *, shape: str, **settings: Any) -> AsyncIterator[Callable[..., Any]]:
    """Serve one method behind the guard, and yield what calls it."""
    make = getattr(grpc, f"{shape}_rpc_method_handler")
    wrapped = make(
        handler,
        request_deserializer=StringValue.FromString,
        response_serializer=StringValue.SerializeToString,
    )
    server = grpc.aio.server(interceptors=[Guard(**settings)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", {"Method": wrapped}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield getattr(channel, shape)("/test.Test/Method", response_deserializer=StringValue.FromString)
    finally:
        await server.stop(0)


async def outcome(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """The status of a call that has failed: its code, its text, its reason."""
    code, details = await call.code(), await call.details()
    status = await rpc_status.aio.from_call(call)
    info = error_details_pb2.ErrorInfo()
    if status is not None and status.details:
        status.details[0].Unpack(info)
    return code, details, info.reason


async def read_on(call: Any) -> int:
    """Read what is left of a stream, and return how many messages that was."""
    count = 0
    while await call.read() is not grpc.aio.EOF:
        count += 1
    return count


async def failed(handler: Handler, shape: str) -> tuple[grpc.StatusCode, str, str]:
    """Call a handler that fails."""
    async with serving(handler, shape=shape) as method:
        call = method(b"", timeout=SECONDS)
        if shape == "unary_stream":
            with pytest.raises(grpc.aio.AioRpcError):
                _ = [message async for message in call]
        else:
            with pytest.raises(grpc.aio.AioRpcError):
                await call
        return await outcome(call)


def raising(error: BaseException, shape: str) -> Handler:
    """A handler of that shape that raises; a stream does it after its first message."""

    async def unary(request: Any, context: Any) -> Any:
        raise error

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        yield StringValue(value="first")
        raise error

    return stream if shape == "unary_stream" else unary


both_shapes = pytest.mark.parametrize("shape", ["unary_unary", "unary_stream"])


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


# Cancellation.


@both_shapes
async def test_a_cancel_from_inside_is_answered_and_does_not_hang(shape: str) -> None:
    async def awaits_a_cancelled_task() -> None:
        task = asyncio.create_task(asyncio.sleep(SECONDS))
        task.cancel()
        await task

    async def unary(request: Any, context: Any) -> None:
        await awaits_a_cancelled_task()

    async def stream(request: Any, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue()
        await awaits_a_cancelled_task()

    code, _, reason = await failed(stream if shape == "unary_stream" else unary, shape)

    assert (code, reason) == (grpc.StatusCode.ABORTED, "OPERATION_ABORTED")


class Watched:
    """An endless stream that records where it began and where it was cleaned up. It waits before each message."""

    def __init__(self, wait: Callable[[], Awaitable[None]] | None = None) -> None:
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.tasks: list[Any] = []
        self.errors: list[BaseException] = []
        self.count = 0
        self._wait = wait

    async def stalled(self) -> None:
        """Wait until its messages are no longer taken."""
        await self.began.wait()
        seen = -1
        while seen != self.count:
            seen = self.count
            await asyncio.sleep(0.1)

    async def handler(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.tasks.append(asyncio.current_task())
        try:
            while True:
                self.began.set()
                self.count += 1
                if self._wait is not None:
                    await self._wait()
                yield STALL_BYTES
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            await asyncio.sleep(0)  # a clean-up may wait
            self.tasks.append(asyncio.current_task())
            self.ended.set()


async def never() -> None:
    """Wait for longer than any test."""
    await asyncio.sleep(1000)


async def test_a_peer_that_leaves_cancels_the_handler_at_its_wait() -> None:
    watched = Watched(never)

    async with serving(watched.handler, shape="unary_stream") as method:
        call = method(b"", timeout=SECONDS)
        async with asyncio.timeout(SECONDS):
            await watched.began.wait()
            call.cancel()
            await watched.ended.wait()

    assert isinstance(watched.errors[0], asyncio.CancelledError)
    assert watched.tasks[0] is watched.tasks[1]


async def test_a_deadline_ends_the_handler() -> None:
    watched = Watched(never)

    async with serving(watched.handler, shape="unary_stream") as method:
        call = method(b"", timeout=0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        async with asyncio.timeout(SECONDS):
            await watched.ended.wait()

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stalled_stream_that_is_cancelled_cleans_up_in_the_calls_own_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()

    async with serving(watched.handler, shape="unary_stream") as method:
        call = method(b"", timeout=SECONDS)
        async with asyncio.timeout(SECONDS):
            await watched.stalled()
            call.cancel()
            await watched.ended.wait()

    assert watched.tasks[0] is watched.tasks[1]
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


# Peers that do not read.


async def test_a_reader_that_takes_nothing_is_cut_off_and_told_why(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()

    async with serving(watched.handler, shape="unary_stream", write_timeout_seconds=0.2) as method:
        call = method(b"", timeout=SECONDS)
        async with asyncio.timeout(SECONDS):
            await watched.ended.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await read_on(call)
        code, details, reason = await outcome(call)

    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "SLOW_CONSUMER")
    assert "0.2 seconds" in details
    assert watched.tasks[0] is watched.tasks[1]
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_reader_that_reads_is_not_cut_off_however_long_it_takes() -> None:
    async def pause() -> None:
        await asyncio.sleep(0.02)

    async def handler(request: Any, context: Any) -> AsyncIterator[StringValue]:
        for _ in range(10):
            await pause()
            yield StringValue(value="x")

    async with serving(handler, shape="unary_stream", write_timeout_seconds=0.05) as method:
        answers = [message.value async for message in method(b"", timeout=SECONDS)]

    assert answers == ["x"] * 10


async def test_an_error_for_a_peer_that_does_not_read_does_not_keep_the_handler() -> None:
    ended = asyncio.Event()

    async def handler(request: Any, context: Any) -> AsyncIterator[bytes]:
        try:
            # Less than what makes a write wait, more than what a status can overtake.
            for _ in range(40):
                yield STALL_BYTES
            raise errors.UnavailableError("the store is down")
        finally:
            ended.set()

    async with serving(handler, shape="unary_stream") as method:
        call = method(b"", timeout=SECONDS)
        async with asyncio.timeout(SECONDS):
            await ended.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await read_on(call)
        code, _, reason = await outcome(call)

    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


async def test_one_stalled_reader_does_not_delay_another() -> None:
    watched = Watched()

    async with serving(watched.handler, shape="unary_stream") as method:
        stalled = method(b"", timeout=SECONDS)
        async with asyncio.timeout(SECONDS):
            await watched.stalled()
            fast = method(b"", timeout=SECONDS)
            taken = [await fast.read() for _ in range(200)]
        stalled.cancel()
        fast.cancel()

    assert len(taken) == 200
