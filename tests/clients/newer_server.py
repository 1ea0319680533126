"""A server from the future, before a server of today: it says things that no client knows yet."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from runwire.v1 import event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb

_STREAMS = {"/runwire.v1.RunnerService/Run", "/runwire.v1.RunnerService/Attach"}
_CALL_SECONDS = 60.0
# A field that no message has: number 900, a text.
_UNKNOWN_FIELD = b"\xa2\x38\x06future"
UNKNOWN_ENUM = 77


@contextmanager
def newer_server(upstream: str) -> Iterator[str]:
    """Serve what `upstream` does, with additions, until the block ends; yields the address."""
    with grpc.insecure_channel(upstream) as channel:
        server = grpc.server(ThreadPoolExecutor(16), handlers=[_PassingOn(channel)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait(5)


class _PassingOn(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def service(self, details: Any) -> Any:
        method = details.method
        if method not in _STREAMS:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, _: self._channel.unary_unary(method)(request, timeout=_CALL_SECONDS)
            )
        return grpc.unary_stream_rpc_method_handler(
            lambda request, context: self._stream(method, request, context)
        )

    def _stream(self, method: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        call = self._channel.unary_stream(method)(request, timeout=_CALL_SECONDS)
        context.add_callback(call.cancel)
        context.send_initial_metadata([(k, v) for k, v in call.initial_metadata() if k == "x-request-id"])
        for data in call:
            response = pb.RunResponse.FromString(data)
            event = response.event
            if event.HasField("completion") and event.completion.stop_reason == "error":
                event.completion.outcome = UNKNOWN_ENUM  # type: ignore[assignment]
            yield response.SerializeToString() + _UNKNOWN_FIELD
            if event.HasField("run_started"):
                yield from (addition.SerializeToString() for addition in _additions(event))


def _additions(event: event_pb2.Event) -> Iterator[pb.RunResponse]:
    """Yield events after one: of an unknown payload, and of an unknown state. Neither is stored."""
    base = event_pb2.Event(request_id=event.request_id, sequence=event.sequence, partial=True)
    base.MergeFromString(_UNKNOWN_FIELD)
    yield pb.RunResponse(event=base)
    changed = event_pb2.RunStateChanged(previous_state=run_pb2.RUN_STATE_RUNNING, state=UNKNOWN_ENUM)  # type: ignore[arg-type]
    yield pb.RunResponse(
        event=event_pb2.Event(
            request_id=event.request_id, sequence=event.sequence, partial=True, run_state_changed=changed
        )
    )
