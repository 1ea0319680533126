"""A thin face over the generated stubs: `async with Client() as client: …`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from runwire.errors import CallError
from runwire.run import RunStream
from runwire.v1 import agent_service_pb2 as agent_pb
from runwire.v1 import (
    agent_service_pb2_grpc,
    content_pb2,
    event_pb2,
    run_pb2,
    runner_service_pb2_grpc,
    session_pb2,
    session_service_pb2_grpc,
)
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_service_pb

DEFAULT_TARGET = "127.0.0.1:50051"
T = TypeVar("T")

_OPTIONS = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class Client:
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
        self.app_name = app_name
        self.user_id = user_id
        self._timeout = timeout_seconds
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, options=_OPTIONS)
        self._runner: Any = runner_service_pb2_grpc.RunnerServiceStub(self._channel)
        self._sessions: Any = session_service_pb2_grpc.SessionServiceStub(self._channel)
        self._agents: Any = agent_service_pb2_grpc.AgentServiceStub(self._channel)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent."""
        await self._channel.close()

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

    # Sessions

    def _key(self, user_id: str, session_id: str) -> session_pb2.SessionKey:
        return session_pb2.SessionKey(
            app_name=self.app_name, user_id=user_id or self.user_id, session_id=session_id
        )

    async def create_session(
        self, session_id: str = "", *, user_id: str = "", state: Mapping[str, Any] | None = None
    ) -> session_pb2.Session:
        """Make a session."""
        request = session_service_pb.CreateSessionRequest(key=self._key(user_id, session_id))
        request.state.update(dict(state or {}))
        session: session_pb2.Session = (await self._call(self._sessions.CreateSession, request)).session
        return session

    async def get_or_create_session(
        self, session_id: str = "", *, user_id: str = "", state: Mapping[str, Any] | None = None
    ) -> session_service_pb.GetOrCreateSessionResponse:
        """Return the session, and whether it was made."""
        request = session_service_pb.GetOrCreateSessionRequest(key=self._key(user_id, session_id))
        request.state.update(dict(state or {}))
        response: session_service_pb.GetOrCreateSessionResponse = await self._call(
            self._sessions.GetOrCreateSession, request
        )
        return response

    async def get_session(
        self, session_id: str, *, user_id: str = "", last_events: int = 0, since: datetime | None = None
    ) -> session_service_pb.GetSessionResponse:
        """Return a session and its events."""
        request = session_service_pb.GetSessionRequest(
            key=self._key(user_id, session_id), last_events=last_events
        )
        if since is not None:
            request.since.FromDatetime(since)
        response: session_service_pb.GetSessionResponse = await self._call(self._sessions.GetSession, request)
        return response

    async def sessions(self, *, user_id: str = "") -> AsyncGenerator[session_pb2.Session, None]:
        """Yield a user's sessions, the one written last first."""
        request = session_service_pb.ListSessionsRequest(
            app_name=self.app_name, user_id=user_id or self.user_id
        )
        async for page in self._pages(self._sessions.ListSessions, request):
            for session in page.sessions:
                yield session

    async def delete_session(self, session_id: str, *, user_id: str = "") -> bool:
        """Delete a session. Return whether there was one."""
        request = session_service_pb.DeleteSessionRequest(key=self._key(user_id, session_id))
        deleted: bool = (await self._call(self._sessions.DeleteSession, request)).deleted
        return deleted

    async def append_event(
        self, session_id: str, event: event_pb2.Event, *, user_id: str = ""
    ) -> session_service_pb.SessionEvent:
        """Append an event outside a run. One without an id gets one, so that a retry appends once."""
        request = session_service_pb.AppendEventRequest(key=self._key(user_id, session_id), event=event)
        request.event.id = request.event.id or uuid.uuid4().hex
        appended: session_service_pb.SessionEvent = (
            await self._call(self._sessions.AppendEvent, request)
        ).event
        return appended

    async def session_events(
        self, session_id: str, *, user_id: str = "", after_position: int = 0
    ) -> AsyncGenerator[session_service_pb.SessionEvent, None]:
        """Yield a session's events, oldest first."""
        request = session_service_pb.ListEventsRequest(
            key=self._key(user_id, session_id), after_position=after_position
        )
        async for page in self._pages(self._sessions.ListEvents, request):
            for event in page.events:
                yield event

    async def get_state(
        self, tier: session_service_pb.StateTier.ValueType, session_id: str = "", *, user_id: str = ""
    ) -> dict[str, Any]:
        """Return one tier's state."""
        request = session_service_pb.GetStateRequest(key=self._key(user_id, session_id), tier=tier)
        return dict((await self._call(self._sessions.GetState, request)).state)

    async def update_state(
        self,
        tier: session_service_pb.StateTier.ValueType,
        delta: Mapping[str, Any],
        session_id: str = "",
        *,
        user_id: str = "",
    ) -> dict[str, Any]:
        """Merge into one tier's state, and return it. None deletes a key."""
        request = session_service_pb.UpdateStateRequest(key=self._key(user_id, session_id), tier=tier)
        request.delta.update(dict(delta))
        return dict((await self._call(self._sessions.UpdateState, request)).state)

    async def delete_state(
        self,
        tier: session_service_pb.StateTier.ValueType,
        keys: Iterable[str],
        session_id: str = "",
        *,
        user_id: str = "",
    ) -> dict[str, Any]:
        """Delete keys of one tier's state, and return what is left."""
        request = session_service_pb.DeleteStateRequest(
            key=self._key(user_id, session_id), tier=tier, keys=keys
        )
        return dict((await self._call(self._sessions.DeleteState, request)).state)

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

    async def _call(self, method: Any, request: Any, extra_seconds: float = 0.0) -> Any:
        return await _translated(method(request, timeout=self._timeout + extra_seconds))

    async def _pages(self, method: Any, request: Any) -> AsyncGenerator[Any, None]:
        while True:
            page = await self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


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


async def _translated(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise CallError(error) from None
