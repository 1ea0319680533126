"""A thin face over the generated stubs: `async with Client() as client: …`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import grpc
import grpc.aio

from runwire.answering import Answering, Approve, Tool
from runwire.calls import DEFAULT_TARGET
from runwire.conversation import Conversation
from runwire.following import Following
from runwire.run import RunStream
from runwire.runs import RunCalls
from runwire.v1 import agent_service_pb2 as agent_pb
from runwire.v1 import agent_service_pb2_grpc, content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb

__all__ = ["DEFAULT_TARGET", "Client", "Conversation"]


class Client(RunCalls):
    """A connection to a server. `app_name`, `user_id` are what calls use that name none.

    `timeout_seconds` is for calls that answer at once; streams have none of their own. All methods raise CallError.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        app_name: str = "",
        user_id: str = "",
        timeout_seconds: float = 30.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        super().__init__(
            target,
            app_name=app_name,
            user_id=user_id,
            timeout_seconds=timeout_seconds,
            credentials=credentials,
        )
        self._agents: Any = agent_service_pb2_grpc.AgentServiceStub(self._channel)

    # Runs

    def run(
        self,
        message: str | content_pb2.Message | None = None,
        *,
        user_id: str = "",
        session_id: str = "",
        request_id: str = "",
        agent_name: str = "",
        messages: Iterable[content_pb2.Message] = (),
        resume: bool = False,
        options: run_pb2.RunOptions | Mapping[str, Any] | None = None,
        stream: pb.StreamOptions | Mapping[str, Any] | None = None,
        state_delta: Mapping[str, Any] | None = None,
        deadline_seconds: float | None = None,
        approve: Approve | None = None,
        tools: Mapping[str, Tool] | None = None,
        keeps_stream_only: bool = False,
    ) -> RunStream:
        """Start a run when the result is first read. The request id is made here, so that a retry joins the run.

        `resume` continues where the session stands, without a message. The run ends TIMED_OUT at the deadline.
        `approve` answers approvals, and `tools` execute the client's tools (the options declare them: client_tool).
        Both may be `async`, else they run in a thread. They are called as the run is read, which waits for them. What
        `approve` raises goes to the reader, what a tool raises to the model. `keeps_stream_only` yields heartbeats.
        """
        said = content_pb2.Message(content=message) if isinstance(message, str) else message
        request = pb.RunRequest(
            app_name=self.app_name,
            user_id=user_id or self.user_id,
            session_id=session_id,
            request_id=request_id or str(uuid.uuid4()),
            agent_name=agent_name,
            message=said,
            messages=messages,
            resume=resume,
            options=options,  # type: ignore[arg-type]
            stream=stream,  # type: ignore[arg-type]
        )
        if state_delta is not None:
            request.state_delta.update(dict(state_delta))
        following = Following(
            lambda: self._runner.Run(request, timeout=deadline_seconds, wait_for_ready=False),
            lambda after: self._attach(request.request_id, after, request.stream),
        )
        return RunStream(
            request.request_id,
            following,
            self,
            answering=self._answering(request.request_id, approve, tools),
            keeps_stream_only=keeps_stream_only,
        )

    def attach(
        self,
        request_id: str,
        *,
        after_sequence: int = 0,
        stream: pb.StreamOptions | Mapping[str, Any] | None = None,
        approve: Approve | None = None,
        tools: Mapping[str, Tool] | None = None,
        keeps_stream_only: bool = False,
    ) -> RunStream:
        """Follow a run from a sequence, live or finished. See `run`."""
        options = pb.AttachRequest(stream=stream).stream  # type: ignore[arg-type]
        following = Following(None, lambda after: self._attach(request_id, after, options), after_sequence)
        return RunStream(
            request_id,
            following,
            self,
            answering=self._answering(request_id, approve, tools),
            keeps_stream_only=keeps_stream_only,
        )

    def _attach(self, request_id: str, after: int, stream: pb.StreamOptions) -> Any:
        request = pb.AttachRequest(
            app_name=self.app_name, request_id=request_id, after_sequence=after, stream=stream
        )
        # No deadline: it would end the stream, not the run, which has its own.
        return self._runner.Attach(request)

    def _answering(
        self, request_id: str, approve: Approve | None, tools: Mapping[str, Tool] | None
    ) -> Answering | None:
        if approve is None and not tools:
            return None
        return Answering(self, request_id, approve, tools)

    async def chat(self, message: str | content_pb2.Message | None = None, **arguments: Any) -> str:
        """Run, wait, and return the text. Takes what `run` takes. Raises: RunEndedError too."""
        async with self.run(message, **arguments) as run:
            return await run.text()

    def conversation(self, *, user_id: str = "", session_id: str = "", agent_name: str = "") -> Conversation:
        """Return a conversation, which remembers its session."""
        return Conversation(self, user_id or self.user_id, session_id, agent_name)

    # Agents

    async def agents(self) -> AsyncGenerator[agent_pb.Agent, None]:
        """Yield the app's agents, the default one first."""
        request = agent_pb.ListAgentsRequest(app_name=self.app_name)
        async for page in self._pages(self._agents.ListAgents, request):
            for agent in page.agents:
                yield agent

    async def agent(self, name: str = "") -> agent_pb.Agent:
        """Describe one agent; the app's default one when no name is given."""
        request = agent_pb.GetAgentRequest(app_name=self.app_name, name=name)
        agent: agent_pb.Agent = (await self._call(self._agents.GetAgent, request)).agent
        return agent

    async def server_info(self) -> agent_pb.GetServerInfoResponse:
        """Describe the server."""
        response: agent_pb.GetServerInfoResponse = await self._call(
            self._agents.GetServerInfo, agent_pb.GetServerInfoRequest()
        )
        return response
