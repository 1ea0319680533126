"""Check requests and make domain values of them. One function a request; all violations at once, with their paths.

Every function raises InvalidRequestError, and NotImplementedYetError for fields of later versions.
"""

from runwire_server.transport.validate.agents import get_agent_request, list_agents_request
from runwire_server.transport.validate.answers import (
    cancel_queued_messages_request,
    enqueue_message_request,
    resolve_approval_request,
    submit_tool_outputs_request,
)
from runwire_server.transport.validate.runs import (
    attach_request,
    cancel_request,
    list_run_events_request,
    list_runs_request,
    run_request,
    run_status_request,
    wait_run_request,
)
from runwire_server.transport.validate.session_records import (
    create_session_request,
    delete_session_request,
    get_or_create_session_request,
    restore_session_request,
    update_session_request,
)
from runwire_server.transport.validate.sessions import (
    append_event_request,
    delete_state_request,
    get_event_window_request,
    get_session_request,
    get_state_request,
    list_events_request,
    list_sessions_request,
    truncate_session_request,
    update_state_request,
)
from runwire_server.transport.validate.tracks import (
    append_track_events_request,
    list_track_events_request,
)

__all__ = [
    "append_event_request",
    "append_track_events_request",
    "attach_request",
    "cancel_queued_messages_request",
    "cancel_request",
    "create_session_request",
    "delete_session_request",
    "delete_state_request",
    "enqueue_message_request",
    "get_agent_request",
    "get_event_window_request",
    "get_or_create_session_request",
    "get_session_request",
    "get_state_request",
    "list_agents_request",
    "list_events_request",
    "list_run_events_request",
    "list_runs_request",
    "list_sessions_request",
    "list_track_events_request",
    "resolve_approval_request",
    "restore_session_request",
    "run_request",
    "run_status_request",
    "submit_tool_outputs_request",
    "truncate_session_request",
    "update_session_request",
    "update_state_request",
    "wait_run_request",
]
