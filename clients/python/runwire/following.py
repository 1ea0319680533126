"""One run's events over as many calls as it takes: reconnects by itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio

from runwire.errors import CallError
from runwire.v1 import event_pb2

# Between two events that arrive, a stream may break this often before the client gives up.
_TRIES_MAX = 8
# A server that was never reached is more likely not there than gone for a moment.
_FIRST_TRIES_MAX = 3
_DELAY_SECONDS_FIRST = 0.1
_DELAY_SECONDS_MAX = 5.0
_WITHOUT_NEWS = frozenset({"caught_up", "reconnect"})
_ACCEPTED_KEY = "x-request-id"
# What a broken connection looks like. A proxy that cuts a stream says INTERNAL or CANCELLED.
_BROKEN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        # The caller's deadline took the stream; the run has ended by it, and its completion is in the log.
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


class Following:
    """Follows one run. `last_sequence` is where it stands: `events` may be ended, and begun again, anywhere."""

    def __init__(
        self, start: Callable[[], Any] | None, attach: Callable[[int], Any], after_sequence: int = 0
    ) -> None:
        self.last_sequence = after_sequence
        # The server has the run, although nothing may have happened yet.
        self.is_accepted = start is None
        # What comes is happening now; otherwise it may be the past, with questions that were answered long ago.
        self.is_live = False
        self._start = start
        self._attach = attach
        self._has_ended = False
        self._was_reached = False
        self._closed = asyncio.Event()
        self._call: Any = None

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def close(self) -> None:
        """Cancel the call that is open. Whoever reads `events` comes to its end. Idempotent."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    async def events(self) -> AsyncGenerator[event_pb2.Event | None, None]:
        """Yield what is left of the run, to its completion; None for: accepted, and nothing else has happened.

        Raises: CallError when the call was refused, or the server cannot be reached for long.
        """
        try:
            async with aclosing(self._reconnecting()) as events:
                async for event in events:
                    yield event
        except asyncio.CancelledError:
            # A call that `close` cancelled looks like a reader that was cancelled.
            task = asyncio.current_task()
            if not self.is_closed or (task is not None and task.cancelling()):
                raise

    async def _reconnecting(self) -> AsyncGenerator[event_pb2.Event | None, None]:
        # How often the stream broke since an event came; a server that only sends clients away counts too.
        tries = 0
        while not self.is_closed and not self._has_ended:
            delay = _delay_seconds(tries)
            has_news = False
            try:
                async with aclosing(self._open()) as events:
                    async for event in events:
                        if event is None:
                            yield None
                            continue
                        kind = event.WhichOneof("payload")
                        if kind not in _WITHOUT_NEWS:
                            tries, delay, has_news = 0, 0.0, True
                        self._note(event)
                        yield event
                        if self._has_ended:
                            return
                        if kind == "reconnect":
                            pause = event.reconnect.delay
                            delay += pause.seconds + pause.nanos / 1e9
                            break
                    else:
                        if not has_news:
                            return  # it began behind the completion
                tries += 1
            except grpc.aio.AioRpcError as error:
                tries += 1
                if not self._may_retry(error, tries):
                    raise CallError(error) from None
                delay = _delay_seconds(tries)
            await self._pause(delay, tries)

    async def _open(self) -> AsyncGenerator[event_pb2.Event | None, None]:
        """Yield the events of one call. Closing it cancels the call: gRPC does not do so by itself."""
        # A Run may always be repeated: the same request id joins the run that is there.
        is_first = self._start is not None and self.last_sequence == 0
        self.is_live = is_first
        call = self._start() if is_first and self._start else self._attach(self.last_sequence)
        self._call = call
        try:
            if not self.is_accepted:
                metadata = await call.initial_metadata()
                if any(key == _ACCEPTED_KEY for key, _ in metadata or ()):
                    self.is_accepted = self._was_reached = True
                    yield None
            async for response in call:
                yield response.event
        finally:
            self._call = None
            call.cancel()

    def _note(self, event: event_pb2.Event) -> None:
        self.is_accepted = self._was_reached = True
        self.last_sequence = max(self.last_sequence, event.sequence)
        match event.WhichOneof("payload"):
            case "run_started":
                self.is_live = self.is_live and not event.run_started.joined
            case "caught_up" | "heartbeat":
                self.is_live = True
            case "completion":
                self._has_ended = True

    def _may_retry(self, error: grpc.aio.AioRpcError, tries: int) -> bool:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and self.last_sequence == 0:
            return False
        tries_max = _TRIES_MAX if self._was_reached else _FIRST_TRIES_MAX
        return error.code() in _BROKEN and not _is_final(error) and tries < tries_max

    async def _pause(self, seconds: float, tries: int) -> None:
        if tries >= _TRIES_MAX:
            raise CallError(_sent_away())
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return


def _delay_seconds(tries: int) -> float:
    """Return how long to wait after so many tries in vain: exponential, with jitter."""
    if not tries:
        return 0.0
    longest: float = min(_DELAY_SECONDS_FIRST * 2**tries, _DELAY_SECONDS_MAX)
    return longest * random.uniform(0.5, 1)  # noqa: S311 -- nothing to guess here


def _sent_away() -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, nothing, nothing, details="the server only sends its clients away"
    )


def _is_final(error: grpc.aio.AioRpcError) -> bool:
    """Whether an INTERNAL is the server's own word on a bug, not a cut stream: that has our details."""
    has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    return error.code() is not grpc.StatusCode.UNAVAILABLE and has_details
