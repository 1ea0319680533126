"""Copies for hooks, of no more than what a hook could change."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from runwire_server.domain.content import Message

T = TypeVar("T")


def own(value: T) -> T:
    """Return the value with copies of all lists and mappings in it; the same object when there are none.

    Mappings become dicts. What is neither JSON nor a dataclass stays the same object.
    """
    copied: T = _own(value)
    return copied


def _own(value: Any) -> Any:
    match value:
        case str() | bytes() | int() | float() | None:
            return value
        case Message(parts=()):
            return value  # most of a long history
        case tuple():
            items = tuple(_own(item) for item in value)
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        case list():
            return [_own(item) for item in value]
        case Mapping():
            return {key: _own(item) for key, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _own_fields(value)
        case _:
            return value


def _own_fields(value: Any) -> Any:
    changed = {}
    for field in fields(value):
        old = getattr(value, field.name)
        new = _own(old)
        if new is not old:
            changed[field.name] = new
    return replace(value, **changed) if changed else value
