"""Deleting for good. Every function does one small piece of work in the caller's transaction and says how much.

Rows are locked before they are deleted, and what is locked is looked at again: a session that was renewed meanwhile
stays. What a writer holds is skipped; it comes next time.
"""

from sqlalchemy import ColumnElement, and_, delete, or_, select

from runwire_server.domain.ids import SessionKey
from runwire_server.storage.sql.sessions import has_expired, is_lost
from runwire_server.storage.sql.tables import session_events, sessions, tier_states, track_events
from runwire_server.storage.sql.transaction import Transaction

# So many events, and of one session more, in one transaction: about 20 ms in which nobody else writes to SQLite.
_EVENTS_MAX = 2000


def delete_sessions(t: Transaction, limit: int) -> int:
    """Delete some of the sessions that have expired or can be restored no more. Return how many; 0 at the end."""
    return _delete_where(t, is_gone(t), limit)


def is_gone(t: Transaction) -> ColumnElement[bool]:
    """The condition that a session has expired, or was deleted and can be restored no more."""
    is_live, is_deleted = sessions.c.live == 1, sessions.c.delete_time.is_not(None)
    return or_(and_(is_live, has_expired(t)), and_(is_deleted, is_lost(t)))


def purge_session(t: Transaction, key: SessionKey) -> None:
    """Delete all sessions of this key, live or not."""
    named = and_(
        sessions.c.app_name == key.app_name,
        sessions.c.user_id == key.user_id,
        sessions.c.session_id == key.session_id,
    )
    _delete_where(t, named, None)


def _delete_where(t: Transaction, condition: ColumnElement[bool], limit: int | None) -> int:
    query = select(sessions.c.id, sessions.c.event_count).where(condition).limit(limit)
    gone: list[int] = []
    room = _EVENTS_MAX
    for row in t.execute(query.with_for_update(skip_locked=limit is not None)):
        if limit is None or not gone or row.event_count <= room:
            gone.append(row.id)
            room -= row.event_count
    if gone:
        t.execute(delete(session_events).where(session_events.c.session.in_(gone)))
        t.execute(delete(track_events).where(track_events.c.session.in_(gone)))
        t.execute(delete(sessions).where(sessions.c.id.in_(gone)))
    return len(gone)


def delete_states(t: Transaction, limit: int) -> int:
    """Delete expired state of apps and users. Return how many."""
    own = (tier_states.c.tier, tier_states.c.app_name, tier_states.c.user_id)
    query = select(*own).where(tier_states.c.expire_time <= t.at).limit(limit)
    rows = t.execute(query.with_for_update(skip_locked=True)).all()
    for row in rows:
        is_row = [column == value for column, value in zip(own, row, strict=True)]
        t.execute(delete(tier_states).where(*is_row))
    return len(rows)


def delete_track_events(t: Transaction, limit: int) -> int:
    """Delete expired events of tracks. Return how many."""
    own = (track_events.c.session, track_events.c.track, track_events.c.position)
    query = select(*own).where(track_events.c.expire_time <= t.at).limit(limit)
    rows = t.execute(query.with_for_update(skip_locked=True)).all()
    for row in rows:
        is_row = [column == value for column, value in zip(own, row, strict=True)]
        t.execute(delete(track_events).where(*is_row))
    return len(rows)
