"""Tracks of sessions. All functions run in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, or_, select, update

from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import TrackEvent
from runwire_server.storage.codec import decode_value, encode_value
from runwire_server.storage.sql import locking, sessions
from runwire_server.storage.sql.tables import from_micros, optional_micros, to_micros, track_events
from runwire_server.storage.sql.tables import sessions as session_rows
from runwire_server.storage.sql.transaction import Transaction

_POSITIONS = select(session_rows.c.tracks).where(session_rows.c.id == bindparam("of_id"))


def append(
    t: Transaction,
    key: SessionKey,
    track: str,
    payloads: Sequence[str],
    now: datetime,
) -> list[TrackEvent]:
    """Append to a track. Raises: NotFoundError."""
    locked = locking.lock(t, key)
    positions: dict[str, int] = decode_value(t.execute(_POSITIONS, {"of_id": locked.id}).scalar_one())
    first = positions.get(track, 0) + 1
    events = [TrackEvent(position, now, payload) for position, payload in enumerate(payloads, first)]
    insert_events(t, locked.id, track, events)
    positions[track] = first + len(events) - 1
    t.execute(
        update(session_rows).where(session_rows.c.id == locked.id).values(tracks=encode_value(positions))
    )
    locked.touch(now)
    locking.save(t, [locked])
    return events


def insert_events(t: Transaction, session: int, track: str, events: Sequence[TrackEvent]) -> None:
    """Insert events that have their positions."""
    rows = [
        {
            "session": session,
            "track": track,
            "position": event.position,
            "create_time": to_micros(event.create_time),
            "expire_time": optional_micros(t.retention.track_expiry(event.create_time).time),
            "payload": event.payload,
        }
        for event in events
    ]
    if rows:
        t.execute(insert(track_events), rows)


def list_events(t: Transaction, key: SessionKey, track: str, after: int, limit: int) -> list[TrackEvent]:
    """Return events of a track by position. Raises: NotFoundError."""
    return read(t, sessions.require(t, key), track, after, limit)


def read(t: Transaction, session: int, track: str, after: int, limit: int | None) -> list[TrackEvent]:
    """Return events of a track of the session with this id."""
    query = (
        select(track_events.c.position, track_events.c.create_time, track_events.c.payload)
        .where(
            track_events.c.session == session,
            track_events.c.track == track,
            track_events.c.position > after,
            or_(track_events.c.expire_time.is_(None), track_events.c.expire_time > t.at),
        )
        .order_by(track_events.c.position)
        .limit(limit)
    )
    return [TrackEvent(r.position, from_micros(r.create_time), r.payload) for r in t.execute(query)]
