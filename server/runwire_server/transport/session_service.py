"""SessionService: converts, calls the conversations once, and converts back."""

from itertools import zip_longest
from typing import Any

from runwire.v1 import session_service_pb2 as pb
from runwire_server.runner.conversations import Conversations
from runwire_server.transport import validate
from runwire_server.transport.convert.content import json_to_struct
from runwire_server.transport.convert.sessions import (
    session_event_to_proto,
    session_to_proto,
    track_event_to_proto,
)
from runwire_server.transport.pages import fitting
from runwire_server.transport.planned import PlannedSessionMethods


class SessionService(PlannedSessionMethods):
    """Sessions and state."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Any) -> pb.CreateSessionResponse:
        """Make a session."""
        session = await self._conversations.create(validate.create_session_request(request))
        return pb.CreateSessionResponse(session=session_to_proto(session))

    async def GetOrCreateSession(
        self, request: pb.GetOrCreateSessionRequest, context: Any
    ) -> pb.GetOrCreateSessionResponse:
        """Get or make a session."""
        asked = validate.get_or_create_session_request(request)
        session, created = await self._conversations.get_or_create(asked)
        return pb.GetOrCreateSessionResponse(session=session_to_proto(session), created=created)

    async def GetSession(self, request: pb.GetSessionRequest, context: Any) -> pb.GetSessionResponse:
        """Read a session and its events."""
        asked = validate.get_session_request(request)
        session, events = await self._conversations.get(asked.key, last=asked.last, since=asked.since)
        shown = session_to_proto(session)
        newest = fitting((session_event_to_proto(event) for event in reversed(events)), shown.ByteSize())
        return pb.GetSessionResponse(session=shown, events=reversed(newest))

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
        is_deleted = await self._conversations.delete(key, purge=request.purge)
        return pb.DeleteSessionResponse(deleted=is_deleted)

    async def UpdateSession(self, request: pb.UpdateSessionRequest, context: Any) -> pb.UpdateSessionResponse:
        """Change a session's name or expiry."""
        key, change = validate.update_session_request(request)
        session = await self._conversations.update(key, change)
        return pb.UpdateSessionResponse(session=session_to_proto(session))

    async def RestoreSession(
        self, request: pb.RestoreSessionRequest, context: Any
    ) -> pb.RestoreSessionResponse:
        """Undo a deletion."""
        key = validate.restore_session_request(request)
        session = await self._conversations.restore(key)
        return pb.RestoreSessionResponse(session=session_to_proto(session))

    async def AppendEvent(self, request: pb.AppendEventRequest, context: Any) -> pb.AppendEventResponse:
        """Append an event outside a run."""
        key, event = validate.append_event_request(request)
        appended = await self._conversations.append(key, event)
        return pb.AppendEventResponse(
            event=session_event_to_proto(appended) if appended is not None else None
        )

    async def ListEvents(self, request: pb.ListEventsRequest, context: Any) -> pb.ListEventsResponse:
        """List a session's events. A page's token is the position of its last event."""
        key, query = validate.list_events_request(request)
        events = await self._conversations.list_events(key, query)
        shown = fitting(session_event_to_proto(event) for event in events)
        is_cut = len(events) == query.limit or len(shown) < len(events)
        return pb.ListEventsResponse(events=shown, next_page_token=str(shown[-1].position) if is_cut else "")

    async def GetEventWindow(
        self, request: pb.GetEventWindowRequest, context: Any
    ) -> pb.GetEventWindowResponse:
        """Read the events around one; fewer, of those next to it, when more do not fit a response."""
        key, asked = validate.get_event_window_request(request)
        before, anchor, after = await self._conversations.around(
            key, asked.event_id, before=asked.before, after=asked.after
        )
        # By their distance from the anchor, so that what is left out is what is farthest.
        pairs = zip_longest(reversed(before), after)
        nearest = [anchor, *(item for pair in pairs for item in pair if item is not None)]
        shown = fitting(session_event_to_proto(item) for item in nearest)
        return pb.GetEventWindowResponse(events=sorted(shown, key=lambda item: item.position))

    async def TruncateSession(
        self, request: pb.TruncateSessionRequest, context: Any
    ) -> pb.TruncateSessionResponse:
        """Delete the events after one."""
        key, event_id = validate.truncate_session_request(request)
        count = await self._conversations.truncate(key, event_id)
        return pb.TruncateSessionResponse(deleted_count=count)

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

    async def AppendTrackEvents(
        self, request: pb.AppendTrackEventsRequest, context: Any
    ) -> pb.AppendTrackEventsResponse:
        """Append observations beside the conversation."""
        key, track, payloads = validate.append_track_events_request(request)
        appended = await self._conversations.append_track(key, track, payloads)
        return pb.AppendTrackEventsResponse(last_position=appended[-1].position)

    async def ListTrackEvents(
        self, request: pb.ListTrackEventsRequest, context: Any
    ) -> pb.ListTrackEventsResponse:
        """List a track's observations. A page's token is the position of its last one."""
        key, asked = validate.list_track_events_request(request)
        found = await self._conversations.list_track(key, request.track, after=asked.after, limit=asked.limit)
        shown = fitting(track_event_to_proto(item) for item in found)
        is_cut = len(found) == asked.limit or len(shown) < len(found)
        return pb.ListTrackEventsResponse(
            events=shown, next_page_token=str(shown[-1].position) if is_cut else ""
        )

    async def Flush(self, request: pb.FlushRequest, context: Any) -> pb.FlushResponse:
        """Wait until all is durable."""
        await self._conversations.flush()
        return pb.FlushResponse()
