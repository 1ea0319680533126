"""Session state: three tiers of JSON values, merged on read.

Keys with `app:` and `user:` belong to those tiers, wherever they are written; `temp:` keys live for a run only and
are never stored; all others are the session's. Merging is RFC 7396, key by key: a null deletes.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from runwire_server.domain.content import JsonObject


class Tier(StrEnum):
    """Whose state: the app's, the user's, or the session's."""

    APP = "app"
    USER = "user"
    SESSION = "session"


_PREFIXES = {"app:": Tier.APP, "user:": Tier.USER}
TEMP_PREFIX = "temp:"
DEPTH_MAX = 30


def split_delta(delta: JsonObject) -> dict[Tier, dict[str, Any]]:
    """Route each key to its tier, without prefix. Tiers without keys are absent; `temp:` keys are dropped."""
    tiers: dict[Tier, dict[str, Any]] = {}
    for key, value in delta.items():
        if key.startswith(TEMP_PREFIX):
            continue
        tier, bare = tier_of(key)
        tiers.setdefault(tier, {})[bare] = value
    return tiers


def tier_of(key: str) -> tuple[Tier, str]:
    """Return the key's tier and its name there."""
    for prefix, tier in _PREFIXES.items():
        if key.startswith(prefix):
            return tier, key.removeprefix(prefix)
    return Tier.SESSION, key


def merge_value(current: Any, patch: Any) -> Any:
    """Merge one value into another (RFC 7396). None means that there is, or shall be, no value."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(current) if isinstance(current, Mapping) else {}
    for key, value in patch.items():
        result = merge_value(merged.get(key), value)
        if result is None:
            merged.pop(key, None)
        else:
            merged[key] = result
    return merged


def merge_state(current: JsonObject, delta: JsonObject) -> dict[str, Any]:
    """Merge a delta into the state of one tier."""
    merged: dict[str, Any] = merge_value(current, delta)
    return merged


def merged_view(app: JsonObject, user: JsonObject, session: JsonObject) -> dict[str, Any]:
    """Return the three tiers in one: `app:` and `user:` before those tiers' keys."""
    view = dict(session)
    view.update({f"user:{key}": value for key, value in user.items()})
    view.update({f"app:{key}": value for key, value in app.items()})
    return view


def json_depth(value: Any) -> int:
    """Return how deeply a JSON value is nested: 0 for a scalar, 1 for a flat object or list."""
    if isinstance(value, Mapping):
        return 1 + max((json_depth(item) for item in value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max((json_depth(item) for item in value), default=0)
    return 0
