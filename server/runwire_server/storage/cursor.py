"""Page tokens: where a list goes on. Opaque and url-safe for callers, and never trusted when they come back."""

import base64
import json
from typing import Any

from runwire_server.domain.errors import InvalidRequestError

_LENGTH_MAX = 4096
_INT_MAX = 2**63 - 1


def make_cursor(*parts: int | str) -> str:
    """Return a cursor that holds these."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def parse_cursor(cursor: str, *kinds: type[Any]) -> list[Any]:
    """Return what a cursor holds: values of these types, integers of 64 bits. Raises: InvalidRequestError."""
    parts = _parts(cursor) if len(cursor) <= _LENGTH_MAX else None
    if (
        not isinstance(parts, list)
        or len(parts) != len(kinds)
        or not all(type(part) is kind for part, kind in zip(parts, kinds, strict=True))
        or any(isinstance(part, int) and abs(part) > _INT_MAX for part in parts)
    ):
        raise InvalidRequestError.of("page_token", "is not a token of this list")
    return parts


def _parts(cursor: str) -> Any:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        parts = json.loads(text)
        # A lone surrogate can be written in JSON, and in no database.
        json.dumps(parts, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return parts
