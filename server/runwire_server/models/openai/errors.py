"""What a provider's failures mean here: one table from statuses and error bodies to ModelError. Pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from runwire_server.domain.content import clean_text
from runwire_server.domain.errors import ModelError

_MESSAGE_CHARS_MAX = 300
_KEY_CHARS_MIN = 6
# Words in a provider's error code or type, and the status that they stand for. The first that fits counts.
_WORDS: tuple[tuple[str, int], ...] = (
    ("insufficient_quota", 429),
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("too_many_requests", 429),
    ("authentication", 401),
    ("invalid_api_key", 401),
    ("permission", 403),
    ("not_found", 404),
    ("context_length", 400),
    ("invalid", 400),
    ("badrequest", 400),
    ("bad_request", 400),
)


class RefusedError(ModelError):
    """The server wants the next try only after `retry_after_seconds`."""

    def __init__(self, refusal: ModelError, retry_after_seconds: float) -> None:
        super().__init__(str(refusal), refusal.code, retryable=refusal.retryable)
        self.retry_after_seconds = retry_after_seconds


def status_error(status: int, body: Any, *, secret: str = "") -> ModelError:
    """Return the error for an HTTP status of 300 or more. `body` is the parsed JSON, or text, or None.

    The provider's own words are shown for 4xx only, trimmed, and never those of a 401: they repeat the key.
    """
    detail = provider_message(body, secret) if 400 <= status < 500 and status != 401 else ""
    said = f"the model server answered {_phrase(status)}{': ' + detail if detail else ''}"
    match status:
        case 401:
            return ModelError(f"{said}: the API key is missing or wrong", "MODEL_UNAUTHENTICATED")
        case 403:
            return ModelError(said, "MODEL_UNAUTHENTICATED")
        case 429:
            # More tries do not bring more money.
            is_retryable = "insufficient_quota" not in _kind(body)
            return ModelError(said, "MODEL_RATE_LIMITED", retryable=is_retryable)
        case 408:
            return ModelError(said, "MODEL_TIMEOUT", retryable=True)
        case _ if 400 <= status < 500:
            return ModelError(said, "MODEL_REJECTED")
        case _ if status >= 500:
            return ModelError(said, "MODEL_UNAVAILABLE", retryable=True)
        case _:
            return ModelError(f"{said}, which is no answer; check the base URL", "MODEL_BAD_RESPONSE")


def body_error(body: Any, *, secret: str = "") -> ModelError:
    """Return the error for an error object that came with status 200, whole or in mid-stream."""
    error = body.get("error") if isinstance(body, Mapping) and body.get("error") else body
    status = _status_of(error)
    if status is not None:
        return status_error(status, error, secret=secret)
    detail = provider_message(error, secret) or "no message"
    return ModelError(f"the model server reported an error: {detail}", "MODEL_UNAVAILABLE", retryable=True)


def provider_message(body: Any, secret: str = "") -> str:
    """Return what an error body says: one line, at most 300 characters, no secret; "" for HTML."""
    value = body
    for _ in range(3):
        if isinstance(value, list) and value:
            # Gemini wraps its error object in a list.
            value = value[0]
        if isinstance(value, Mapping):
            value = next((value[k] for k in ("message", "error", "detail") if value.get(k)), "")
    if not isinstance(value, str) or value.lstrip().startswith("<"):
        return ""
    if len(secret) >= _KEY_CHARS_MIN:
        value = value.replace(secret, "***")
    # The cut before the split keeps a huge body from costing anything.
    text = " ".join(clean_text(value[: 4 * _MESSAGE_CHARS_MAX]).split())
    text = "".join(char for char in text if char.isprintable())
    return text if len(text) <= _MESSAGE_CHARS_MAX else f"{text[: _MESSAGE_CHARS_MAX - 1]}…"


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long the provider asks to wait (`retry-after-ms`, `retry-after`); None if it does not."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _seconds_until(value, now)
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _seconds_until(date: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def _kind(error: Any) -> str:
    """Return the provider's words for the kind of an error, in lower case."""
    if not isinstance(error, Mapping):
        return ""
    if isinstance(error.get("error"), Mapping):
        error = error["error"]
    return " ".join(str(error.get(key) or "") for key in ("code", "type", "status")).lower()


def _status_of(error: Any) -> int | None:
    if not isinstance(error, Mapping):
        return None
    for key in ("code", "status", "status_code"):
        value = error.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:4])
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    kind = _kind(error)
    return next((status for word, status in _WORDS if word in kind), None)


def _phrase(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
