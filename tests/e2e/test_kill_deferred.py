"""Asynchronous persistence and a real kill -9: what is left is the beginning of what was seen, and is closed."""

from pathlib import Path
from typing import Any

import grpc

from runwire.client import Client
from runwire.v1 import run_pb2, runner_service_pb2_grpc
from support import durable, run_request, server_process


async def test_kill_9_leaves_a_prefix_that_is_closed(tmp_path: Path) -> None:
    options = {"RUNWIRE_LEASE_TTL_SECONDS": "1", "RUNWIRE_PERSISTENCE": "async"}
    with server_process(cwd=tmp_path, **options) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
            done = run_request("What is 1+1?", request_id="done", session_id="s")
            whole = durable([response.event async for response in stub.Run(done, timeout=30)])
            seen = []
            request = run_request("write a slow report on tea", request_id="r", session_id="s")
            async for response in stub.Run(request, timeout=30):
                seen.append(response.event)
                if response.event.WhichOneof("payload") == "tool_progress":
                    break
            server.kill()
    with server_process(cwd=tmp_path, **options) as server:
        async with Client(server.address, user_id="u") as client:
            async with client.attach("done") as attached:
                assert durable([event async for event in attached]) == whole
            async with client.attach("r") as attached:
                events = durable([event async for event in attached])
            again = await client.chat("What is 1+1?", session_id="s")

    last = events[-1]
    # What the next attempt wrote ends the log.
    kept = [event for event in events if event.attempt == 1]
    assert kept
    assert kept == durable(seen)[: len(kept)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert last.completion.outcome == run_pb2.OUTCOME_LOST
    assert again == "1+1 = 2."
