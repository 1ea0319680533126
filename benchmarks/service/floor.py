"""The floor: a bare grpc.aio handler that streams ready-made messages, under Run's name. One per token.

`python -m benchmarks.service.floor PORT`. It reads `tokens=` and `rate=` in the message as the model server does.
There is no model, no store and no log behind it: nobody can stream one message per token with grpc.aio for less.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc.aio
import uvloop

from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import runner_service_pb2_grpc

_SETTING = re.compile(r"\b(tokens|rate)=(\d+)")


class Floor(runner_service_pb2_grpc.RunnerServiceServicer):
    """Streams one text delta as often as asked for."""

    def __init__(self) -> None:
        self._delta = pb.RunResponse()
        event = self._delta.event
        event.request_id = "00000000000000000000000000000000"
        event.sequence = 2
        event.create_time.FromDatetime(datetime.now(UTC))
        event.author, event.object, event.partial = "assistant", "chat.completion.chunk", True
        event.text_delta.message_id = event.request_id
        event.text_delta.text = "00a1b2c3d4 "
        event.text_delta.offset = 500

    async def Run(self, request: pb.RunRequest, context: Any) -> AsyncIterator[pb.RunResponse]:  # noqa: N802
        """Stream the tokens."""
        asked = {key: int(value) for key, value in _SETTING.findall(request.message.content)}
        rate = asked.get("rate", 0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index in range(asked.get("tokens", 500)):
            if rate and (early := began + index / rate - loop.time()) > 0:
                await asyncio.sleep(early)
            yield self._delta


async def serve(port: int) -> None:
    """Serve until the process ends."""
    server = grpc.aio.server()
    runner_service_pb2_grpc.add_RunnerServiceServicer_to_server(Floor(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"listening 127.0.0.1:{bound}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
