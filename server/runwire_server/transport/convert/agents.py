"""Agents and their tools."""

import json

from runwire.v1 import agent_service_pb2 as pb
from runwire.v1 import run_pb2
from runwire_server.agents.agent import AgentDescription
from runwire_server.domain.content import ToolSpec


def agent_to_proto(app_name: str, name: str, description: AgentDescription, *, is_default: bool) -> pb.Agent:
    """Return an agent. One that is served has been started."""
    return pb.Agent(
        name=name,
        description=description.description,
        model=description.model,
        tools=[tool_to_proto(spec) for spec in description.tools],
        sub_agents=description.sub_agents,
        state=pb.AGENT_STATE_STARTED,
        is_default=is_default,
        app_name=app_name,
    )


def tool_to_proto(spec: ToolSpec) -> run_pb2.ToolDeclaration:
    """Return a tool as a model is told about it."""
    return run_pb2.ToolDeclaration(
        name=spec.name,
        description=spec.description,
        parameters_schema=json.dumps(spec.parameters, ensure_ascii=False),
    )
