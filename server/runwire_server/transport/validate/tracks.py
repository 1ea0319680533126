"""Requests of SessionService about tracks."""

import json
from dataclasses import dataclass

from runwire.v1 import session_service_pb2 as pb
from runwire_server.domain.ids import SessionKey
from runwire_server.transport.validate.checks import Checks
from runwire_server.transport.validate.session_records import session_key

PAYLOAD_BYTES_MAX = 256 * 1024
TRACK_EVENTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class TrackPage:
    """Which events of a track."""

    after: int
    limit: int


def append_track_events_request(
    request: pb.AppendTrackEventsRequest,
) -> tuple[SessionKey, str, list[str]]:
    """Check AppendTrackEvents. Position and time are the server's; given ones are refused, not dropped."""
    with Checks() as checks:
        key = session_key(checks, request.key)
        checks.name("track", request.track, is_required=True)
        if not 1 <= len(request.events) <= TRACK_EVENTS_MAX:
            checks.wrong("events", f"has {len(request.events)}; 1 to {TRACK_EVENTS_MAX} are allowed")
        else:
            for index, item in enumerate(request.events):
                _check_item(checks, f"events[{index}]", item)
    return key, request.track, [item.payload for item in request.events]


def _check_item(checks: Checks, field: str, item: pb.TrackEvent) -> None:
    if item.position:
        checks.wrong(f"{field}.position", "is set by the server")
    if item.HasField("create_time"):
        checks.wrong(f"{field}.create_time", "is set by the server")
    size = len(item.payload.encode())
    if size > PAYLOAD_BYTES_MAX:
        checks.wrong(f"{field}.payload", f"has {size} bytes; at most {PAYLOAD_BYTES_MAX} are allowed")
    elif not _is_json(item.payload):
        checks.wrong(f"{field}.payload", "is not valid JSON text")


def _is_json(text: str) -> bool:
    try:
        # Numbers are only looked at: converting them has limits that JSON has not.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def list_track_events_request(request: pb.ListTrackEventsRequest) -> tuple[SessionKey, TrackPage]:
    """Check ListTrackEvents. A page token continues behind the page before it."""
    with Checks() as checks:
        key = session_key(checks, request.key)
        checks.name("track", request.track, is_required=True)
        checks.not_negative("after_position", request.after_position)
        limit = checks.page_size(request.page_size, default=100)
        after = max(request.after_position, checks.number_token(request.page_token))
    return key, TrackPage(after, limit)
