"""Every method of the API does something, or says that it will."""

from typing import Any

import pytest

from runwire.v1 import (
    agent_service_pb2,
    agent_service_pb2_grpc,
    runner_service_pb2,
    runner_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
)
from runwire_server.domain.errors import NotImplementedYetError
from runwire_server.transport.agent_service import AgentService
from runwire_server.transport.planned import PlannedSessionMethods
from runwire_server.transport.runner_service import RunnerService
from runwire_server.transport.session_service import SessionService

SERVICES = [
    (runner_service_pb2, "RunnerService", RunnerService, runner_service_pb2_grpc.RunnerServiceServicer),
    (session_service_pb2, "SessionService", SessionService, session_service_pb2_grpc.SessionServiceServicer),
    (agent_service_pb2, "AgentService", AgentService, agent_service_pb2_grpc.AgentServiceServicer),
]
PLANNED = {
    PlannedSessionMethods: {
        "CreateSummary",
        "GetSummary",
    },
}


@pytest.mark.parametrize(("module", "name", "servicer", "generated"), SERVICES)
def test_every_method_of_the_api_is_made_or_planned(
    module: Any, name: str, servicer: type, generated: type
) -> None:
    methods = [method.name for method in module.DESCRIPTOR.services_by_name[name].methods]

    # What gRPC generates for a method that nobody made raises NotImplementedError, which is a bug.
    left = [method for method in methods if getattr(servicer, method) is getattr(generated, method)]

    assert left == []


@pytest.mark.parametrize(
    ("planned", "method"),
    [(planned, method) for planned, names in PLANNED.items() for method in sorted(names)],
)
async def test_a_planned_method_says_that_it_comes_later(planned: type, method: str) -> None:
    with pytest.raises(NotImplementedYetError, match="later version"):
        await getattr(planned(), method)(None, None)


@pytest.mark.parametrize("planned", PLANNED)
def test_nothing_else_is_left_for_later(planned: type) -> None:
    assert {name for name in vars(planned) if not name.startswith("_")} == PLANNED[planned]
