"""What a client can do with sessions and state."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from runwire.calls import Calls
from runwire.v1 import content_pb2, event_pb2, session_pb2, session_service_pb2_grpc
from runwire.v1 import session_service_pb2 as pb


class SessionCalls(Calls):
    """The part of Client that is about sessions. All methods raise CallError."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._sessions: Any = session_service_pb2_grpc.SessionServiceStub(self._channel)

    def _key(self, user_id: str, session_id: str) -> session_pb2.SessionKey:
        return session_pb2.SessionKey(
            app_name=self.app_name, user_id=user_id or self.user_id, session_id=session_id
        )

    async def create_session(
        self,
        session_id: str = "",
        *,
        user_id: str = "",
        state: Mapping[str, Any] | None = None,
        ttl: timedelta | None = None,
        display_name: str = "",
    ) -> session_pb2.Session:
        """Make a session. `ttl` counts from its last write; 0 is for ever, None the server's default."""
        request = pb.CreateSessionRequest(key=self._key(user_id, session_id), display_name=display_name)
        request.state.update(dict(state or {}))
        if ttl is not None:
            request.ttl.FromTimedelta(ttl)
        session: session_pb2.Session = (await self._call(self._sessions.CreateSession, request)).session
        return session

    async def get_or_create_session(
        self,
        session_id: str = "",
        *,
        user_id: str = "",
        state: Mapping[str, Any] | None = None,
        ttl: timedelta | None = None,
        display_name: str = "",
    ) -> pb.GetOrCreateSessionResponse:
        """Return the session, and whether it was made. What is given beside its id counts only then."""
        request = pb.GetOrCreateSessionRequest(key=self._key(user_id, session_id), display_name=display_name)
        request.state.update(dict(state or {}))
        if ttl is not None:
            request.ttl.FromTimedelta(ttl)
        response: pb.GetOrCreateSessionResponse = await self._call(self._sessions.GetOrCreateSession, request)
        return response

    async def get_session(
        self, session_id: str, *, user_id: str = "", last_events: int = 0, since: datetime | None = None
    ) -> pb.GetSessionResponse:
        """Return a session and its events."""
        request = pb.GetSessionRequest(key=self._key(user_id, session_id), last_events=last_events)
        if since is not None:
            request.since.FromDatetime(since)
        response: pb.GetSessionResponse = await self._call(self._sessions.GetSession, request)
        return response

    async def sessions(self, *, user_id: str = "") -> AsyncGenerator[session_pb2.Session, None]:
        """Yield a user's sessions, the one written last first."""
        request = pb.ListSessionsRequest(app_name=self.app_name, user_id=user_id or self.user_id)
        async for page in self._pages(self._sessions.ListSessions, request):
            for session in page.sessions:
                yield session

    async def update_session(
        self,
        session_id: str,
        *,
        user_id: str = "",
        display_name: str | None = None,
        ttl: timedelta | None = None,
        expire_time: datetime | None = None,
    ) -> session_pb2.Session:
        """Change a session and return it; None leaves a thing as it is.

        An empty name takes the name away, a `ttl` of 0 every expiry. `ttl` and `expire_time` exclude each other.
        """
        request = pb.UpdateSessionRequest(session=session_pb2.Session(key=self._key(user_id, session_id)))
        if display_name is not None:
            request.session.display_name = display_name
            request.update_mask.paths.append("display_name")
        if ttl is not None:
            request.session.ttl.FromTimedelta(ttl)
            request.update_mask.paths.append("ttl")
        if expire_time is not None:
            request.session.expire_time.FromDatetime(expire_time)
            request.update_mask.paths.append("expire_time")
        session: session_pb2.Session = (await self._call(self._sessions.UpdateSession, request)).session
        return session

    async def delete_session(self, session_id: str, *, user_id: str = "", purge: bool = False) -> bool:
        """Delete a session; with `purge` for good. Return whether there was one."""
        request = pb.DeleteSessionRequest(key=self._key(user_id, session_id), purge=purge)
        deleted: bool = (await self._call(self._sessions.DeleteSession, request)).deleted
        return deleted

    async def restore_session(self, session_id: str, *, user_id: str = "") -> session_pb2.Session:
        """Undo the last delete_session, and return the session."""
        request = pb.RestoreSessionRequest(key=self._key(user_id, session_id))
        session: session_pb2.Session = (await self._call(self._sessions.RestoreSession, request)).session
        return session

    async def append_event(
        self, session_id: str, event: event_pb2.Event, *, user_id: str = ""
    ) -> pb.SessionEvent:
        """Append an event outside a run. One without an id gets one, so that a retry appends once."""
        request = pb.AppendEventRequest(key=self._key(user_id, session_id), event=event)
        request.event.id = request.event.id or uuid.uuid4().hex
        appended: pb.SessionEvent = (await self._call(self._sessions.AppendEvent, request)).event
        return appended

    async def send_system_message(self, session_id: str, text: str, *, user_id: str = "") -> pb.SessionEvent:
        """Add instructions to a conversation, which the model reads from then on. The session must exist."""
        message = content_pb2.Message(role=content_pb2.ROLE_SYSTEM, content=text)
        event = event_pb2.Event(message=event_pb2.MessageEvent(message=message))
        return await self.append_event(session_id, event, user_id=user_id)

    async def truncate(self, session_id: str, event_id: str, *, user_id: str = "") -> int:
        """Delete the events after one, to edit and run again. Return how many those were."""
        request = pb.TruncateSessionRequest(key=self._key(user_id, session_id), event_id=event_id)
        count: int = (await self._call(self._sessions.TruncateSession, request)).deleted_count
        return count

    async def event_window(
        self, session_id: str, event_id: str, *, before: int = 0, after: int = 0, user_id: str = ""
    ) -> list[pb.SessionEvent]:
        """Return an event with that many before it and after it, oldest first."""
        request = pb.GetEventWindowRequest(
            key=self._key(user_id, session_id), event_id=event_id, before=before, after=after
        )
        return list((await self._call(self._sessions.GetEventWindow, request)).events)

    async def session_events(
        self, session_id: str, *, user_id: str = "", after_position: int = 0
    ) -> AsyncGenerator[pb.SessionEvent, None]:
        """Yield a session's events, oldest first."""
        request = pb.ListEventsRequest(key=self._key(user_id, session_id), after_position=after_position)
        async for page in self._pages(self._sessions.ListEvents, request):
            for event in page.events:
                yield event

    async def get_state(
        self, tier: pb.StateTier.ValueType, session_id: str = "", *, user_id: str = ""
    ) -> dict[str, Any]:
        """Return one tier's state."""
        request = pb.GetStateRequest(key=self._key(user_id, session_id), tier=tier)
        return dict((await self._call(self._sessions.GetState, request)).state)

    async def update_state(
        self,
        tier: pb.StateTier.ValueType,
        delta: Mapping[str, Any],
        session_id: str = "",
        *,
        user_id: str = "",
    ) -> dict[str, Any]:
        """Merge into one tier's state, and return it. None deletes a key."""
        request = pb.UpdateStateRequest(key=self._key(user_id, session_id), tier=tier)
        request.delta.update(dict(delta))
        return dict((await self._call(self._sessions.UpdateState, request)).state)

    async def delete_state(
        self,
        tier: pb.StateTier.ValueType,
        keys: Iterable[str],
        session_id: str = "",
        *,
        user_id: str = "",
    ) -> dict[str, Any]:
        """Delete keys of one tier's state, and return what is left."""
        request = pb.DeleteStateRequest(key=self._key(user_id, session_id), tier=tier, keys=keys)
        return dict((await self._call(self._sessions.DeleteState, request)).state)

    # Tracks

    async def append_track_events(
        self, session_id: str, track: str, payloads: Iterable[str], *, user_id: str = ""
    ) -> int:
        """Append JSON texts to a track of a session. Return the newest position."""
        request = pb.AppendTrackEventsRequest(
            key=self._key(user_id, session_id),
            track=track,
            events=[pb.TrackEvent(payload=payload) for payload in payloads],
        )
        last_position: int = (await self._call(self._sessions.AppendTrackEvents, request)).last_position
        return last_position

    async def list_track_events(
        self, session_id: str, track: str, *, user_id: str = "", after_position: int = 0
    ) -> AsyncGenerator[pb.TrackEvent, None]:
        """Yield a track's observations, oldest first."""
        request = pb.ListTrackEventsRequest(
            key=self._key(user_id, session_id), track=track, after_position=after_position
        )
        async for page in self._pages(self._sessions.ListTrackEvents, request):
            for event in page.events:
                yield event

    async def flush(self) -> None:
        """Wait until all that the server has accepted is durable."""
        await self._call(self._sessions.Flush, pb.FlushRequest())
