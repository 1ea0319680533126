"""Sessions and their events. All functions run in the caller's transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, or_, select, update

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EventQuery, Session, SessionEvent, is_user_event
from runwire_server.domain.state import Tier, merged_view
from runwire_server.storage.codec import StoredEvent, decode_event, encode_event
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page
from runwire_server.storage.sql.state import delete_session_state, merge_delta, read_state
from runwire_server.storage.sql.tables import from_micros, session_events, sessions, to_micros


def create(connection: Connection, key: SessionKey, state: JsonObject, now: datetime) -> Session:
    """Make a session. Raises: AlreadyExistsError."""
    if _find(connection, key) is not None:
        raise AlreadyExistsError("session", key.session_id)
    return _make(connection, key, state, now)


def get_or_create(
    connection: Connection, key: SessionKey, state: JsonObject, now: datetime
) -> tuple[Session, bool]:
    """Return the session and whether it was made."""
    row = _find(connection, key)
    if row is not None:
        return _session(connection, row), False
    return _make(connection, key, state, now), True


def get(connection: Connection, key: SessionKey) -> Session:
    """Return the session. Raises: NotFoundError."""
    row = _find(connection, key)
    if row is None:
        raise NotFoundError("session", key.session_id)
    return _session(connection, row)


def require(connection: Connection, key: SessionKey) -> None:
    """Raises: NotFoundError when there is no such session."""
    if _find(connection, key) is None:
        raise NotFoundError("session", key.session_id)


def list_of_user(
    connection: Connection, app_name: str, user_id: str, limit: int, cursor: str | None
) -> Page[Session]:
    """List a user's sessions, the one written last first."""
    query = select(sessions).where(sessions.c.app_name == app_name, sessions.c.user_id == user_id)
    if cursor is not None:
        update_time, session_id = parse_cursor(cursor, int, str)
        query = query.where(
            or_(
                sessions.c.update_time < update_time,
                and_(sessions.c.update_time == update_time, sessions.c.session_id < session_id),
            )
        )
    query = query.order_by(sessions.c.update_time.desc(), sessions.c.session_id.desc()).limit(limit + 1)
    rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = make_cursor(last.update_time, last.session_id) if last is not None else None
    return Page(tuple(_session(connection, row) for row in rows[:limit]), following)


def delete_session(connection: Connection, key: SessionKey) -> bool:
    """Delete the session, its events and its state. Return whether there was one."""
    found = connection.execute(delete(sessions).where(is_session(key))).rowcount
    if found:
        connection.execute(delete(session_events).where(is_event_of(key)))
        delete_session_state(connection, key)
    return bool(found)


def touch(connection: Connection, key: SessionKey, now: datetime) -> None:
    """Move the update time. Raises: NotFoundError."""
    statement = update(sessions).where(is_session(key)).values(update_time=to_micros(now))
    if not connection.execute(statement).rowcount:
        raise NotFoundError("session", key.session_id)


def append_one(connection: Connection, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
    """Append an event and merge its state. An id that is there already writes nothing."""
    require(connection, key)
    # coalesce() hides the primary key, through which SQLite would read the whole session to find an id.
    query = select(session_events).where(
        session_events.c.event_id == event.id,
        func.coalesce(session_events.c.app_name, "") == key.app_name,
        session_events.c.user_id == key.user_id,
        session_events.c.session_id == key.session_id,
    )
    known = connection.execute(query).first()
    if known is not None:
        return _event(known)
    connection.execute(
        update(sessions)
        .where(is_session(key))
        .values(
            last_position=sessions.c.last_position + 1,
            event_count=sessions.c.event_count + 1,
            update_time=to_micros(now),
        )
    )
    position = connection.execute(select(sessions.c.last_position).where(is_session(key))).scalar_one()
    row = event_row(key, event, encode_event(event))
    connection.execute(insert(session_events).values(position=position, **row))
    if event.state_delta:
        merge_delta(connection, key, event.state_delta)
    return SessionEvent(position, event)


def list_events(connection: Connection, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
    """Return events by position. Raises: NotFoundError."""
    require(connection, key)
    wanted = select(session_events).where(is_event_of(key), session_events.c.position > query.after)
    if query.before is not None:
        wanted = wanted.where(session_events.c.position < query.before)
    if query.since is not None:
        wanted = wanted.where(session_events.c.create_time >= to_micros(query.since))
    if query.user_only:
        wanted = wanted.where(session_events.c.is_user == 1)
    position = session_events.c.position
    wanted = wanted.order_by(position.desc() if query.newest_first else position).limit(query.limit)
    return [_event(row) for row in connection.execute(wanted)]


def event_row(key: SessionKey, event: Event, stored: StoredEvent) -> dict[str, Any]:
    """Return the row of a session's event, all but its position."""
    return {
        "app_name": key.app_name,
        "user_id": key.user_id,
        "session_id": key.session_id,
        "event_id": event.id,
        "create_time": to_micros(event.create_time),
        "is_user": int(is_user_event(event)),
        **stored.columns(),
    }


def is_session(key: SessionKey) -> ColumnElement[bool]:
    """The condition that names a row of sessions."""
    return and_(
        sessions.c.app_name == key.app_name,
        sessions.c.user_id == key.user_id,
        sessions.c.session_id == key.session_id,
    )


def is_event_of(key: SessionKey) -> ColumnElement[bool]:
    """The condition that names a session's events."""
    return and_(
        session_events.c.app_name == key.app_name,
        session_events.c.user_id == key.user_id,
        session_events.c.session_id == key.session_id,
    )


def _find(connection: Connection, key: SessionKey) -> Row[Any] | None:
    return connection.execute(select(sessions).where(is_session(key))).first()


def _make(connection: Connection, key: SessionKey, state: JsonObject, now: datetime) -> Session:
    connection.execute(
        insert(sessions).values(
            app_name=key.app_name,
            user_id=key.user_id,
            session_id=key.session_id,
            create_time=to_micros(now),
            update_time=to_micros(now),
            last_position=0,
            event_count=0,
        )
    )
    merge_delta(connection, key, state)
    return get(connection, key)


def _session(connection: Connection, row: Row[Any]) -> Session:
    key = SessionKey(row.app_name, row.user_id, row.session_id)
    app, user, own = (read_state(connection, key, tier) for tier in (Tier.APP, Tier.USER, Tier.SESSION))
    return Session(
        key=key,
        create_time=from_micros(row.create_time),
        update_time=from_micros(row.update_time),
        state=merged_view(app, user, own),
        event_count=row.event_count,
        last_position=row.last_position,
    )


def _event(row: Row[Any]) -> SessionEvent:
    return SessionEvent(row.position, decode_event(row.kind, row.payload, row.envelope))
