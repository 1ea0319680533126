"""Messages, tools, usage, and JSON."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from runwire.v1 import content_pb2 as pb
from runwire_server.domain.content import (
    Message,
    Part,
    Role,
    ToolCall,
    ToolResult,
    ToolStatus,
    Usage,
    clean_text,
)
from runwire_server.domain.state import DEPTH_MAX

_SAFE_INTEGER = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A reader cannot decode more than about 33 levels (notes/grpc.md §1.3), and would lose the whole event.
_TOO_DEEP = "(nested too deeply to be sent)"

ROLES = {
    pb.ROLE_USER: Role.USER,
    pb.ROLE_ASSISTANT: Role.ASSISTANT,
    pb.ROLE_SYSTEM: Role.SYSTEM,
    pb.ROLE_TOOL: Role.TOOL,
}
_ROLE_TO_PROTO = {role: number for number, role in ROLES.items()}
_STATUS_TO_PROTO = {ToolStatus.OK: pb.TOOL_STATUS_OK, ToolStatus.ERROR: pb.TOOL_STATUS_ERROR}


def timestamp(time: datetime | None) -> Timestamp | None:
    """Return the time; None stays unset."""
    if time is None:
        return None
    made = Timestamp()
    set_timestamp(made, time)
    return made


def set_timestamp(made: Timestamp, time: datetime) -> None:
    """Set the time in place: a sixth of what FromDatetime costs, and every delta has one."""
    made.seconds, made.nanos = since_epoch(time)


def since_epoch(time: datetime) -> tuple[int, int]:
    """Return the seconds since 1970, and the nanoseconds of the one that has begun, as a Timestamp has them."""
    delta = time - _EPOCH
    return delta.days * 86_400 + delta.seconds, delta.microseconds * 1000


def duration(seconds: float) -> Duration:
    """Return a duration of that many seconds, not negative, to the nanosecond."""
    whole, nanos = divmod(round(seconds * 1e9), 10**9)
    return Duration(seconds=whole, nanos=nanos)


def json_to_struct(value: Mapping[str, Any], *, levels: int = DEPTH_MAX) -> Struct:
    """Return a JSON object as a Struct. Integers beyond 2^53 travel as strings, so do NaN and infinity.

    What is nested more than `levels` deep becomes a text that says so. Validation keeps callers from sending such
    state, but agents and tools make data too.
    """
    return Struct(
        fields={clean_text(str(key)): json_to_value(item, levels=levels - 1) for key, item in value.items()}
    )


def json_to_value(value: Any, *, levels: int = DEPTH_MAX) -> Value:
    """Return any JSON value as a Value. See json_to_struct."""
    match value:
        case None:
            return Value(null_value=0)  # type: ignore[arg-type]
        case bool():
            return Value(bool_value=value)
        case int() | float():
            is_number = abs(value) <= _SAFE_INTEGER if isinstance(value, int) else math.isfinite(value)
            return Value(number_value=value) if is_number else Value(string_value=str(value))
        case str():
            return Value(string_value=clean_text(value))
        case Mapping() | list() | tuple() if levels <= 0:
            return Value(string_value=_TOO_DEEP)
        case Mapping():
            return Value(struct_value=json_to_struct(value, levels=levels))
        case list() | tuple():
            made = Value()
            # An empty list is a list too, which extend alone would not say.
            made.list_value.SetInParent()
            made.list_value.values.extend(json_to_value(item, levels=levels - 1) for item in value)
            return made
        case _:
            return Value(string_value=clean_text(str(value)))


def struct_to_json(struct: Struct) -> dict[str, Any]:
    """Return a Struct as a JSON object. Doubles without a fraction become integers."""
    return {key: value_to_json(value) for key, value in struct.fields.items()}


def value_to_json(value: Value) -> Any:
    """Return a Value as JSON."""
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _SAFE_INTEGER else number
        case "string_value":
            return value.string_value
        case "struct_value":
            return struct_to_json(value.struct_value)
        case "list_value":
            return [value_to_json(item) for item in value.list_value.values]
        case _:
            return None


def message_to_proto(message: Message) -> pb.Message:
    """Return a message, without the lone surrogates that an agent's or a tool's text may have."""
    return pb.Message(
        role=_ROLE_TO_PROTO[message.role],
        content=clean_text(message.content),
        parts=[part_to_proto(part) for part in message.parts],
        tool_calls=[tool_call_to_proto(call) for call in message.tool_calls],
        tool_call_id=clean_text(message.tool_call_id),
        tool_name=clean_text(message.tool_name),
        reasoning_content=clean_text(message.reasoning_content),
    )


def message_from_proto(message: pb.Message) -> Message:
    """Return a message. An unspecified role is the user's."""
    return Message(
        role=ROLES.get(message.role, Role.USER),
        content=message.content,
        parts=tuple(part_from_proto(part) for part in message.parts),
        tool_calls=tuple(ToolCall(call.id, call.name, call.arguments) for call in message.tool_calls),
        tool_call_id=message.tool_call_id,
        tool_name=message.tool_name,
        reasoning_content=message.reasoning_content,
    )


def part_to_proto(part: Part) -> pb.Part:
    """Return a part."""
    made = pb.Part(media_type=clean_text(part.media_type), filename=clean_text(part.filename))
    if part.text is not None:
        made.text = clean_text(part.text)
    elif part.inline_data is not None:
        made.inline_data = part.inline_data
    elif part.uri is not None:
        made.uri = clean_text(part.uri)
    elif part.data is not None:
        made.data.CopyFrom(json_to_value(part.data))
    return made


def part_from_proto(part: pb.Part) -> Part:
    """Return a part."""
    kind = part.WhichOneof("content")
    return Part(
        text=part.text if kind == "text" else None,
        inline_data=part.inline_data if kind == "inline_data" else None,
        uri=part.uri if kind == "uri" else None,
        data=value_to_json(part.data) if kind == "data" else None,
        media_type=part.media_type,
        filename=part.filename,
    )


def tool_call_to_proto(call: ToolCall) -> pb.ToolCall:
    """Return a tool call."""
    return pb.ToolCall(
        id=clean_text(call.id), name=clean_text(call.name), arguments=clean_text(call.arguments)
    )


def tool_result_to_proto(result: ToolResult) -> pb.ToolResult:
    """Return a tool result."""
    return pb.ToolResult(
        tool_call_id=clean_text(result.tool_call_id),
        tool_name=clean_text(result.tool_name),
        content=clean_text(result.content),
        status=_STATUS_TO_PROTO[result.status],
        reason=result.reason,
    )


def tool_result_from_proto(result: pb.ToolResult) -> ToolResult:
    """Return a tool result. An unspecified status is OK."""
    is_error = result.status == pb.TOOL_STATUS_ERROR
    return ToolResult(
        result.tool_call_id,
        result.tool_name,
        result.content,
        ToolStatus.ERROR if is_error else ToolStatus.OK,
        result.reason,
    )


def usage_to_proto(usage: Usage) -> pb.Usage:
    """Return a usage."""
    return pb.Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_tokens=usage.total_tokens,
        model_calls=usage.model_calls,
    )


def usage_from_proto(usage: pb.Usage) -> Usage:
    """Return a usage."""
    return Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_tokens=usage.total_tokens,
        model_calls=usage.model_calls,
    )
