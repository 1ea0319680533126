"""Checks of single fields. A Checks collects what is wrong, and raises it all at once."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from runwire.v1 import content_pb2
from runwire_server.domain.errors import FieldViolation, InvalidRequestError
from runwire_server.domain.state import DEPTH_MAX, tier_of
from runwire_server.transport.convert.content import ROLES, struct_to_json

ID_CHARS_MAX = 255
CONTENT_BYTES_MAX = 1024 * 1024
INLINE_BYTES_MAX = 256 * 1024
# All of a message. It travels back in one event, and one event must fit the 4 MiB of a response.
MESSAGE_BYTES_MAX = 3 * 1024 * 1024
STATE_BYTES_MAX = 256 * 1024
PAGE_MAX = 1000
_VIOLATIONS_MAX = 20


class Checks:
    """Use as a context manager: leaving raises InvalidRequestError when something was wrong."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        # How many values the JSON Schemas have that were checked so far.
        self.schema_values = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._violations:
            raise InvalidRequestError(self._violations)

    def wrong(self, field: str, description: str) -> None:
        """Note that a field is wrong."""
        if len(self._violations) < _VIOLATIONS_MAX:
            self._violations.append(FieldViolation(field, description))

    def name(self, field: str, value: str, *, is_required: bool = False) -> str:
        """Check a name or an id: any characters but NUL, at most ID_CHARS_MAX of them."""
        if is_required and not value.strip():
            self.wrong(field, "is required")
        elif len(value) > ID_CHARS_MAX:
            self.wrong(field, f"has {len(value)} characters; at most {ID_CHARS_MAX} are allowed")
        elif "\0" in value:
            self.wrong(field, "must not have a NUL character")
        return value

    def text(self, field: str, value: str, *, chars_max: int) -> str:
        """Check a text: any characters but NUL, which not every store can keep, at most `chars_max` of them."""
        if len(value) > chars_max:
            self.wrong(field, f"has {len(value)} characters; at most {chars_max} are allowed")
        elif "\0" in value:
            self.wrong(field, "must not have a NUL character")
        return value

    def number(self, field: str, value: float, low: float, high: float) -> None:
        """Check that a number is within bounds, both included."""
        if not (math.isfinite(value) and low <= value <= high):
            self.wrong(field, f"is {value:g}; {low:g} to {high:g} is allowed")

    def optional_number(self, message: Any, prefix: str, name: str, low: float, high: float) -> None:
        """Check a field with presence, when it is set."""
        if message.HasField(name):
            self.number(f"{prefix}{name}", getattr(message, name), low, high)

    def not_negative(self, field: str, value: int) -> int:
        """Check that a count or a position is not below 0."""
        if value < 0:
            self.wrong(field, f"is {value}; it must not be negative")
        return value

    def page_size(self, value: int, *, default: int) -> int:
        """Return the page size to use: too large is cut, 0 is the default, negative is wrong."""
        self.not_negative("page_size", value)
        return min(value, PAGE_MAX) or default

    def number_token(self, value: str) -> int:
        """Return what a page token of digits stands for; 0 for none."""
        if not value:
            return 0
        if not (value.isascii() and value.isdecimal() and len(value) <= 18):
            self.wrong("page_token", "is not a token of this list")
            return 0
        return int(value)

    def seconds(self, field: str, value: Duration, low: float, high: float) -> float:
        """Return a duration in seconds, checked against bounds."""
        seconds = value.seconds + value.nanos / 1e9
        if abs(value.nanos) >= 10**9 or value.seconds * value.nanos < 0:
            self.wrong(field, "is not a valid duration")
        elif not low <= seconds <= high:
            self.wrong(field, f"is {seconds:g} s; {low:g} s to {high:g} s is allowed")
        return seconds

    def time(self, field: str, value: Timestamp) -> datetime | None:
        """Return a time, or None for one that no calendar has."""
        try:
            return value.ToDatetime(UTC)
        except (ValueError, OverflowError):
            self.wrong(field, "is not a valid time")
            return None

    def enum(self, field: str, value: int, allowed: Mapping[Any, Any] | Iterable[Any]) -> bool:
        """Check that an enum's number is one of these."""
        if value in (allowed if isinstance(allowed, Mapping) else list(allowed)):
            return True
        self.wrong(field, f"has the unknown or unusable value {value}")
        return False

    def state(self, field: str, struct: Struct) -> dict[str, Any]:
        """Return state as JSON, checked: keys, depth, size, numbers that JSON has."""
        if struct.ByteSize() > STATE_BYTES_MAX:
            self.wrong(field, f"is larger than {STATE_BYTES_MAX} bytes")
            return {}
        for key in struct.fields:
            # The tier's prefix is not stored, so what counts is the rest.
            bare = tier_of(key)[1]
            if not bare or len(bare) > ID_CHARS_MAX:
                self.wrong(field, f"has a key of {len(bare)} characters; 1 to {ID_CHARS_MAX} are allowed")
            elif "\0" in bare:
                self.wrong(field, "has a key with a NUL character")
        if _depth_exceeds(struct, DEPTH_MAX):
            self.wrong(field, f"is nested more than {DEPTH_MAX} levels deep")
            return {}
        if not all(_is_finite(value) for value in struct.fields.values()):
            self.wrong(field, "has a number that JSON cannot hold: NaN or infinity")
            return {}
        return struct_to_json(struct)

    def content(self, field: str, text: str) -> None:
        """Check a text of the conversation."""
        size = len(text) if text.isascii() else len(text.encode())
        if size > CONTENT_BYTES_MAX:
            self.wrong(field, f"has {size} bytes; at most {CONTENT_BYTES_MAX} are allowed")

    def message(self, field: str, message: content_pb2.Message, roles: Iterable[int]) -> None:
        """Check a message of a caller, who may speak in these roles."""
        self.enum(f"{field}.role", message.role, roles)
        self.content(f"{field}.content", message.content)
        if (size := message.ByteSize()) > MESSAGE_BYTES_MAX:
            self.wrong(field, f"has {size} bytes; at most {MESSAGE_BYTES_MAX} are allowed")
        for index, part in enumerate(message.parts):
            self._part(f"{field}.parts[{index}]", part)
        if message.role == content_pb2.ROLE_TOOL:
            self.name(f"{field}.tool_call_id", message.tool_call_id, is_required=True)
        if message.tool_calls and message.role != content_pb2.ROLE_ASSISTANT:
            self.wrong(f"{field}.tool_calls", "only an assistant's message has tool calls")
        for index, call in enumerate(message.tool_calls):
            self.name(f"{field}.tool_calls[{index}].id", call.id, is_required=True)
            self.name(f"{field}.tool_calls[{index}].name", call.name, is_required=True)

    def _part(self, field: str, part: content_pb2.Part) -> None:
        kind = part.WhichOneof("content")
        if kind is None:
            self.wrong(field, "is empty")
        elif kind in {"inline_data", "uri"} and not part.media_type:
            self.wrong(f"{field}.media_type", "is required with inline_data and uri")
        if kind == "inline_data" and len(part.inline_data) > INLINE_BYTES_MAX:
            self.wrong(f"{field}.inline_data", f"is larger than {INLINE_BYTES_MAX} bytes")
        if kind == "data" and part.data.WhichOneof("kind") in {None, "null_value"}:
            self.wrong(f"{field}.data", "is null")
        if kind == "data" and _value_exceeds(part.data, DEPTH_MAX):
            self.wrong(f"{field}.data", f"is nested more than {DEPTH_MAX} levels deep")
        if kind == "data" and not _is_finite(part.data):
            self.wrong(f"{field}.data", "has a number that JSON cannot hold: NaN or infinity")


ANY_ROLE = tuple(ROLES)
USER_ROLE = (content_pb2.ROLE_UNSPECIFIED, content_pb2.ROLE_USER)


def says_something(message: content_pb2.Message) -> bool:
    """Whether a message adds to a conversation. A tool's answer does even when it is empty."""
    is_answer = message.role == content_pb2.ROLE_TOOL
    return is_answer or bool(
        message.content or message.parts or message.reasoning_content or message.tool_calls
    )


def _depth_exceeds(struct: Struct, levels: int) -> bool:
    return levels <= 0 or any(_value_exceeds(value, levels - 1) for value in struct.fields.values())


def _value_exceeds(value: Value, levels: int) -> bool:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _depth_exceeds(value.struct_value, levels)
        case "list_value":
            return levels <= 0 or any(_value_exceeds(v, levels - 1) for v in value.list_value.values)
        case _:
            return False


def _is_finite(value: Value) -> bool:
    match value.WhichOneof("kind"):
        case "number_value":
            return math.isfinite(value.number_value)
        case "struct_value":
            return all(_is_finite(item) for item in value.struct_value.fields.values())
        case "list_value":
            return all(_is_finite(item) for item in value.list_value.values)
        case _:
            return True
