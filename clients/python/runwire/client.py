"""A thin face over the generated stubs: `async with Client() as client: …`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio

from runwire.calls import DEFAULT_TARGET
from runwire.run import RunStream
from runwire.sessions import SessionCalls
from runwire.v1 import agent_service_pb2 as agent_pb
from runwire.v1 import (
    agent_service_pb2_grpc,
    content_pb2,
    event_pb2,
    run_pb2,
    runner_service_pb2_grpc,
)
from runwire.v1 import runner_service_pb2 as pb

__all__ = ["DEFAULT_TARGET", "Client", "Conversation"]


class Client(SessionCalls):
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
        self._runner: Any = runner_service_pb2_grpc.RunnerServiceStub(self._channel)
        self._agents: Any = agent_service_pb2_grpc.AgentServiceStub(self._channel)

    # Runs

    def run(
        self,
        message: str | content_pb2.Message,
        *,
        user_id: str = "",
        session_id: str = "",
        request_id: str = "",
        agent_name: str = "",
        messages: Iterable[content_pb2.Message] = (),
        options: run_pb2.RunOptions | Mapping[str, Any] | None = None,
        stream: pb.StreamOptions | Mapping[str, Any] | None = None,
        state_delta: Mapping[str, Any] | None = None,
        deadline_seconds: float | None = None,
        keeps_stream_only: bool = False,
    ) -> RunStream:
        """Start a run when the result is first read. The request id is made here, so that a retry joins the run.

        The run ends TIMED_OUT at the deadline. `keeps_stream_only` yields heartbeats and the like too.
        """
        request = pb.RunRequest(
            app_name=self.app_name,
            user_id=user_id or self.user_id,
            session_id=session_id,
            request_id=request_id or str(uuid.uuid4()),
            agent_name=agent_name,
            message=content_pb2.Message(content=message) if isinstance(message, str) else message,
            messages=messages,
            options=options,  # type: ignore[arg-type]
            stream=stream,  # type: ignore[arg-type]
        )
        if state_delta is not None:
            request.state_delta.update(dict(state_delta))
        return RunStream(
            request.request_id,
            start=lambda: self._runner.Run(request, timeout=deadline_seconds, wait_for_ready=False),
            attach=lambda after: self._attach(request.request_id, after, request.stream),
            cancel=self._cancel_changed,
            keeps_stream_only=keeps_stream_only,
        )

    def attach(
        self,
        request_id: str,
        *,
        after_sequence: int = 0,
        stream: pb.StreamOptions | Mapping[str, Any] | None = None,
        keeps_stream_only: bool = False,
    ) -> RunStream:
        """Follow a run from a sequence, live or finished."""
        options = pb.AttachRequest(stream=stream).stream  # type: ignore[arg-type]
        return RunStream(
            request_id,
            start=None,
            attach=lambda after: self._attach(request_id, after, options),
            cancel=self._cancel_changed,
            after_sequence=after_sequence,
            keeps_stream_only=keeps_stream_only,
        )

    def _attach(self, request_id: str, after: int, stream: pb.StreamOptions) -> Any:
        request = pb.AttachRequest(
            app_name=self.app_name, request_id=request_id, after_sequence=after, stream=stream
        )
        # No deadline: it would end the stream, not the run, which has its own.
        return self._runner.Attach(request)

    async def chat(self, message: str, **arguments: Any) -> str:
        """Run, wait, and return the text. Takes what `run` takes. Raises: RunEndedError too."""
        async with self.run(message, **arguments) as run:
            return await run.text()

    def conversation(self, *, user_id: str = "", session_id: str = "", agent_name: str = "") -> Conversation:
        """Return a conversation, which remembers its session."""
        return Conversation(self, user_id or self.user_id, session_id, agent_name)

    async def cancel(
        self,
        request_id: str,
        *,
        reason: str = "",
        mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_IMMEDIATE,
        wait_seconds: float = 0.0,
    ) -> pb.CancelResponse:
        """Ask a run to stop, and wait that long for its end."""
        request = pb.CancelRequest(app_name=self.app_name, request_id=request_id, reason=reason, mode=mode)
        if wait_seconds:
            request.wait.FromTimedelta(timedelta(seconds=wait_seconds))
        response: pb.CancelResponse = await self._call(self._runner.Cancel, request, wait_seconds)
        return response

    async def _cancel_changed(self, request_id: str, **arguments: Any) -> bool:
        return (await self.cancel(request_id, **arguments)).changed

    async def status(self, request_id: str) -> run_pb2.Run:
        """Return how a run is."""
        request = pb.RunStatusRequest(app_name=self.app_name, request_id=request_id)
        run: run_pb2.Run = (await self._call(self._runner.RunStatus, request)).run
        return run

    async def wait(self, request_id: str, *, timeout_seconds: float = 30.0) -> run_pb2.Run:
        """Return the run once it has ended, or as it is after that time (at most 300 s)."""
        request = pb.WaitRunRequest(app_name=self.app_name, request_id=request_id)
        request.timeout.FromTimedelta(timedelta(seconds=timeout_seconds))
        run: run_pb2.Run = (await self._call(self._runner.WaitRun, request, timeout_seconds)).run
        return run

    async def runs(self, **filters: Any) -> AsyncGenerator[run_pb2.Run, None]:
        """Yield runs, newest first, page by page. Takes the fields of ListRunsRequest."""
        request = pb.ListRunsRequest(app_name=self.app_name, **filters)
        async for page in self._pages(self._runner.ListRuns, request):
            for run in page.runs:
                yield run

    async def run_events(
        self, request_id: str, *, after_sequence: int = 0
    ) -> AsyncGenerator[event_pb2.Event, None]:
        """Yield the durable events that a run has now."""
        request = pb.ListRunEventsRequest(
            app_name=self.app_name, request_id=request_id, after_sequence=after_sequence
        )
        async for page in self._pages(self._runner.ListRunEvents, request):
            for event in page.events:
                yield event

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


class Conversation:
    """A session to talk in. `session_id` is empty until the first answer, when the server makes it."""

    def __init__(self, client: Client, user_id: str, session_id: str, agent_name: str) -> None:
        self.session_id = session_id
        self._client = client
        self._user_id = user_id
        self._agent_name = agent_name

    def run(self, message: str, **arguments: Any) -> RunStream:
        """Start a run in this conversation. Takes what Client.run takes."""
        return self._client.run(
            message,
            user_id=self._user_id,
            session_id=self.session_id,
            agent_name=self._agent_name,
            **arguments,
        )

    async def send(self, message: str, **arguments: Any) -> str:
        """Say something, and return the answer's text. Raises: RunEndedError, CallError."""
        async with self.run(message, **arguments) as run:
            try:
                return await run.text()
            finally:
                self.session_id = run.session_id or self.session_id
