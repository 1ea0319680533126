"""State of apps and users: a JSON document each. All functions run in the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, insert, select, update

from runwire_server.domain.content import JsonObject
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.state import Tier, merge_state, split_delta
from runwire_server.storage.codec import decode_value, encode_value
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page
from runwire_server.storage.sql.tables import optional_micros, tier_states
from runwire_server.storage.sql.transaction import Transaction

_IS_TIER = and_(
    tier_states.c.tier == bindparam("of_tier"),
    tier_states.c.app_name == bindparam("of_app"),
    tier_states.c.user_id == bindparam("of_user"),
)
_READ = select(tier_states.c.state, tier_states.c.expire_time).where(_IS_TIER)
_LOCK = _READ.with_for_update()
_SAVE = update(tier_states).where(_IS_TIER)

Change = tuple[SessionKey, Tier, JsonObject, datetime]


def read(t: Transaction, key: SessionKey, tier: Tier) -> dict[str, Any]:
    """Return the state; empty when there is none or it has expired."""
    row = t.run(_READ, _named(key, tier)).first()
    return {} if row is None else state_of(t, row.state, row.expire_time)


def state_of(t: Transaction, text: str | None, expire_time: int | None) -> dict[str, Any]:
    """Return the state in a row that may be none or expired."""
    if text is None or (expire_time is not None and expire_time <= t.at):
        return {}
    found: dict[str, Any] = decode_value(text)
    return found


def merge(t: Transaction, changes: Sequence[Change]) -> dict[tuple[Tier, str, str], dict[str, Any]]:
    """Merge changes in order into the tiers of apps and users, and return those as they are then.

    Tiers are locked in one order everywhere, so that writers never wait for each other in a circle. Two that make
    the same tier at once collide, and the later one's transaction begins again (see Database).
    """
    merged: dict[tuple[Tier, str, str], dict[str, Any]] = {}
    ordered = sorted({(key.app_name, _user(key, tier), tier) for key, tier, _, _ in changes})
    for app, user, tier in ordered:
        row = t.run(_LOCK, {"of_tier": tier.value, "of_app": app, "of_user": user}).first()
        state = {} if row is None else state_of(t, row.state, row.expire_time)
        last = None
        for key, of, delta, now in changes:
            if (key.app_name, _user(key, of), of) == (app, user, tier):
                state, last = merge_state(state, delta), now
        values: dict[str, Any] = {"state": encode_value(state)}
        if last is not None:
            expiry = t.retention.state_expiry(tier, last)
            values["expire_time"] = optional_micros(expiry.time)
        if row is None:
            t.execute(insert(tier_states).values(tier=tier.value, app_name=app, user_id=user, **values))
        else:
            t.execute(_SAVE.values(**values), {"of_tier": tier.value, "of_app": app, "of_user": user})
        merged[tier, app, user] = state
    return merged


def merge_one(t: Transaction, change: Change) -> dict[str, Any]:
    """Merge into one tier and return it."""
    key, tier, _, _ = change
    return merge(t, [change])[tier, key.app_name, _user(key, tier)]


def owned_changes(key: SessionKey, delta: JsonObject, now: datetime) -> list[Change]:
    """Return what of a delta goes to the app's and the user's state."""
    parts = split_delta(delta)
    return [(key, tier, parts[tier], now) for tier in (Tier.APP, Tier.USER) if tier in parts]


def list_owners(t: Transaction, tier: Tier, limit: int, cursor: str | None) -> Page[SessionKey]:
    """List whose state of this tier is not empty."""
    app, user = tier_states.c.app_name, tier_states.c.user_id
    query = select(app, user).where(tier_states.c.tier == tier.value, tier_states.c.state != "{}", is_kept(t))
    if cursor is not None:
        after_app, after_user, _ = parse_cursor(cursor, str, str, str)
        query = query.where((app > after_app) | and_(app == after_app, user > after_user))
    rows = t.execute(query.order_by(app, user).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = make_cursor(last.app_name, last.user_id, "") if last is not None else None
    return Page(tuple(SessionKey(row.app_name, row.user_id, "") for row in rows[:limit]), following)


def is_kept(t: Transaction) -> ColumnElement[bool]:
    """The condition that a tier's state has not expired."""
    return tier_states.c.expire_time.is_(None) | (tier_states.c.expire_time > t.at)


def _user(key: SessionKey, tier: Tier) -> str:
    return "" if tier is Tier.APP else key.user_id


def _named(key: SessionKey, tier: Tier) -> Mapping[str, str]:
    return {"of_tier": tier.value, "of_app": key.app_name, "of_user": _user(key, tier)}
