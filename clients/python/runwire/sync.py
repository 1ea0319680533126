"""The same client without `await`: the asynchronous one, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from types import TracebackType
from typing import Any, TypeVar

from runwire import client as asynchronous
from runwire.run import RunStream as AsyncRunStream
from runwire.v1 import event_pb2

T = TypeVar("T")


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runwire", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        async def following() -> tuple[bool, T | None]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        while True:
            is_there, item = self.run(following())
            if not is_there:
                return
            yield item  # type: ignore[misc]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


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


class Client:
    """See runwire.client.Client: the same methods and arguments, without `await`."""

    def __init__(self, target: str = asynchronous.DEFAULT_TARGET, **arguments: Any) -> None:
        self._loop = _Loop()

        async def connected() -> asynchronous.Client:
            return asynchronous.Client(target, **arguments)

        self._client = self._loop.run(connected())

    def __getattr__(self, name: str) -> Any:
        return _wrapped(self._loop, getattr(self._client, name))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._loop.run(self._client.close())
        self._loop.close()


def _wrapped(loop: _Loop, value: Any) -> Any:
    """Make a method of the asynchronous client one that can be called without `await`."""
    if not callable(value):
        return value

    def call(*arguments: Any, **named: Any) -> Any:
        made = value(*arguments, **named)
        if inspect.isawaitable(made):
            return loop.run(made)  # type: ignore[arg-type]
        if isinstance(made, AsyncRunStream):
            return RunStream(loop, made)
        if hasattr(made, "__anext__"):
            return loop.iterate(made)
        return made

    return call
