"""Agents and their tools."""

from runwire.v1 import agent_service_pb2 as pb
from runwire_server.agents.agent import AgentDescription
from runwire_server.runner.lifecycle import AgentState
from runwire_server.transport.convert.options import tool_to_proto


def agent_to_proto(
    app_name: str, name: str, description: AgentDescription, state: AgentState, *, is_default: bool
) -> pb.Agent:
    """Return an agent."""
    return pb.Agent(
        name=name,
        description=description.description,
        model=description.model,
        tools=[
            tool_to_proto(tool.spec, requires_approval=tool.requires_approval) for tool in description.tools
        ],
        sub_agents=[agent.name for agent in description.sub_agents],
        state=pb.AgentState.Value(f"AGENT_STATE_{state.name}"),
        is_default=is_default,
        app_name=app_name,
    )
