"""Events of sessions. All functions run in the caller's transaction."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, or_, select

from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EventQuery, SessionEvent, is_user_event
from runwire_server.storage.codec import StoredEvent, decode_event
from runwire_server.storage.sql import sessions
from runwire_server.storage.sql.locking import LockedSession
from runwire_server.storage.sql.tables import session_events, to_micros
from runwire_server.storage.sql.tables import sessions as session_rows
from runwire_server.storage.sql.transaction import Transaction

_FIRST_KEPT = (
    select(session_events.c.position)
    .where(session_events.c.session == bindparam("of_session"))
    .order_by(session_events.c.position)
    .limit(1)
    .offset(bindparam("excess"))
)
_DROP = delete(session_events).where(
    session_events.c.session == bindparam("of_session"),
    session_events.c.position < bindparam("first_kept"),
    session_events.c.position != bindparam("anchor"),
)
# So many events in one statement.
_CHUNK = 2000
_AFTER = (
    session_events.c.session == bindparam("of_session"),
    session_events.c.position > bindparam("after"),
)
_EDGE = (
    select(session_events.c.position)
    .where(*_AFTER)
    .order_by(session_events.c.position)
    .limit(1)
    .offset(_CHUNK - 1)
)
_CUT = delete(session_events).where(*_AFTER)
_CUT_PART = _CUT.where(session_events.c.position <= bindparam("edge"))
_LAST_USER = (
    select(session_events.c.position)
    .where(session_events.c.session == bindparam("of_session"), session_events.c.is_user == 1)
    .order_by(session_events.c.position.desc())
    .limit(1)
)


def trim(t: Transaction, locked: LockedSession) -> None:
    """Delete what is beyond the event limit."""
    excess = t.retention.excess(locked.event_count)
    if not excess:
        return
    found = t.execute(_FIRST_KEPT, {"of_session": locked.id, "excess": excess}).scalar_one()
    dropped = t.execute(
        _DROP, {"of_session": locked.id, "first_kept": found, "anchor": locked.last_user_position}
    )
    locked.event_count -= dropped.rowcount


def truncate(t: Transaction, locked: LockedSession, after: int) -> int:
    """Delete a locked session's events after that position. Return how many."""
    count = 0
    place = {"of_session": locked.id, "after": after}
    while (edge := t.execute(_EDGE, place).scalar_one_or_none()) is not None:
        count += t.execute(_CUT_PART, {**place, "edge": edge}).rowcount
    count += t.execute(_CUT, place).rowcount
    locked.event_count -= count
    locked.last_user_position = t.execute(_LAST_USER, {"of_session": locked.id}).scalar_one_or_none() or 0
    return count


def find_event(t: Transaction, key: SessionKey, event_id: str) -> SessionEvent | None:
    """Return the session's first event of that id. Raises: NotFoundError."""
    session = select(session_rows.c.id).where(sessions.IS_LIVE, sessions.is_kept(t)).scalar_subquery()
    wanted = select(session_events).where(
        session_events.c.session == session, session_events.c.event_id == event_id
    )
    row = t.execute(wanted.order_by(session_events.c.position).limit(1), sessions.named(key)).first()
    if row is None:
        sessions.require(t, key)
        return None
    return event_of(row)


def list_events(t: Transaction, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
    """Return events by position. Raises: NotFoundError."""
    values = {**sessions.named(key), "at": t.at, "after": query.after, "limit": query.limit}
    if query.before is not None:
        values["before"] = query.before
    if query.since is not None:
        values["since"] = to_micros(query.since)
    statement = _listing(
        "before" in values, "since" in values, user_only=query.user_only, newest_first=query.newest_first
    )
    rows = t.run(statement, values).all()
    if not rows:
        sessions.require(t, key)
    return [event_of(row) for row in rows]


@lru_cache
def _listing(has_before: bool, has_since: bool, *, user_only: bool, newest_first: bool) -> Select[Any]:  # noqa: FBT001
    """Return the statement for such a query, made once."""
    position = session_events.c.position
    is_kept = or_(session_rows.c.expire_time.is_(None), session_rows.c.expire_time > bindparam("at"))
    # Not a join: PostgreSQL would read and sort the whole session to find its newest events.
    session = select(session_rows.c.id).where(sessions.IS_LIVE, is_kept).scalar_subquery()
    wanted = select(session_events).where(session_events.c.session == session, position > bindparam("after"))
    if has_before:
        wanted = wanted.where(position < bindparam("before"))
    if has_since:
        wanted = wanted.where(session_events.c.create_time >= bindparam("since"))
    if user_only:
        wanted = wanted.where(session_events.c.is_user == 1)
    return wanted.order_by(position.desc() if newest_first else position).limit(bindparam("limit"))


def all_events(t: Transaction, session: int) -> list[SessionEvent]:
    """Return all events of the session with this id."""
    query = select(session_events).where(session_events.c.session == session)
    return [event_of(row) for row in t.execute(query.order_by(session_events.c.position))]


def event_row(event: Event, stored: StoredEvent) -> dict[str, Any]:
    """Return the row of a session's event, all but its session and its position."""
    return {
        "event_id": event.id,
        "create_time": to_micros(event.create_time),
        "is_user": int(is_user_event(event)),
        **stored.columns(),
    }


def event_of(row: Row[Any]) -> SessionEvent:
    """Return the event of a row."""
    return SessionEvent(row.position, decode_event(row.kind, row.payload, row.envelope))
