"""Sessions, without their events. All functions run in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, insert, or_, select, update

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import Expiry
from runwire_server.domain.sessions import Session, SessionChange
from runwire_server.domain.state import Tier, merge_state, merged_view, split_delta
from runwire_server.storage.codec import decode_value, encode_value
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page
from runwire_server.storage.sql import tiers
from runwire_server.storage.sql.locking import expiry_of, lock, lock_many
from runwire_server.storage.sql.tables import (
    from_micros,
    optional_micros,
    sessions,
    tier_states,
    to_micros,
)
from runwire_server.storage.sql.transaction import Transaction

_app_states, _user_states = tier_states.alias("app_states"), tier_states.alias("user_states")
IS_LIVE = and_(
    sessions.c.app_name == bindparam("of_app"),
    sessions.c.user_id == bindparam("of_user"),
    sessions.c.session_id == bindparam("of_session"),
    sessions.c.live == 1,
)
# With the state of all tiers: a session is read in one round trip.
_WHOLE = (
    select(
        sessions,
        _app_states.c.state.label("app_state"),
        _app_states.c.expire_time.label("app_expire_time"),
        _user_states.c.state.label("user_state"),
        _user_states.c.expire_time.label("user_expire_time"),
    )
    .outerjoin(
        _app_states,
        and_(
            _app_states.c.tier == Tier.APP.value,
            _app_states.c.app_name == sessions.c.app_name,
            _app_states.c.user_id == "",
        ),
    )
    .outerjoin(
        _user_states,
        and_(
            _user_states.c.tier == Tier.USER.value,
            _user_states.c.app_name == sessions.c.app_name,
            _user_states.c.user_id == sessions.c.user_id,
        ),
    )
)
_READ = _WHOLE.where(IS_LIVE)
_EXISTS = select(sessions.c.id, sessions.c.expire_time).where(IS_LIVE)
_LOCK_EXISTS = _EXISTS.with_for_update()
_OWN_STATE = select(sessions.c.state, sessions.c.expire_time).where(IS_LIVE)
_INSERT = insert(sessions)
_RETIRE = update(sessions).where(sessions.c.id == bindparam("of_id")).values(live=None)


def create(
    t: Transaction,
    key: SessionKey,
    state: JsonObject,
    now: datetime,
    *,
    expiry: Expiry,
    display_name: str,
) -> Session:
    """Make a session. Raises: AlreadyExistsError."""
    make_room(t, key)
    own = merge_state({}, split_delta(state).get(Tier.SESSION, {}))
    insert_row(t, key, now, now, expiry, state=own, display_name=display_name)
    tiers.merge(t, tiers.owned_changes(key, state, now))
    return get(t, key)


def make_room(t: Transaction, key: SessionKey) -> None:
    """Take the name from an expired session, which clean_up deletes later. Raises: AlreadyExistsError."""
    row = t.run(_LOCK_EXISTS, named(key)).first()
    if row is None:
        return
    if row.expire_time is None or row.expire_time > t.at:
        raise AlreadyExistsError("session", key.session_id)
    t.execute(_RETIRE.values(delete_time=0), {"of_id": row.id})


def insert_row(
    t: Transaction,
    key: SessionKey,
    create_time: datetime,
    update_time: datetime,
    expiry: Expiry,
    **values: Any,
) -> int:
    """Insert a live session and return its id. `values` are those of other columns than the rest has."""
    row = {
        "display_name": "",
        "last_position": 0,
        "last_user_position": 0,
        "event_count": 0,
        "tracks": {},
        **values,
    }
    for name in ("state", "tracks"):
        row[name] = encode_value(row[name]) if row[name] else "{}"
    names = {"app_name": key.app_name, "user_id": key.user_id, "session_id": key.session_id}
    times = {"create_time": to_micros(create_time), "update_time": to_micros(update_time)}
    result = t.run(_INSERT, {**names, "live": 1, **times, **expiry_columns(expiry), **row})
    made: int = result.inserted_primary_key[0]
    return made


def get(t: Transaction, key: SessionKey) -> Session:
    """Return the session. Raises: NotFoundError."""
    found = find(t, key)
    if found is None:
        raise NotFoundError("session", key.session_id)
    return found


def find(t: Transaction, key: SessionKey) -> Session | None:
    """Return the session, if there is one."""
    row = t.run(_READ, named(key)).first()
    return None if row is None or not _is_kept(t, row) else _session(t, row)


def require(t: Transaction, key: SessionKey) -> int:
    """Return the session's id. Raises: NotFoundError."""
    row = t.run(_EXISTS, named(key)).first()
    if row is None or not _is_kept(t, row):
        raise NotFoundError("session", key.session_id)
    found: int = row.id
    return found


def read_state(t: Transaction, key: SessionKey) -> dict[str, Any]:
    """Return the session's own state. Raises: NotFoundError."""
    row = t.run(_OWN_STATE, named(key)).first()
    if row is None or not _is_kept(t, row):
        raise NotFoundError("session", key.session_id)
    state: dict[str, Any] = decode_value(row.state)
    return state


def list_of_user(
    t: Transaction, app_name: str, user_id: str, limit: int, cursor: str | None
) -> Page[Session]:
    """List a user's sessions, the one written last first."""
    query = _WHOLE.where(
        sessions.c.app_name == app_name, sessions.c.user_id == user_id, sessions.c.live == 1, is_kept(t)
    )
    if cursor is not None:
        update_time, session_id = parse_cursor(cursor, int, str)
        query = query.where(
            or_(
                sessions.c.update_time < update_time,
                and_(sessions.c.update_time == update_time, sessions.c.session_id < session_id),
            )
        )
    query = query.order_by(sessions.c.update_time.desc(), sessions.c.session_id.desc()).limit(limit + 1)
    rows = t.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = make_cursor(last.update_time, last.session_id) if last is not None else None
    return Page(tuple(_session(t, row) for row in rows[:limit]), following)


def change(t: Transaction, key: SessionKey, wanted: SessionChange, now: datetime) -> Session:
    """Change a session and return it. Raises: NotFoundError."""
    locked = lock(t, key)
    if wanted.expiry is not None:
        locked.expiry = wanted.expiry
    locked.touch(now)
    values: dict[str, Any] = {"update_time": to_micros(now), **expiry_columns(locked.expiry)}
    if wanted.display_name is not None:
        values["display_name"] = wanted.display_name
    t.execute(update(sessions).where(sessions.c.id == locked.id).values(**values))
    # Also when it has just been made to end.
    return _session(t, t.run(_READ, named(key)).one())


def delete(t: Transaction, key: SessionKey) -> bool:
    """Mark the session as deleted. Return whether there was one."""
    found = lock_many(t, [key]).get(key)
    if found is not None:
        t.execute(_RETIRE.values(delete_time=t.at), {"of_id": found.id})
    return found is not None


def restore(t: Transaction, key: SessionKey, now: datetime) -> Session:
    """Undo the last deletion. Raises: NotFoundError, AlreadyExistsError."""
    make_room(t, key)
    query = (
        select(sessions.c.id, sessions.c.ttl, sessions.c.expire_time)
        .where(
            sessions.c.app_name == key.app_name,
            sessions.c.user_id == key.user_id,
            sessions.c.session_id == key.session_id,
            sessions.c.live.is_(None),
            ~is_lost(t),
        )
        .order_by(sessions.c.delete_time.desc(), sessions.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    row = t.execute(query).first()
    if row is None:
        raise NotFoundError("session", key.session_id)
    columns = expiry_columns(expiry_of(row).renewed(now))
    t.execute(update(sessions).where(sessions.c.id == row.id).values(live=1, delete_time=None, **columns))
    return get(t, key)


def list_owners(t: Transaction, limit: int, cursor: str | None) -> Page[SessionKey]:
    """List the keys of all sessions."""
    app, user, name = sessions.c.app_name, sessions.c.user_id, sessions.c.session_id
    query = select(app, user, name).where(sessions.c.live == 1, is_kept(t))
    if cursor is not None:
        a, u, n = parse_cursor(cursor, str, str, str)
        query = query.where(or_(app > a, and_(app == a, or_(user > u, and_(user == u, name > n)))))
    keys = [
        SessionKey(row.app_name, row.user_id, row.session_id)
        for row in t.execute(query.order_by(app, user, name).limit(limit + 1))
    ]
    last = keys[limit - 1] if len(keys) > limit else None
    following = make_cursor(last.app_name, last.user_id, last.session_id) if last is not None else None
    return Page(tuple(keys[:limit]), following)


def is_kept(t: Transaction) -> ColumnElement[bool]:
    """The condition that a session has not expired."""
    return or_(sessions.c.expire_time.is_(None), sessions.c.expire_time > t.at)


def has_expired(t: Transaction) -> ColumnElement[bool]:
    """The condition that a session has expired. Written so, SQLite finds them by their index."""
    return and_(sessions.c.expire_time.is_not(None), sessions.c.expire_time <= t.at)


def is_lost(t: Transaction) -> ColumnElement[bool]:
    """The condition that a deleted session can be restored no more. A TTL begins again, a fixed time does not."""
    cutoff = t.at - t.retention.deleted_ttl // timedelta(microseconds=1)
    has_ended = and_(sessions.c.ttl.is_(None), has_expired(t))
    return or_(sessions.c.delete_time <= cutoff, has_ended)


def named(key: SessionKey) -> Mapping[str, str]:
    """Return the parameters of IS_LIVE."""
    return {"of_app": key.app_name, "of_user": key.user_id, "of_session": key.session_id}


def expiry_columns(expiry: Expiry) -> dict[str, int | None]:
    """Return an expiry as columns."""
    ttl = None if expiry.ttl is None else expiry.ttl // timedelta(microseconds=1)
    return {"ttl": ttl, "expire_time": optional_micros(expiry.time)}


def _is_kept(t: Transaction, row: Any) -> bool:
    return row.expire_time is None or row.expire_time > t.at


def session_of(row: Row[Any], state: JsonObject) -> Session:
    """Return the session of a row of `sessions`, with this state."""
    return Session(
        key=SessionKey(row.app_name, row.user_id, row.session_id),
        create_time=from_micros(row.create_time),
        update_time=from_micros(row.update_time),
        state=state,
        event_count=row.event_count,
        last_position=row.last_position,
        display_name=row.display_name,
        expiry=expiry_of(row),
    )


def _session(t: Transaction, row: Row[Any]) -> Session:
    app = tiers.state_of(t, row.app_state, row.app_expire_time)
    user = tiers.state_of(t, row.user_state, row.user_expire_time)
    return session_of(row, merged_view(app, user, decode_value(row.state)))
