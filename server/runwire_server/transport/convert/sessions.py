"""Sessions and their events."""

from runwire.v1 import session_pb2 as pb
from runwire.v1 import session_service_pb2 as service_pb
from runwire_server.domain.sessions import Session, SessionEvent, TrackEvent
from runwire_server.domain.state import Tier
from runwire_server.transport.convert.content import duration, json_to_struct, timestamp
from runwire_server.transport.convert.events import event_to_proto
from runwire_server.transport.convert.runs import session_key_to_proto

TIERS = {
    service_pb.STATE_TIER_APP: Tier.APP,
    service_pb.STATE_TIER_USER: Tier.USER,
    service_pb.STATE_TIER_SESSION: Tier.SESSION,
}


def session_to_proto(session: Session, *, with_state: bool = True) -> pb.Session:
    """Return a session."""
    ttl = session.expiry.ttl
    return pb.Session(
        key=session_key_to_proto(session.key),
        create_time=timestamp(session.create_time),
        update_time=timestamp(session.update_time),
        state=json_to_struct(session.state) if with_state else None,
        event_count=session.event_count,
        last_position=session.last_position,
        expire_time=timestamp(session.expiry.time),
        display_name=session.display_name,
        ttl=duration(ttl.total_seconds()) if ttl is not None else None,
    )


def session_event_to_proto(item: SessionEvent) -> service_pb.SessionEvent:
    """Return an event at its place."""
    return service_pb.SessionEvent(position=item.position, event=event_to_proto(item.event))


def track_event_to_proto(item: TrackEvent) -> service_pb.TrackEvent:
    """Return an observation at its place."""
    return service_pb.TrackEvent(
        position=item.position, create_time=timestamp(item.create_time), payload=item.payload
    )
