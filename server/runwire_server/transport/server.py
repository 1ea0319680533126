"""Assemble the gRPC server: services, health, reflection, limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from runwire.v1 import agent_service_pb2 as agent_pb
from runwire.v1 import agent_service_pb2_grpc, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as runner_pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.domain.errors import UnavailableError
from runwire_server.runner.catalog import Catalog
from runwire_server.runner.conversations import Conversations
from runwire_server.runner.lifecycle import Lifecycle
from runwire_server.runner.mailing import Mailing
from runwire_server.runner.runner import Runner
from runwire_server.runner.watching import Watching
from runwire_server.transport.agent_service import AgentService, ServerFacts
from runwire_server.transport.channel_options import SERVER_OPTIONS
from runwire_server.transport.guard import WRITE_TIMEOUT_SECONDS, Guard
from runwire_server.transport.reflection import add_reflection
from runwire_server.transport.runner_service import RunnerService
from runwire_server.transport.session_service import SessionService

SERVICE_NAMES: tuple[str, ...] = (
    runner_pb.DESCRIPTOR.services_by_name["RunnerService"].full_name,
    session_pb.DESCRIPTOR.services_by_name["SessionService"].full_name,
    agent_pb.DESCRIPTOR.services_by_name["AgentService"].full_name,
)
# "" is the whole server. Liveness says only that the process answers; readiness that runs are taken.
_READINESS_NAMES = ("", "readiness", *SERVICE_NAMES)
_LIVENESS_NAME = "liveness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What the services call."""

    runner: Runner
    watching: Watching
    mailing: Mailing
    lifecycle: Lifecycle
    conversations: Conversations
    catalog: Catalog
    facts: ServerFacts


class Transport:
    """The gRPC server with its health. `start`, `serving`, `draining`, `stop`, in this order."""

    def __init__(
        self,
        backend: Backend,
        *,
        with_reflection: bool = True,
        write_timeout_seconds: float = WRITE_TIMEOUT_SECONDS,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        guard = Guard(write_timeout_seconds=write_timeout_seconds)
        self._server = grpc.aio.server(interceptors=[guard, *interceptors], options=SERVER_OPTIONS)
        self._health = health.aio.HealthServicer()
        runner_service_pb2_grpc.add_RunnerServiceServicer_to_server(
            RunnerService(backend.runner, backend.watching, backend.mailing, backend.catalog), self._server
        )
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(
            SessionService(backend.conversations), self._server
        )
        agent_service_pb2_grpc.add_AgentServiceServicer_to_server(
            AgentService(backend.catalog, backend.lifecycle, backend.facts), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if with_reflection:
            add_reflection((*SERVICE_NAMES, health.SERVICE_NAME), self._server)

    async def start(self, address: str) -> int:
        """Listen there and answer, with health NOT_SERVING. Return the port (0 for a Unix socket).

        Raises: UnavailableError when the address cannot be had.
        """
        # The health servicer begins with SERVING for "": a probe must not see that before the stores answer.
        await self._set_readiness(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._health.set(_LIVENESS_NAME, health_pb2.HealthCheckResponse.SERVING)
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise UnavailableError(f"cannot listen on {address}: is it in use?") from error
        await self._server.start()
        return port

    async def serving(self) -> None:
        """Tell health that runs are taken."""
        await self._set_readiness(health_pb2.HealthCheckResponse.SERVING)

    async def draining(self) -> None:
        """Tell health that this server goes away. Calls are still answered."""
        await self._set_readiness(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Refuse calls at once, and end what is under way after the grace."""
        await self._server.stop(grace_seconds)

    async def _set_readiness(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in _READINESS_NAMES:
            await self._health.set(name, status)
