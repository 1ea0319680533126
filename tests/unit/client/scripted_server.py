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


Step = event_pb2.Event | Abort | Hang


class ScriptedRunner(runner_service_pb2_grpc.RunnerServiceServicer):
    """Plays one script for each stream, in the order in which the streams come."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.runs: list[pb.RunRequest] = []
        self.attaches: list[pb.AttachRequest] = []
        self.cancels: list[pb.CancelRequest] = []
        self.left = asyncio.Event()

    async def Run(self, request: pb.RunRequest, context: Any) -> AsyncIterator[pb.RunResponse]:
        self.runs.append(request)
        async for event in self._play(context):
            yield pb.RunResponse(event=event)

    async def Attach(self, request: pb.AttachRequest, context: Any) -> AsyncIterator[pb.AttachResponse]:
        self.attaches.append(request)
        async for event in self._play(context):
            yield pb.AttachResponse(event=event)

    async def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelResponse:
        self.cancels.append(request)
        return pb.CancelResponse(changed=True)

    async def RunStatus(self, request: pb.RunStatusRequest, context: Any) -> pb.RunStatusResponse:
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
        first = int(request.page_token or "0")
        return pb.ListRunsResponse(
            runs=[run_pb2.Run(request_id=str(number)) for number in range(first, first + 2)],
            next_page_token=str(first + 2) if first < 4 else "",
        )

    async def _play(self, context: Any) -> AsyncGenerator[event_pb2.Event, None]:
        try:
            for step in self.scripts.pop(0):
                if isinstance(step, Abort):
                    await context.abort(step.code, step.details)
                elif isinstance(step, Hang):
                    await asyncio.sleep(60)
                else:
                    yield step
        finally:
            self.left.set()


class ScriptedSessions(session_service_pb2_grpc.SessionServiceServicer):
    """Keeps one tier of state, and nothing else."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

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
async def serving(runner: ScriptedRunner) -> AsyncGenerator[str, None]:
    """Serve, and yield the address."""
    server = grpc.aio.server()
    runner_service_pb2_grpc.add_RunnerServiceServicer_to_server(runner, server)
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(ScriptedSessions(), server)
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
