"""The guard and cancellation, and peers that do not read (notes/grpc.md §6)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from guard_support import (
    SECONDS,
    STALL_BYTES,
    both_shapes,
    failed,
    outcome,
    read_on,
    serving,
)

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
            # Nor does the status wait for the reader: the handler is done while nothing is read.
            while not watched.tasks[0].done():
                await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError):
            await read_on(call)
        code, details, reason = await outcome(call)

    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "SLOW_CONSUMER")
    assert "0.2 seconds" in details
    assert watched.tasks[0] is watched.tasks[1]
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_stream_that_is_silent_for_longer_than_the_write_timeout_goes_on() -> None:
    async def handler(request: Any, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value="a")
        await asyncio.sleep(1.0)
        yield StringValue(value="b")

    async with serving(handler, shape="unary_stream", write_timeout_seconds=0.5) as method:
        answers = [message.value async for message in method(b"", timeout=SECONDS)]

    assert answers == ["a", "b"]


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
