"""What goes into hooks, and what comes out of them: copies of what could be changed, and a check of what is new."""

import json
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from typing import Any

from runwire_server.domain.content import Message
from runwire_server.models.model import ModelRequest


def own_copy(value: Any) -> Any:
    """Return something that a hook may change without anybody else noticing. What is frozen is shared."""
    match value:
        case Message(parts=parts) if any(part.data is not None for part in parts):
            return replace(value, parts=deepcopy(parts))
        case ModelRequest(messages=messages, tools=tools):
            own = tuple(own_copy(message) for message in messages)
            return replace(value, messages=own, tools=deepcopy(tools))
        case _:
            return value


def check_made(value: object, kinds: tuple[type, ...] = (object,)) -> None:
    """Check what a hook made: one of these kinds, with text that UTF-8 can hold, and data that is JSON.

    Raises: TypeError, ValueError, saying what is wrong.
    """
    if not isinstance(value, kinds):
        wanted = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"returned {type(value).__name__}, not {wanted} or None")
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
