"""AgentService: what can be run here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runwire.v1 import agent_service_pb2 as pb
from runwire.v1 import agent_service_pb2_grpc
from runwire_server.runner.catalog import Catalog, ServedApp
from runwire_server.runner.lifecycle import Lifecycle
from runwire_server.transport import validate
from runwire_server.transport.channel_options import REQUEST_BYTES_MAX
from runwire_server.transport.convert.agents import agent_to_proto


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What GetServerInfo tells of the server. `limits` are in the unit that their name ends with."""

    version: str
    store: str
    limits: Mapping[str, int]


class AgentService(agent_service_pb2_grpc.AgentServiceServicer):
    """Agents, and the server itself."""

    def __init__(self, catalog: Catalog, lifecycle: Lifecycle, facts: ServerFacts) -> None:
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._facts = facts

    async def ListAgents(self, request: pb.ListAgentsRequest, context: Any) -> pb.ListAgentsResponse:
        """List an app's agents: the default one, then by name. A page's token is how many came before."""
        app_name, offset, limit = validate.list_agents_request(request)
        app = self._catalog.app(app_name)
        names = sorted(app.agents, key=lambda name: (name != app.default_agent, name))
        shown = names[offset : offset + limit]
        following = offset + limit
        return pb.ListAgentsResponse(
            agents=[self._agent(app, name) for name in shown],
            next_page_token=str(following) if following < len(names) else "",
        )

    async def GetAgent(self, request: pb.GetAgentRequest, context: Any) -> pb.GetAgentResponse:
        """Describe one agent."""
        app_name, name = validate.get_agent_request(request)
        app = self._catalog.app(app_name)
        return pb.GetAgentResponse(agent=self._agent(app, app.agent(name).name))

    def _agent(self, app: ServedApp, name: str) -> pb.Agent:
        agent = app.agents[name]
        return agent_to_proto(
            app.name,
            name,
            agent.describe(),
            self._lifecycle.state(agent),
            is_default=name == app.default_agent,
        )

    async def GetServerInfo(self, request: pb.GetServerInfoRequest, context: Any) -> pb.GetServerInfoResponse:
        """Describe the server."""
        return pb.GetServerInfoResponse(
            version=self._facts.version,
            apps=self._catalog.app_names,
            limits={"request_bytes": REQUEST_BYTES_MAX, **self._facts.limits},
            features=[
                "attach",
                "cancel",
                "stream_modes",
                "state_tiers",
                "session_expiry",
                "restore_session",
                "tracks",
                "resume",
                "steering",
                "approvals",
                "client_tools",
                "session_policies",
                "structured_output",
                "json_repair",
                "plugins",
                "truncate_session",
            ],
            store=self._facts.store,
        )
