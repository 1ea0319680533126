"""Methods of later versions: UNIMPLEMENTED, with the reason. A method moves to its servicer when it is made."""

from typing import Any

from runwire.v1 import session_service_pb2 as session_pb
from runwire.v1 import session_service_pb2_grpc
from runwire_server.domain.errors import NotImplementedYetError

_LATER = "it comes with a later version"


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
