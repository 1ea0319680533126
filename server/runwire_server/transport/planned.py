"""Methods of later versions: UNIMPLEMENTED, with the reason. A method moves to its servicer when it is made."""

from typing import Any

from runwire.v1 import runner_service_pb2 as runner_pb
from runwire.v1 import runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.domain.errors import NotImplementedYetError

_LATER = "it comes with a later version"


class PlannedRunnerMethods(runner_service_pb2_grpc.RunnerServiceServicer):
    """What RunnerService cannot do yet."""

    async def EnqueueMessage(
        self, request: runner_pb.EnqueueMessageRequest, context: Any
    ) -> runner_pb.EnqueueMessageResponse:
        """Not yet."""
        raise NotImplementedYetError("steering a live run", _LATER)

    async def CancelQueuedMessages(
        self, request: runner_pb.CancelQueuedMessagesRequest, context: Any
    ) -> runner_pb.CancelQueuedMessagesResponse:
        """Not yet."""
        raise NotImplementedYetError("steering a live run", _LATER)

    async def ResolveApproval(
        self, request: runner_pb.ResolveApprovalRequest, context: Any
    ) -> runner_pb.ResolveApprovalResponse:
        """Not yet."""
        raise NotImplementedYetError("approving tool calls", _LATER)

    async def SubmitToolOutputs(
        self, request: runner_pb.SubmitToolOutputsRequest, context: Any
    ) -> runner_pb.SubmitToolOutputsResponse:
        """Not yet."""
        raise NotImplementedYetError("tools that the caller executes", _LATER)


class PlannedSessionMethods(session_service_pb2_grpc.SessionServiceServicer):
    """What SessionService cannot do yet."""

    async def CreateSummary(
        self, request: session_pb.CreateSummaryRequest, context: Any
    ) -> session_pb.CreateSummaryResponse:
        """Not yet."""
        raise NotImplementedYetError("summarising a session", _LATER)

    async def GetSummary(
        self, request: session_pb.GetSummaryRequest, context: Any
    ) -> session_pb.GetSummaryResponse:
        """Not yet."""
        raise NotImplementedYetError("summarising a session", _LATER)
