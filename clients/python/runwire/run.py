"""A run as its caller sees it: its events, its text, its end. Reconnects by itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from runwire.errors import CallError, ending_error
from runwire.v1 import content_pb2, event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb

# Between two events that arrive, a stream may break this often before the client gives up.
_TRIES_MAX = 8
# A server that was never reached is more likely not there than gone for a moment.
_FIRST_TRIES_MAX = 3
_DELAY_SECONDS_FIRST = 0.1
_DELAY_SECONDS_MAX = 5.0
_STREAM_ONLY = frozenset({"caught_up", "heartbeat", "reconnect"})
_WITHOUT_NEWS = frozenset({"caught_up", "reconnect"})
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


class RunStream:
    """The events of one run. Iterate it once; `text` and `result` read what is left of it.

    Every durable event comes exactly once, in order, however often the connection breaks; the deltas of a message may
    come again from its beginning (`offset` 0 replaces). `deltas` takes care of that. Use it as `async with`: leaving
    closes the stream. That does not cancel the run; the server does, after its grace, when nobody follows it.
    """

    def __init__(
        self,
        request_id: str,
        *,
        start: Callable[[], Any] | None,
        attach: Callable[[int], Any],
        cancel: Callable[..., Any],
        after_sequence: int = 0,
        keeps_stream_only: bool = False,
    ) -> None:
        """Made by Client.run and Client.attach."""
        self.request_id = request_id
        self.session_id = ""
        self.last_sequence = after_sequence
        self.completion: event_pb2.Completion | None = None
        self._start = start
        self._attach = attach
        self._cancel = cancel
        self._keeps_stream_only = keeps_stream_only
        self._final_text = ""
        self._events = self._read()

    async def __aenter__(self) -> RunStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the stream. Idempotent."""
        await self._events.aclose()

    def __aiter__(self) -> AsyncIterator[event_pb2.Event]:
        return self._events

    async def cancel(
        self, reason: str = "", mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_IMMEDIATE
    ) -> bool:
        """Ask the run to stop. Return whether that changed anything. Raises: CallError."""
        changed: bool = await self._cancel(self.request_id, reason=reason, mode=mode)
        return changed

    async def result(self) -> event_pb2.Completion:
        """Read to the end, and return how it ended. Raises: CallError."""
        async for _ in self._events:
            continue
        if self.completion is None:
            raise RuntimeError("the stream was closed before the run ended")
        return self.completion

    async def text(self) -> str:
        """Read to the end, and return the text of the last message.

        Raises: RunEndedError when it did not end well, CallError.
        """
        completion = await self.result()
        if completion.outcome != run_pb2.OUTCOME_COMPLETED:
            raise ending_error(completion)
        return completion.message.content or self._final_text

    async def deltas(self) -> AsyncGenerator[str, None]:
        """Yield the assistant's text piece by piece, each once, whatever the connection did."""
        shown: dict[str, int] = {}
        async for event in self._events:
            kind = event.WhichOneof("payload")
            if kind == "text_delta":
                delta = event.text_delta
                have = shown.get(delta.message_id, 0)
                fresh = delta.text[max(have - delta.offset, 0) :]
                shown[delta.message_id] = max(have, delta.offset + len(delta.text))
            elif _is_answer(event):
                fresh = event.message.message.content[shown.pop(event.message.message_id, 0) :]
            else:
                continue
            if fresh:
                yield fresh

    async def _read(self) -> AsyncGenerator[event_pb2.Event, None]:
        # How often the stream broke since an event came; a server that only sends clients away counts too.
        tries = 0
        while True:
            delay = _delay_seconds(tries)
            has_news = False
            try:
                async with aclosing(self._open()) as events:
                    async for event in events:
                        kind = event.WhichOneof("payload")
                        if kind not in _WITHOUT_NEWS:
                            tries, delay, has_news = 0, 0.0, True
                        if self._note(event):
                            yield event
                        if self.completion is not None:
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
                tries_max = _TRIES_MAX if self.last_sequence else _FIRST_TRIES_MAX
                if not self._may_retry(error) or tries >= tries_max:
                    raise CallError(error) from None
                delay = _delay_seconds(tries)
            await asyncio.sleep(delay)

    async def _open(self) -> AsyncGenerator[event_pb2.Event, None]:
        """Yield the events of one call. Closing it cancels the call: gRPC does not do so by itself."""
        # A Run may always be repeated: the same request id joins the run that is there.
        is_first = self._start is not None and self.last_sequence == 0
        call = self._start() if is_first and self._start else self._attach(self.last_sequence)
        try:
            async for response in call:
                yield response.event
        finally:
            call.cancel()

    def _note(self, event: event_pb2.Event) -> bool:
        """Take what the event says of the run; return whether to show it."""
        kind = event.WhichOneof("payload")
        self.last_sequence = max(self.last_sequence, event.sequence)
        if kind == "run_started":
            self.session_id = event.run_started.run.session.session_id
        elif _is_answer(event):
            self._final_text = event.message.message.content
        elif kind == "completion":
            self.completion = event.completion
        return self._keeps_stream_only or kind not in _STREAM_ONLY

    def _may_retry(self, error: grpc.aio.AioRpcError) -> bool:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and self.last_sequence == 0:
            return False
        return error.code() in _BROKEN and not _is_final(error)


def _delay_seconds(tries: int) -> float:
    """Return how long to wait after so many tries in vain: exponential, with jitter."""
    if not tries:
        return 0.0
    longest: float = min(_DELAY_SECONDS_FIRST * 2**tries, _DELAY_SECONDS_MAX)
    return longest * random.uniform(0.5, 1)  # noqa: S311 -- nothing to guess here


def _is_answer(event: event_pb2.Event) -> bool:
    """Whether the event is a whole message of the assistant that has text."""
    said = event.message.message
    return said.role == content_pb2.ROLE_ASSISTANT and bool(said.content)


def _is_final(error: grpc.aio.AioRpcError) -> bool:
    """Whether an INTERNAL is the server's own word on a bug, not a cut stream: that has our details."""
    has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    return error.code() is not grpc.StatusCode.UNAVAILABLE and has_details
