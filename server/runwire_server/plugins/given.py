"""What goes into hooks, and what comes out of them: copies of what could be changed, and a check of what is new."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from runwire_server.domain.content import Message
from runwire_server.domain.record import replace

T = TypeVar("T")


def own(value: T) -> T:
    """Return the value with copies of all lists and mappings in it; the same object when there are none.

    Mappings become dicts. What is neither JSON nor a dataclass stays the same object.
    """
    copied: T = _own(value)
    return copied


def check_made(value: object) -> None:
    """Check what a hook made: a log and a model take only text that is text, and data that is JSON.

    Raises: TypeError, ValueError, saying which field is wrong.
    """
    if isinstance(value, tuple):
        for item in value:
            check_made(item)
    if not is_dataclass(value):
        return
    for field in fields(value):
        name = f"{type(value).__name__}.{field.name}"
        inner = getattr(value, field.name)
        if field.type is str or (field.type == str | None and inner is not None):
            _check_text(name, inner)
        elif field.type is Any or isinstance(inner, dict | list):
            _check_json(name, inner)
        else:
            check_made(inner)


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


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} is {type(text).__name__}, not text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has characters that UTF-8 cannot hold") from None


def _check_json(name: str, data: object) -> None:
    try:
        json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
