"""A server that does what a test's script says: the services over a real socket, no Runwire behind them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from runwire.v1 import content_pb2, event_pb2, run_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb


@dataclass(frozen=True)
class Abort:
    """End the call with this status."""

    code: grpc.StatusCode
    details: str = "cut"


class Hang:
    """Say nothing more until the caller leaves."""


@dataclass(frozen=True)
class Until:
    """Go on once this is set."""

    event: asyncio.Event


@dataclass(frozen=True)
class Answers:
    """Go on once the run was given that many answers: approvals, outputs, messages, cancels."""

    count: int


Step = event_pb2.Event | Abort | Hang | Until | Answers


class ScriptedRunner(runner_service_pb2_grpc.RunnerServiceServicer):
    """Plays one script for each stream, in the order in which the streams come."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.runs: list[pb.RunRequest] = []
        self.attaches: list[pb.AttachRequest] = []
        self.cancels: list[pb.CancelRequest] = []
        self.enqueued: list[pb.EnqueueMessageRequest] = []
        self.cancelled_queued: list[pb.CancelQueuedMessagesRequest] = []
        self.resolved: list[pb.ResolveApprovalRequest] = []
        self.outputs: list[pb.SubmitToolOutputsRequest] = []
        # What the next answers end with, instead of well.
        self.refusals: list[grpc.StatusCode] = []
        # Scripts for one run, which go before the others.
        self.of_run: dict[str, list[Sequence[Step]]] = {}
        self.sends_metadata = False
        # What RunStatus and ListRuns know; without them they play their own parts.
        self.known: list[run_pb2.Run] = []
        self.left = asyncio.Event()
        self._answered = asyncio.Condition()

    async def Run(self, request: pb.RunRequest, context: Any) -> AsyncIterator[pb.RunResponse]:
        self.runs.append(request)
        if self.sends_metadata:
            await context.send_initial_metadata((("x-request-id", request.request_id),))
        async for event in self._play(request.request_id, context):
            yield pb.RunResponse(event=event)

    async def Attach(self, request: pb.AttachRequest, context: Any) -> AsyncIterator[pb.AttachResponse]:
        self.attaches.append(request)
        async for event in self._play(request.request_id, context):
            yield pb.AttachResponse(event=event)

    async def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelResponse:
        await self._take(self.cancels, request, context)
        return pb.CancelResponse(changed=True)

    async def EnqueueMessage(
        self, request: pb.EnqueueMessageRequest, context: Any
    ) -> pb.EnqueueMessageResponse:
        await self._take(self.enqueued, request, context)
        return pb.EnqueueMessageResponse(message_id=request.message_id or "made", queue_length=1)

    async def CancelQueuedMessages(
        self, request: pb.CancelQueuedMessagesRequest, context: Any
    ) -> pb.CancelQueuedMessagesResponse:
        self.cancelled_queued.append(request)
        return pb.CancelQueuedMessagesResponse(cancelled_count=2)

    async def ResolveApproval(
        self, request: pb.ResolveApprovalRequest, context: Any
    ) -> pb.ResolveApprovalResponse:
        await self._take(self.resolved, request, context)
        return pb.ResolveApprovalResponse(run=run_pb2.Run(request_id=request.request_id))

    async def SubmitToolOutputs(
        self, request: pb.SubmitToolOutputsRequest, context: Any
    ) -> pb.SubmitToolOutputsResponse:
        await self._take(self.outputs, request, context)
        return pb.SubmitToolOutputsResponse(run=run_pb2.Run(request_id=request.request_id))

    async def _take(self, kept: list[Any], request: Any, context: Any) -> None:
        if self.refusals:
            await context.abort(self.refusals.pop(0), "not now")
        async with self._answered:
            kept.append(request)
            self._answered.notify_all()

    @property
    def answer_count(self) -> int:
        """How many answers came."""
        return len(self.enqueued) + len(self.resolved) + len(self.outputs) + len(self.cancels)

    async def RunStatus(self, request: pb.RunStatusRequest, context: Any) -> pb.RunStatusResponse:
        for run in self.known:
            if run.request_id == request.request_id:
                return pb.RunStatusResponse(run=run)
        if request.request_id == "forever":
            await asyncio.sleep(60)
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field="request_id", description="too odd")
        info = error_details_pb2.ErrorInfo(reason="ODD_REQUEST", domain="runwire")
        status = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="bad request")
        for detail in (info, bad):
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        await context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort returns never")

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:
        if self.known:
            return pb.ListRunsResponse(runs=self.known)
        first = int(request.page_token or "0")
        return pb.ListRunsResponse(
            runs=[run_pb2.Run(request_id=str(number)) for number in range(first, first + 2)],
            next_page_token=str(first + 2) if first < 4 else "",
        )

    async def _play(self, request_id: str, context: Any) -> AsyncGenerator[event_pb2.Event, None]:
        try:
            for step in (self.of_run.get(request_id) or self.scripts).pop(0):
                match step:
                    case Abort():
                        await context.abort(step.code, step.details)
                    case Hang():
                        await asyncio.sleep(60)
                    case Until():
                        await step.event.wait()
                    case Answers():
                        await self._has_answers(step.count)
                    case _:
                        yield step
        finally:
            self.left.set()

    async def _has_answers(self, count: int) -> None:
        async with self._answered:
            await self._answered.wait_for(lambda: self.answer_count >= count)


class ScriptedSessions(session_service_pb2_grpc.SessionServiceServicer):
    """Keeps one tier of state, and what was asked of events."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.asked: list[Any] = []

    async def AppendEvent(
        self, request: session_pb.AppendEventRequest, context: Any
    ) -> session_pb.AppendEventResponse:
        self.asked.append(request)
        return session_pb.AppendEventResponse(event=session_pb.SessionEvent(position=7, event=request.event))

    async def TruncateSession(
        self, request: session_pb.TruncateSessionRequest, context: Any
    ) -> session_pb.TruncateSessionResponse:
        self.asked.append(request)
        return session_pb.TruncateSessionResponse(deleted_count=3)

    async def GetEventWindow(
        self, request: session_pb.GetEventWindowRequest, context: Any
    ) -> session_pb.GetEventWindowResponse:
        self.asked.append(request)
        return session_pb.GetEventWindowResponse(events=[session_pb.SessionEvent(position=4)])

    async def UpdateState(
        self, request: session_pb.UpdateStateRequest, context: Any
    ) -> session_pb.UpdateStateResponse:
        self.state |= dict(request.delta)
        response = session_pb.UpdateStateResponse()
        response.state.update(self.state)
        return response

    async def DeleteState(
        self, request: session_pb.DeleteStateRequest, context: Any
    ) -> session_pb.DeleteStateResponse:
        for key in request.keys:
            self.state.pop(key, None)
        response = session_pb.DeleteStateResponse()
        response.state.update(self.state)
        return response


@asynccontextmanager
async def serving(
    runner: ScriptedRunner, sessions: ScriptedSessions | None = None
) -> AsyncGenerator[str, None]:
    """Serve, and yield the address."""
    server = grpc.aio.server()
    runner_service_pb2_grpc.add_RunnerServiceServicer_to_server(runner, server)
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(sessions or ScriptedSessions(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


def started(session_id: str = "s1") -> event_pb2.Event:
    """The first event of a run."""
    event = event_pb2.Event(sequence=1)
    event.run_started.run.session.session_id = session_id
    return event


def delta(text: str, offset: int, *, after: int = 1, message_id: str = "m1") -> event_pb2.Event:
    """A piece of a message's text."""
    piece = event_pb2.TextDelta(message_id=message_id, text=text, offset=offset)
    return event_pb2.Event(sequence=after, partial=True, text_delta=piece)


def answer(text: str, sequence: int, *, message_id: str = "m1") -> event_pb2.Event:
    """A whole message of the assistant."""
    message = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, content=text)
    said = event_pb2.MessageEvent(message_id=message_id, message=message)
    return event_pb2.Event(sequence=sequence, message=said)


def question(text: str, sequence: int) -> event_pb2.Event:
    """A whole message of the user."""
    message = content_pb2.Message(role=content_pb2.ROLE_USER, content=text)
    return event_pb2.Event(sequence=sequence, message=event_pb2.MessageEvent(message_id="q", message=message))


def output(text: str, offset: int, *, call_id: str = "c1", after: int = 1) -> event_pb2.Event:
    """A piece of what a tool writes."""
    piece = event_pb2.ToolOutputDelta(tool_call_id=call_id, tool_name="t", text=text, offset=offset)
    return event_pb2.Event(sequence=after, partial=True, tool_output_delta=piece)


def calls(sequence: int, *call_ids: str, message_id: str = "m1") -> event_pb2.Event:
    """A message of the assistant that calls tools."""
    message = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
    for call_id in call_ids:
        message.tool_calls.add(id=call_id, name="t", arguments="{}")
    said = event_pb2.MessageEvent(message_id=message_id, message=message)
    return event_pb2.Event(sequence=sequence, message=said)


def results(sequence: int, **contents: str) -> event_pb2.Event:
    """The results of a round of calls, by call id."""
    event = event_pb2.Event(sequence=sequence, tool_results=event_pb2.ToolResults(message_id="m1"))
    for call_id, content in contents.items():
        event.tool_results.results.add(tool_call_id=call_id, tool_name="t", content=content)
    return event


def asks(sequence: int, approval_id: str = "a1") -> event_pb2.Event:
    """A tool call needs a decision."""
    call = content_pb2.ToolCall(id="c1", name="send", arguments='{"to": "bob"}')
    asked = event_pb2.ApprovalRequested(approval_id=approval_id, tool_call=call, reason="it is mail")
    return event_pb2.Event(sequence=sequence, approval_requested=asked)


def resolved(sequence: int, approval_id: str = "a1") -> event_pb2.Event:
    """A decision was made."""
    decided = event_pb2.ApprovalResolved(
        approval_id=approval_id, decision=event_pb2.APPROVAL_DECISION_APPROVED
    )
    return event_pb2.Event(sequence=sequence, approval_resolved=decided)


def wants_outputs(sequence: int, **arguments: str) -> event_pb2.Event:
    """The caller must execute calls: the name of each tool with its arguments; the id is the name."""
    event = event_pb2.Event(sequence=sequence, tool_outputs_requested=event_pb2.ToolOutputsRequested())
    for name, text in arguments.items():
        event.tool_outputs_requested.tool_calls.add(id=name, name=name, arguments=text)
    return event


def reconnect(sequence: int) -> event_pb2.Event:
    """The server sends its followers away."""
    return event_pb2.Event(sequence=sequence, reconnect=event_pb2.Reconnect())


def caught_up(sequence: int) -> event_pb2.Event:
    """What follows is live."""
    return event_pb2.Event(sequence=sequence, caught_up=event_pb2.CaughtUp(last_sequence=sequence))


def ended(
    sequence: int, outcome: run_pb2.Outcome.ValueType = run_pb2.OUTCOME_COMPLETED, message: str = ""
) -> event_pb2.Event:
    """The last event of a run."""
    completion = event_pb2.Completion(outcome=outcome, last_sequence=sequence)
    if message:
        completion.error.message = message
    return event_pb2.Event(sequence=sequence, completion=completion)
