"""The body of an answer: an event stream, a JSON object where a stream was asked for, or neither. Pure."""

import json
from typing import Any

import msgspec

from runwire_server.domain.errors import ModelError
from runwire_server.models.openai.sse import EVENT_BYTES_MAX, EventTooLargeError, SseParser

_BOM = b"\xef\xbb\xbf"
_DONE = b"[DONE]"


class BodyReader:
    """Takes the bytes of a body as they come, split anywhere, and returns the payloads they complete: JSON
    objects, still as bytes, so that what came before a broken one is not lost with it.

    What the body is shows in its first byte: servers' content types are not to be trusted. `is_done` becomes
    True when the server says that it is through: with [DONE], or with the end of a body that is one JSON
    object.
    """

    def __init__(self, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._head = b""
        self._events: SseParser | None = None
        self._whole: list[bytes] | None = None
        self._whole_bytes = 0
        self.is_done = False

    @property
    def is_between_events(self) -> bool:
        """Whether the next bytes begin an event."""
        return self._events is not None and self._events.is_between_events and not self.is_done

    def take(self, data: bytes) -> list[bytes]:
        """Return the payloads that these bytes complete, in order; none after [DONE].

        Raises: ModelError: MODEL_BAD_RESPONSE for HTML, MODEL_OUTPUT_TOO_LARGE.
        """
        if self._events is not None:
            return self._take_events(self._events, data)
        if self._whole is None:
            self._head = data = (self._head + data).removeprefix(_BOM).lstrip()
            if not data or _BOM.startswith(data):
                return []
            if data.startswith(b"<"):
                raise _bad("HTML instead of an answer; check the base URL")
            if not data.startswith(b"{"):
                self._events = SseParser(self._bytes_max)
                return self._take_events(self._events, data)
            self._whole = []
        self._whole.append(data)
        self._whole_bytes += len(data)
        if self._whole_bytes > self._bytes_max:
            raise _too_large(self._bytes_max)
        return []

    def end(self) -> list[bytes]:
        """Return the payloads that only the end of the body completes. Raises: ModelError, as `take`."""
        if self._whole is not None:
            self.is_done = True
            return [b"".join(self._whole)]
        if self._events is None:
            return []
        payloads = self._until_done(self._events.close())
        if self._events.is_foreign and not self.is_done:
            raise _bad("something that is not an event stream; check the base URL")
        return payloads

    def _take_events(self, events: SseParser, data: bytes) -> list[bytes]:
        try:
            return self._until_done(events.feed(data))
        except EventTooLargeError:
            raise _too_large(self._bytes_max) from None

    def _until_done(self, payloads: list[bytes]) -> list[bytes]:
        kept: list[bytes] = []
        for payload in payloads:
            if self.is_done:
                break
            if payload.startswith(b"{"):
                kept.append(payload)
            elif payload.strip() == _DONE:
                self.is_done = True
            elif payload.strip():
                kept.append(payload)
        return kept


def parsed(payload: bytes) -> Any:
    """Return the JSON value of a payload. Raises: ModelError MODEL_BAD_RESPONSE."""
    try:
        return msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        pass  # it may be only bad UTF-8, or half of a surrogate pair, which Python's parser takes
    try:
        return json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise _bad("what is not valid JSON") from None


def _bad(what: str) -> ModelError:
    return ModelError(f"the model server sent {what}", "MODEL_BAD_RESPONSE")


def _too_large(bytes_max: int) -> ModelError:
    return ModelError(f"the model server sent more than {bytes_max} bytes at once", "MODEL_OUTPUT_TOO_LARGE")
