"""What a client can do with runs that are there: look, stop, steer, and answer what they ask."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any

from runwire.sessions import SessionCalls
from runwire.v1 import content_pb2, event_pb2, run_pb2, runner_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb


class RunCalls(SessionCalls):
    """The part of Client that is about runs. All methods raise CallError."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._runner: Any = runner_service_pb2_grpc.RunnerServiceStub(self._channel)

    async def cancel(
        self,
        request_id: str,
        *,
        reason: str = "",
        mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_IMMEDIATE,
        wait_seconds: float = 0.0,
    ) -> pb.CancelResponse:
        """Ask a run to stop, and wait that long for its end."""
        request = pb.CancelRequest(app_name=self.app_name, request_id=request_id, reason=reason, mode=mode)
        if wait_seconds:
            request.wait.FromTimedelta(timedelta(seconds=wait_seconds))
        response: pb.CancelResponse = await self._call(self._runner.Cancel, request, wait_seconds)
        return response

    async def status(self, request_id: str) -> run_pb2.Run:
        """Return how a run is."""
        request = pb.RunStatusRequest(app_name=self.app_name, request_id=request_id)
        run: run_pb2.Run = (await self._call(self._runner.RunStatus, request)).run
        return run

    async def wait(self, request_id: str, *, timeout_seconds: float = 30.0) -> run_pb2.Run:
        """Return the run once it has ended or waits for an answer, or as it is after that time (at most 300 s)."""
        request = pb.WaitRunRequest(app_name=self.app_name, request_id=request_id)
        request.timeout.FromTimedelta(timedelta(seconds=timeout_seconds))
        run: run_pb2.Run = (await self._call(self._runner.WaitRun, request, timeout_seconds)).run
        return run

    async def runs(self, **filters: Any) -> AsyncGenerator[run_pb2.Run, None]:
        """Yield runs, newest first, page by page. Takes the fields of ListRunsRequest."""
        request = pb.ListRunsRequest(app_name=self.app_name, **filters)
        async for page in self._pages(self._runner.ListRuns, request):
            for run in page.runs:
                yield run

    async def run_events(
        self, request_id: str, *, after_sequence: int = 0
    ) -> AsyncGenerator[event_pb2.Event, None]:
        """Yield the durable events that a run has now."""
        request = pb.ListRunEventsRequest(
            app_name=self.app_name, request_id=request_id, after_sequence=after_sequence
        )
        async for page in self._pages(self._runner.ListRunEvents, request):
            for event in page.events:
                yield event

    # Steering

    async def enqueue(
        self, request_id: str, message: str | content_pb2.Message, message_id: str = ""
    ) -> pb.EnqueueMessageResponse:
        """Give a live run a user message, which it reads before its next model call. An id makes a retry safe."""
        said = content_pb2.Message(content=message) if isinstance(message, str) else message
        request = pb.EnqueueMessageRequest(
            app_name=self.app_name, request_id=request_id, message=said, message_id=message_id
        )
        response: pb.EnqueueMessageResponse = await self._call(self._runner.EnqueueMessage, request)
        return response

    async def cancel_queued(self, request_id: str, message_id: str = "") -> int:
        """Take back one message that the run has not read, or all. Return how many that were."""
        request = pb.CancelQueuedMessagesRequest(
            app_name=self.app_name, request_id=request_id, message_id=message_id
        )
        count: int = (await self._call(self._runner.CancelQueuedMessages, request)).cancelled_count
        return count

    # Answers

    async def approve(
        self,
        request_id: str,
        approval_id: str,
        *,
        arguments: str | Mapping[str, Any] | None = None,
        comment: str = "",
        decided_by: str = "",
    ) -> pb.ResolveApprovalResponse:
        """Let a tool call be executed; with `arguments` (JSON text or a mapping) in place of the model's.

        The first answer counts. The same again is OK; another one is a CallError with FAILED_PRECONDITION.
        """
        request = pb.ResolveApprovalRequest(
            app_name=self.app_name,
            request_id=request_id,
            approval_id=approval_id,
            decision=event_pb2.APPROVAL_DECISION_APPROVED,
            arguments=_json_text(arguments),
            comment=comment,
            decided_by=decided_by,
        )
        response: pb.ResolveApprovalResponse = await self._call(self._runner.ResolveApproval, request)
        return response

    async def deny(
        self, request_id: str, approval_id: str, *, comment: str = "", decided_by: str = ""
    ) -> pb.ResolveApprovalResponse:
        """Have a tool call not executed; the model is told, with the comment. See `approve`."""
        request = pb.ResolveApprovalRequest(
            app_name=self.app_name,
            request_id=request_id,
            approval_id=approval_id,
            decision=event_pb2.APPROVAL_DECISION_DENIED,
            comment=comment,
            decided_by=decided_by,
        )
        response: pb.ResolveApprovalResponse = await self._call(self._runner.ResolveApproval, request)
        return response

    async def submit_outputs(
        self, request_id: str, outputs: Mapping[str, str | content_pb2.ToolResult]
    ) -> run_pb2.Run:
        """Give outputs of tool calls that the caller executes, by call id. Not all must come at once."""
        request = pb.SubmitToolOutputsRequest(
            app_name=self.app_name,
            request_id=request_id,
            outputs=[_tool_result(call_id, output) for call_id, output in outputs.items()],
        )
        run: run_pb2.Run = (await self._call(self._runner.SubmitToolOutputs, request)).run
        return run


def _tool_result(call_id: str, output: str | content_pb2.ToolResult) -> content_pb2.ToolResult:
    result = content_pb2.ToolResult()
    if isinstance(output, str):
        result.content = output
        result.status = content_pb2.TOOL_STATUS_OK
    else:
        result.CopyFrom(output)
    result.tool_call_id = call_id
    return result


def _json_text(arguments: str | Mapping[str, Any] | None) -> str:
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(dict(arguments), ensure_ascii=False)
