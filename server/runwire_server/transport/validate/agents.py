"""Requests of AgentService."""

from runwire.v1 import agent_service_pb2 as pb
from runwire_server.transport.validate.checks import Checks


def list_agents_request(request: pb.ListAgentsRequest) -> tuple[str, int, int]:
    """Check ListAgents. Return the app's name, how many agents to pass over, and how many to return."""
    with Checks() as checks:
        checks.name("app_name", request.app_name)
        limit = checks.page_size(request.page_size, default=50)
        return request.app_name, checks.number_token(request.page_token), limit


def get_agent_request(request: pb.GetAgentRequest) -> tuple[str, str]:
    """Check GetAgent. Return the app's name and the agent's; both may be empty."""
    with Checks() as checks:
        checks.name("app_name", request.app_name)
        checks.name("name", request.name)
    return request.app_name, request.name
