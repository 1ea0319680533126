"""State of the three tiers: a row a key. All functions run in the caller's transaction."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from runwire_server.domain.content import JsonObject
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.state import Tier, merge_state, split_delta
from runwire_server.storage.codec import decode_value, encode_value
from runwire_server.storage.sql.tables import state


def read_state(connection: Connection, key: SessionKey, tier: Tier) -> dict[str, Any]:
    """Return one tier's keys."""
    rows = connection.execute(select(state.c.name, state.c.value).where(_owned(key, tier)))
    return {name: decode_value(value) for name, value in rows}


def merge(connection: Connection, key: SessionKey, tier: Tier, delta: JsonObject) -> dict[str, Any]:
    """Merge into one tier and return it. Writes only the keys that the delta names."""
    current = read_state(connection, key, tier)
    merged = merge_state(current, delta)
    gone = [name for name in delta if name in current]
    if gone:
        connection.execute(delete(state).where(_owned(key, tier), state.c.name.in_(gone)))
    owner = _owner(key, tier)
    rows = [{**owner, "name": name, "value": encode_value(merged[name])} for name in delta if name in merged]
    if rows:
        connection.execute(insert(state), rows)
    return merged


def merge_delta(
    connection: Connection, key: SessionKey, delta: JsonObject, *, has_session: bool = True
) -> None:
    """Merge a delta whose keys may belong to any tier. The session's part needs the session."""
    for tier, part in split_delta(delta).items():
        if has_session or tier is not Tier.SESSION:
            merge(connection, key, tier, part)


def delete_session_state(connection: Connection, key: SessionKey) -> None:
    """Delete the session's own state."""
    connection.execute(delete(state).where(_owned(key, Tier.SESSION)))


def _owner(key: SessionKey, tier: Tier) -> Mapping[str, str]:
    return {
        "tier": tier.value,
        "app_name": key.app_name,
        "user_id": "" if tier is Tier.APP else key.user_id,
        "session_id": key.session_id if tier is Tier.SESSION else "",
    }


def _owned(key: SessionKey, tier: Tier) -> ColumnElement[bool]:
    return and_(*(state.c[name] == value for name, value in _owner(key, tier).items()))
