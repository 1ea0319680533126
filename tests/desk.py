"""A server and what one needs to call it, for tests of runs that ask, wait and are steered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from runwire.v1 import content_pb2, event_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.app import App
from support import CALL_SECONDS, durable, run_request, started_server

APPROVED = event_pb2.APPROVAL_DECISION_APPROVED
SESSION = {"user_id": "u", "session_id": "s"}


class Desk:
    """A server and what one needs to call it."""

    def __init__(self, service: Any, channel: grpc.aio.Channel) -> None:
        self.service = service
        self.runs = runner_service_pb2_grpc.RunnerServiceStub(channel)
        self.sessions = session_service_pb2_grpc.SessionServiceStub(channel)

    async def start(self, **fields: Any) -> Any:
        """Start a run that asks something, and return it once it waits."""
        fields = {"request_id": "r", "session_id": "s", "content": "go", **fields}
        call = self.runs.Run(run_request(fields.pop("content"), **fields), timeout=CALL_SECONDS)
        await anext(aiter(call))
        run = await self.waiting(fields["request_id"])
        call.cancel()
        return run

    async def waiting(self, request_id: str = "r") -> Any:
        """Return the run once it waits or has ended."""
        request = pb.WaitRunRequest(request_id=request_id)
        return (await self.runs.WaitRun(request, timeout=CALL_SECONDS)).run

    async def ended(self, request_id: str = "r") -> Any:
        """Return the run once it has ended, and all its durable events."""
        request = pb.AttachRequest(request_id=request_id)
        events = [item.event async for item in self.runs.Attach(request, timeout=CALL_SECONDS)]
        return events[-1].completion, durable(events)

    async def resolve(
        self, approval_id: str, decision: Any = APPROVED, request_id: str = "r", **fields: Any
    ) -> Any:
        """Answer an approval."""
        request = pb.ResolveApprovalRequest(
            request_id=request_id, approval_id=approval_id, decision=decision, **fields
        )
        return await self.runs.ResolveApproval(request, timeout=CALL_SECONDS)

    async def submit(self, **outputs: str) -> Any:
        """Give outputs of tool calls."""
        results = [content_pb2.ToolResult(tool_call_id=key, content=text) for key, text in outputs.items()]
        request = pb.SubmitToolOutputsRequest(request_id="r", outputs=results)
        return (await self.runs.SubmitToolOutputs(request, timeout=CALL_SECONDS)).run

    async def history(self) -> list[Any]:
        """Return the session's events."""
        request = session_pb.GetSessionRequest(key=SESSION)
        return [item.event for item in (await self.sessions.GetSession(request, timeout=CALL_SECONDS)).events]


@asynccontextmanager
async def desk(app: App, store_url: str, **settings: Any) -> AsyncIterator[Desk]:
    async with (
        started_server(app, store_url, **settings) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        yield Desk(service, channel)


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), error.value.details() or ""
