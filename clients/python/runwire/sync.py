"""The same client without `await`: the asynchronous one, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from types import TracebackType
from typing import Any, TypeVar

from runwire import client as asynchronous
from runwire.messages import MessageStream as AsyncMessageStream
from runwire.run import RunStream as AsyncRunStream
from runwire.v1 import event_pb2

T = TypeVar("T")
_END_SECONDS = 5.0


class _Loop:
    """An event loop in a thread. Closing it ends what is left on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self.is_closed = False
        self._thread = threading.Thread(target=self._serve, name="runwire", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        await self._stopped.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work. When the waiting is interrupted (Ctrl-C), the work is cancelled, and has ended."""
        tasks: list[asyncio.Task[Any]] = []

        async def owned() -> T:
            if (task := asyncio.current_task()) is not None:
                tasks.append(task)
            return await work

        future = asyncio.run_coroutine_threadsafe(owned(), self._loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                ended = asyncio.run_coroutine_threadsafe(_ended(tasks), self._loop)
                ended.result(_END_SECONDS)
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yield the items, each when it is asked for."""

        async def following() -> tuple[bool, T | None]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        while True:
            is_there, item = self.run(following())
            if not is_there:
                return
            yield MessageStream(self, item) if isinstance(item, AsyncMessageStream) else item  # type: ignore[misc]

    def iterate_and_close(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield the items; whoever stops in the middle ends the generator."""
        try:
            yield from self.iterate(items)
        finally:
            if not self.is_closed:
                self.run(items.aclose())

    def close(self) -> None:
        """End the loop and its thread. Idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=_END_SECONDS)


class RunStream:
    """See runwire.run.RunStream."""

    def __init__(self, loop: _Loop, stream: AsyncRunStream) -> None:
        self._loop = loop
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return _wrapped(self._loop, getattr(self._stream, name))

    def __iter__(self) -> Iterator[event_pb2.Event]:
        return self._loop.iterate(aiter(self._stream))

    def __enter__(self) -> RunStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._stream.aclose())


class MessageStream:
    """See runwire.messages.MessageStream."""

    def __init__(self, loop: _Loop, stream: AsyncMessageStream) -> None:
        self._loop = loop
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return _wrapped(self._loop, getattr(self._stream, name))

    def __iter__(self) -> Iterator[str]:
        return self._loop.iterate(aiter(self._stream))


class Conversation:
    """See runwire.client.Conversation."""

    def __init__(self, loop: _Loop, conversation: asynchronous.Conversation) -> None:
        self._loop = loop
        self._conversation = conversation

    def __getattr__(self, name: str) -> Any:
        return _wrapped(self._loop, getattr(self._conversation, name))


class Client:
    """See runwire.client.Client: the same methods and arguments, without `await`.

    Use it as `with Client(…) as client`, or call `close`. Methods that yield are ordinary generators here. Functions
    that answer approvals and tool calls run in threads of their own, unless they are `async`.
    """

    def __init__(self, target: str = asynchronous.DEFAULT_TARGET, **arguments: Any) -> None:
        async def connected() -> asynchronous.Client:
            return asynchronous.Client(target, **arguments)

        self._loop = _Loop()
        try:
            self._client = self._loop.run(connected())
        except BaseException:
            self._loop.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return _wrapped(self._loop, getattr(self._client, name))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread. Idempotent."""
        if not self._loop.is_closed:
            self._loop.run(self._client.close())
            self._loop.close()


def _wrapped(loop: _Loop, value: Any) -> Any:
    """Make a method of the asynchronous client one that can be called without `await`."""
    if not inspect.ismethod(value):
        return value

    def call(*arguments: Any, **named: Any) -> Any:
        made = value(*arguments, **named)
        if inspect.iscoroutine(made):
            return loop.run(made)
        if isinstance(made, AsyncRunStream):
            return RunStream(loop, made)
        if isinstance(made, asynchronous.Conversation):
            return Conversation(loop, made)
        if isinstance(made, AsyncGenerator):
            return loop.iterate_and_close(made)
        return made

    return call
