"""One stream, many readers, and no task of its own: who needs more reads on, for all.

A reader waits its turn, and looks again whether it still needs more before it reads. One that is cancelled while it
reads costs the open call, not the stream: the next reader goes on with a new call, where the stream stood.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from runwire.errors import CallError, ReaderLagsError
from runwire.following import Following
from runwire.v1 import event_pb2

T = TypeVar("T")
# What a reader of events may be behind the fastest reader of the same run.
_EVENTS_AHEAD_MAX = 10_000


class Pulled:
    """The events of one run, shared by all who read them, its messages or its end.

    `note` is called with every event and says whether readers of events see it; `between` is awaited before a read.
    """

    def __init__(
        self,
        following: Following,
        note: Callable[[event_pb2.Event], bool],
        between: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.failure: CallError | None = None
        self._following = following
        self._note = note
        self._between = between
        self._events: AsyncGenerator[event_pb2.Event | None, None] | None = None
        self._has_ended = False
        self._lock = asyncio.Lock()
        self._readers: Listeners[EventReader] = Listeners()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come: the run has ended, reading failed, or the stream is closed."""
        return self._has_ended or self._following.is_closed

    async def until(self, has_news: Callable[[], object]) -> None:
        """Read on until there is news, or nothing more will come. A failure is for the caller to look at."""
        while not has_news() and not self.is_over:
            async with self._lock:
                if not has_news() and not self.is_over:
                    await self._step()

    def reader(self) -> EventReader:
        """Return a reader of the events from now on. One that nobody holds any more costs nothing."""
        reader = EventReader(self)
        self._readers.add(reader)
        return reader

    async def aclose(self) -> None:
        """Close the call. All readers come to an end. Idempotent."""
        self._following.close()
        # Whoever is reading ends the generator as it comes to the end itself.
        if self._events is not None and not self._lock.locked():
            await self._events.aclose()

    async def _step(self) -> None:
        if self._between is not None:
            await self._between()
        if self._events is None:
            self._events = self._following.events()
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            self._has_ended = True
            return
        except CallError as error:
            self.failure = error
            self._has_ended = True
            return
        except BaseException:
            # A generator that was cancelled is at its end. The next reader begins a new one.
            self._events = None
            raise
        if event is not None and self._note(event):
            for reader in self._readers:
                reader.take(event)


class Listeners(Generic[T]):
    """Those who listen, and are still held by somebody. Any thread may add one; one thread goes through them."""

    def __init__(self) -> None:
        self._references: list[weakref.ref[T]] = []

    def add(self, listener: T) -> None:
        """Have one more."""
        self._references.append(weakref.ref(listener))

    def __iter__(self) -> Iterator[T]:
        for reference in tuple(self._references):
            listener = reference()
            if listener is not None:
                yield listener
            else:
                self._references.remove(reference)


class EventReader(AsyncIterator[event_pb2.Event]):
    """One reader's events."""

    def __init__(self, pulled: Pulled) -> None:
        """Made by Pulled.reader."""
        self._pulled = pulled
        self._waiting: deque[event_pb2.Event] = deque()
        self._lags = False

    def take(self, event: event_pb2.Event) -> None:
        """Keep the event for the reader."""
        self._lags = self._lags or len(self._waiting) >= _EVENTS_AHEAD_MAX
        if self._lags:
            self._waiting.clear()
        else:
            self._waiting.append(event)

    async def __anext__(self) -> event_pb2.Event:
        await self._pulled.until(lambda: self._waiting or self._lags)
        if self._lags:
            raise ReaderLagsError(_EVENTS_AHEAD_MAX)
        if self._waiting:
            return self._waiting.popleft()
        if self._pulled.failure is not None:
            raise self._pulled.failure.with_traceback(None)
        raise StopAsyncIteration
