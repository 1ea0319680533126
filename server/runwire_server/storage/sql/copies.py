"""Whole sessions, in and out. All functions run in the caller's transaction."""

from sqlalchemy import select

from runwire_server.domain.errors import NotFoundError
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import SessionCopy, is_user_event
from runwire_server.storage.codec import decode_value, encode_event
from runwire_server.storage.sql import events, sessions, tracks
from runwire_server.storage.sql.tables import session_events
from runwire_server.storage.sql.tables import sessions as session_rows
from runwire_server.storage.sql.transaction import Transaction


def read(t: Transaction, key: SessionKey) -> SessionCopy:
    """Return a whole session. Raises: NotFoundError."""
    # Locked, so that no writer comes between the statements.
    query = select(session_rows).where(sessions.IS_LIVE, sessions.is_kept(t)).with_for_update()
    row = t.execute(query, sessions.named(key)).first()
    if row is None:
        raise NotFoundError("session", key.session_id)
    positions: dict[str, int] = decode_value(row.tracks)
    return SessionCopy(
        session=sessions.session_of(row, decode_value(row.state)),
        events=events.all_events(t, row.id),
        tracks={name: (last, tracks.read(t, row.id, name, 0, None)) for name, last in positions.items()},
    )


def write(t: Transaction, copy: SessionCopy) -> None:
    """Make a session of a copy. Raises: AlreadyExistsError."""
    session = copy.session
    sessions.make_room(t, session.key)
    made = sessions.insert_row(
        t,
        session.key,
        session.create_time,
        session.update_time,
        session.expiry,
        display_name=session.display_name,
        state=session.state,
        last_position=session.last_position,
        event_count=len(copy.events),
        last_user_position=max((i.position for i in copy.events if is_user_event(i.event)), default=0),
        tracks={name: last for name, (last, _) in copy.tracks.items()},
    )
    rows = [
        {**events.event_row(item.event, encode_event(item.event)), "session": made, "position": item.position}
        for item in copy.events
    ]
    if rows:
        t.execute(session_events.insert(), rows)
    for name, (_, items) in copy.tracks.items():
        tracks.insert_events(t, made, name, items)
