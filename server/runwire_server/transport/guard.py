"""The interceptor that every call goes through: nothing hangs, nothing leaks (notes/grpc.md §2.1).

- A request that cannot be parsed is INVALID_ARGUMENT, not INTERNAL.
- A domain error is its status; any other exception, and one that should have ended a run, is INTERNAL with an error
  id, its text only in the log.
- A CancelledError that did not come from the peer is ABORTED: without that the client would hang for ever.
- A response stream is driven here, so that its clean-up runs in the call's own task; a write that the peer does not
  take for too long ends the call.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from runwire_server.domain.errors import HookError, RunwireError
from runwire_server.domain.ids import new_id
from runwire_server.transport.errors import error_to_status, internal_status, simple_status

_logger = logging.getLogger(__name__)
# A peer that reads nothing does not take a status either; the call ends here all the same.
# A peer that is gone is found by keepalive. One that reads slowly pins one message, so it may take its time.
WRITE_TIMEOUT_SECONDS = 900.0
_ABORT_SECONDS = 1.0
_CANCEL_SECONDS = 1.0


class _Malformed:
    """Stands for a request that could not be parsed."""


class _WriteWatch:
    """Cancels a call when one of its writes is not taken in time. One timer a stream, none a write.

    It looks twice in the timeout, so a write that hangs is found after one to one and a half timeouts.
    """

    def __init__(self, task: asyncio.Task[Any], timeout_seconds: float) -> None:
        self.is_slow = False
        self._task = task
        self._timeout = timeout_seconds
        # When the write began that is under way.
        self.began: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(timeout_seconds / 2, self._look)

    def _look(self) -> None:
        if self.began is not None and self._loop.time() - self.began >= self._timeout:
            self.is_slow = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_later(self._timeout / 2, self._look)

    def close(self) -> None:
        self._timer.cancel()


class Guard(grpc.aio.ServerInterceptor):
    """Wraps every handler but those with request streams (reflection's)."""

    def __init__(self, *, write_timeout_seconds: float = WRITE_TIMEOUT_SECONDS) -> None:
        self._write_timeout = write_timeout_seconds
        # By method, with what they guard: gRPC asks for each call, and looks at each handler that is made.
        self._guarded_handlers: dict[str, tuple[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler to use. See grpc.aio.ServerInterceptor."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        known, guarded = self._guarded_handlers.get(method, (None, None))
        if handler is not known:
            guarded = self._guard(method, handler)
            self._guarded_handlers[method] = (handler, guarded)
        return guarded

    def _guard(self, method: str, handler: Any) -> Any:
        if handler is None or handler.request_streaming:
            return handler
        inner = handler.unary_stream if handler.response_streaming else handler.unary_unary
        make = (
            grpc.unary_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(
            self._guarded(method, inner),
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=_passing_bytes(handler.response_serializer),
        )

    def _guarded(self, method: str, inner: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        is_stream = inspect.isasyncgenfunction(inner)

        # It must be `async def`: gRPC runs anything else in a thread.
        async def call(request: Any, context: Any) -> Any:
            try:
                if isinstance(request, _Malformed):
                    text = "the request is not a valid message: is all its text UTF-8?"
                    await _abort(context, simple_status(code_pb2.INVALID_ARGUMENT, "MALFORMED_REQUEST", text))
                elif is_stream:
                    await self._drive(inner, request, context)
                else:
                    return await inner(request, context)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # the peer, its deadline, or our own stop
                text = "the operation was aborted"
                await _abort(context, simple_status(code_pb2.ABORTED, "OPERATION_ABORTED", text))
            except grpc.aio.BaseError:
                raise  # an abort, or a peer that is gone
            except Exception as error:  # noqa: BLE001 -- nothing that a handler raises may reach the peer as it is
                await _abort(context, _status_of(method, error))
            return None

        return call

    async def _drive(self, inner: Callable[[Any, Any], Any], request: Any, context: Any) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a handler runs in a task
        watch = _WriteWatch(task, self._write_timeout)
        now = asyncio.get_running_loop().time
        try:
            async with aclosing(inner(request, context)) as messages:
                async for message in messages:
                    watch.began = now()
                    try:
                        await context.write(message)
                    except grpc.aio.InternalError:
                        # The peer is gone, and gRPC cancels this call in a moment. Taken here, the cancel does not
                        # hit the first await of the stream's clean-up, which would be an error in the log.
                        watch.began = None
                        await asyncio.sleep(_CANCEL_SECONDS)
                        raise
                    watch.began = None
        except asyncio.CancelledError:
            if not watch.is_slow:
                raise
            task.uncancel()
            text = f"the reader took no message for {self._write_timeout:g} seconds"
            await _abort(context, simple_status(code_pb2.UNAVAILABLE, "SLOW_CONSUMER", text))
        finally:
            watch.close()


def _status_of(method: str, error: Exception) -> grpc.Status:
    """Return a domain error's own status; anything else goes to the log, under an id that the peer is told."""
    if isinstance(error, RunwireError):
        status = error_to_status(error)
        if status.code is not grpc.StatusCode.INTERNAL or isinstance(error, HookError):
            return status
    error_id = new_id()[:12]
    _logger.error("%s failed (error %s)", method, error_id, exc_info=error)
    return internal_status(error_id)


async def _abort(context: Any, status: grpc.Status) -> None:
    """End the call. The status waits for a peer that is slow to take it; the handler does not.

    After the timeout the handler just returns: gRPC then raises the abort error itself, and accepts no other.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_ABORT_SECONDS):
            await context.abort_with_status(status)


def _tolerant(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parsed(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError:
            return _Malformed()

    return parsed


def _passing_bytes(serialise: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Let handlers yield messages that are serialised already."""

    def serialised(message: Any) -> bytes:
        return message if isinstance(message, bytes) else serialise(message)

    return serialised
