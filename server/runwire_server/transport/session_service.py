"""SessionService: converts, calls the conversations once, and converts back."""

from typing import Any

from runwire.v1 import session_service_pb2 as pb
from runwire_server.runner.conversations import Conversations
from runwire_server.transport import validate
from runwire_server.transport.convert.content import json_to_struct
from runwire_server.transport.convert.sessions import session_event_to_proto, session_to_proto
from runwire_server.transport.planned import PlannedSessionMethods


class SessionService(PlannedSessionMethods):
    """Sessions and state."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Any) -> pb.CreateSessionResponse:
        """Make a session."""
        key, state = validate.create_session_request(request)
        session = await self._conversations.create(key, state)
        return pb.CreateSessionResponse(session=session_to_proto(session))

    async def GetOrCreateSession(
        self, request: pb.GetOrCreateSessionRequest, context: Any
    ) -> pb.GetOrCreateSessionResponse:
        """Get or make a session."""
        key, state = validate.get_or_create_session_request(request)
        session, created = await self._conversations.get_or_create(key, state)
        return pb.GetOrCreateSessionResponse(session=session_to_proto(session), created=created)

    async def GetSession(self, request: pb.GetSessionRequest, context: Any) -> pb.GetSessionResponse:
        """Read a session and its events."""
        asked = validate.get_session_request(request)
        session, events = await self._conversations.get(asked.key, last=asked.last, since=asked.since)
        return pb.GetSessionResponse(
            session=session_to_proto(session), events=[session_event_to_proto(event) for event in events]
        )

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        """List a user's sessions."""
        asked = validate.list_sessions_request(request)
        page = await self._conversations.list_of_user(
            asked.app_name, asked.user_id, limit=asked.limit, cursor=asked.cursor
        )
        sessions = [session_to_proto(session, with_state=not asked.metadata_only) for session in page.items]
        return pb.ListSessionsResponse(sessions=sessions, next_page_token=page.next_cursor or "")

    async def DeleteSession(self, request: pb.DeleteSessionRequest, context: Any) -> pb.DeleteSessionResponse:
        """Delete a session."""
        key = validate.delete_session_request(request)
        return pb.DeleteSessionResponse(deleted=await self._conversations.delete(key))

    async def AppendEvent(self, request: pb.AppendEventRequest, context: Any) -> pb.AppendEventResponse:
        """Append an event outside a run."""
        key, event = validate.append_event_request(request)
        appended = await self._conversations.append(key, event)
        return pb.AppendEventResponse(event=session_event_to_proto(appended))

    async def ListEvents(self, request: pb.ListEventsRequest, context: Any) -> pb.ListEventsResponse:
        """List a session's events. A page's token is the position of its last event."""
        key, query = validate.list_events_request(request)
        events = await self._conversations.list_events(key, query)
        return pb.ListEventsResponse(
            events=[session_event_to_proto(event) for event in events],
            next_page_token=str(events[-1].position) if len(events) == query.limit else "",
        )

    async def GetState(self, request: pb.GetStateRequest, context: Any) -> pb.GetStateResponse:
        """Read one tier of state."""
        key, tier = validate.get_state_request(request)
        return pb.GetStateResponse(state=json_to_struct(await self._conversations.get_state(key, tier)))

    async def UpdateState(self, request: pb.UpdateStateRequest, context: Any) -> pb.UpdateStateResponse:
        """Merge into one tier of state."""
        key, tier, delta = validate.update_state_request(request)
        state = await self._conversations.update_state(key, tier, delta)
        return pb.UpdateStateResponse(state=json_to_struct(state))

    async def DeleteState(self, request: pb.DeleteStateRequest, context: Any) -> pb.DeleteStateResponse:
        """Delete keys of one tier."""
        key, tier, keys = validate.delete_state_request(request)
        state = await self._conversations.update_state(key, tier, dict.fromkeys(keys))
        return pb.DeleteStateResponse(state=json_to_struct(state))
