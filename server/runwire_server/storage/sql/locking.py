"""Rows of sessions, locked until the transaction ends. In one order everywhere, so that none waits in a circle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, bindparam, select, update

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import NotFoundError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.retention import Expiry
from runwire_server.domain.state import merge_state
from runwire_server.storage.codec import decode_value, encode_value
from runwire_server.storage.sql.tables import (
    from_micros,
    optional_micros,
    optional_time,
    runs,
    sessions,
    to_micros,
)
from runwire_server.storage.sql.transaction import Transaction

_LOCKED = select(
    sessions.c.id,
    sessions.c.app_name,
    sessions.c.user_id,
    sessions.c.session_id,
    sessions.c.last_position,
    sessions.c.last_user_position,
    sessions.c.event_count,
    sessions.c.update_time,
    sessions.c.ttl,
    sessions.c.expire_time,
)
_LOCK = (
    _LOCKED.where(
        sessions.c.app_name == bindparam("of_app"),
        sessions.c.user_id == bindparam("of_user"),
        sessions.c.session_id.in_(bindparam("names", expanding=True)),
        sessions.c.live == 1,
    )
    .order_by(sessions.c.session_id)
    .with_for_update()
)
# One statement for the sessions of many users, where _LOCK takes one for each. The runs are found first, come what
# may: a PostgreSQL that has counted nothing yet would rather look all sessions through.
_RUNS = (
    select(runs.c.app_name, runs.c.user_id, runs.c.session_id)
    .where(runs.c.app_name == bindparam("of_app"), runs.c.request_id.in_(bindparam("names", expanding=True)))
    .cte("those")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
_LOCK_OF_RUNS = (
    _LOCKED.join(
        _RUNS,
        and_(
            sessions.c.app_name == _RUNS.c.app_name,
            sessions.c.user_id == _RUNS.c.user_id,
            sessions.c.session_id == _RUNS.c.session_id,
        ),
    )
    .where(sessions.c.live == 1)
    .order_by(sessions.c.user_id, sessions.c.session_id)
    .with_for_update()
)
_SAVE = (
    update(sessions)
    .where(sessions.c.id == bindparam("of_id"))
    .values(
        last_position=bindparam("new_last_position"),
        last_user_position=bindparam("new_last_user_position"),
        event_count=bindparam("new_event_count"),
        update_time=bindparam("new_update_time"),
        expire_time=bindparam("new_expire_time"),
    )
)
_STATE = select(sessions.c.state).where(sessions.c.id == bindparam("of_id"))
_SET_STATE = update(sessions).where(sessions.c.id == bindparam("of_id")).values(state=bindparam("new_state"))


@dataclass(slots=True)
class LockedSession:
    """A session's row, locked until the transaction ends, and what it shall be."""

    id: int
    last_position: int
    last_user_position: int
    event_count: int
    update_time: datetime
    expiry: Expiry

    def touch(self, now: datetime) -> None:
        """Date a write."""
        self.update_time = now
        self.expiry = self.expiry.renewed(now)


def lock_many(t: Transaction, keys: Iterable[SessionKey]) -> dict[SessionKey, LockedSession]:
    """Lock sessions, in order, and return those that exist."""
    found: dict[SessionKey, LockedSession] = {}
    for (app, user), same_user in groupby(sorted(keys), key=lambda key: (key.app_name, key.user_id)):
        names = [key.session_id for key in same_user]
        found |= _locked(t, t.run(_LOCK, {"of_app": app, "of_user": user, "names": names}))
    return found


def lock_of_runs(t: Transaction, keys: Iterable[RunKey]) -> dict[SessionKey, LockedSession]:
    """Lock the sessions of runs, in the same order, and return those that exist."""
    found: dict[SessionKey, LockedSession] = {}
    for app, same_app in groupby(sorted(keys), key=lambda key: key.app_name):
        names = [key.request_id for key in same_app]
        found |= _locked(t, t.run(_LOCK_OF_RUNS, {"of_app": app, "names": names}))
    return found


def _locked(t: Transaction, rows: Iterable[Row[Any]]) -> dict[SessionKey, LockedSession]:
    return {
        SessionKey(row.app_name, row.user_id, row.session_id): LockedSession(
            row.id,
            row.last_position,
            row.last_user_position,
            row.event_count,
            from_micros(row.update_time),
            expiry_of(row),
        )
        for row in rows
        if row.expire_time is None or row.expire_time > t.at
    }


def lock(t: Transaction, key: SessionKey) -> LockedSession:
    """Lock a session. Raises: NotFoundError."""
    found = lock_many(t, [key]).get(key)
    if found is None:
        raise NotFoundError("session", key.session_id)
    return found


def save(t: Transaction, locked: Iterable[LockedSession]) -> None:
    """Write what locked sessions shall be."""
    rows = [
        {
            "of_id": one.id,
            "new_last_position": one.last_position,
            "new_last_user_position": one.last_user_position,
            "new_event_count": one.event_count,
            "new_update_time": to_micros(one.update_time),
            "new_expire_time": optional_micros(one.expiry.time),
        }
        for one in locked
    ]
    if rows:
        t.execute_many(_SAVE, rows)


def merge_state_of(t: Transaction, locked: LockedSession, deltas: Sequence[JsonObject]) -> dict[str, Any]:
    """Merge deltas into a locked session's own state and return it."""
    state: dict[str, Any] = decode_value(t.run(_STATE, {"of_id": locked.id}).scalar_one())
    for delta in deltas:
        state = merge_state(state, delta)
    t.run(_SET_STATE, {"of_id": locked.id, "new_state": encode_value(state)})
    return state


def expiry_of(row: Any) -> Expiry:
    """Return the expiry in a row."""
    ttl = None if row.ttl is None else timedelta(microseconds=row.ttl)
    return Expiry(ttl, optional_time(row.expire_time))
