"""A real server of one tiny handler behind the guard."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_status import rpc_status

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
