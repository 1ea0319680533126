"""What models, tools and people say to each other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

JsonObject = Mapping[str, Any]


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a message that is more than text. Exactly one of the first four is set."""

    text: str | None = None
    inline_data: bytes | None = None
    uri: str | None = None
    data: Any = None
    media_type: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to have a tool called. `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str = ""
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""
    reasoning_content: str = ""

    @property
    def has_payload(self) -> bool:
        """Whether it says anything: RUN-35 of the reference, plus tool calls."""
        return bool(self.content or self.parts or self.reasoning_content or self.tool_calls)


class ToolStatus(StrEnum):
    """How a tool call ended."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of one call, as the model reads it.

    `reason` is empty when it succeeded, else UNKNOWN_TOOL, INVALID_ARGUMENTS, TIMEOUT, TOOL_FAILED, DENIED,
    CANCELLED, RESULT_TOO_LARGE, LIMIT_REACHED or a code of the tool's own; `content` is made by `failed_result` then.
    """

    tool_call_id: str
    tool_name: str
    content: str
    status: ToolStatus = ToolStatus.OK
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told about a tool. `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens used. Zero means none were reported."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    model_calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.total_tokens + other.total_tokens,
            self.model_calls + other.model_calls,
        )


NO_USAGE = Usage()

_ERROR_CHARS_MAX = 1000


def failed_result(
    call: ToolCall, code: str, message: str, *, retryable: bool = False, pointer: str | None = None
) -> ToolResult:
    """Return the result of a call that failed, in the one shape that all failures have.

    `pointer` is the JSON pointer of what is wrong with the arguments.
    """
    error: dict[str, Any] = {
        "code": code,
        "message": clean_text(message)[:_ERROR_CHARS_MAX],
        "retryable": retryable,
    }
    if pointer is not None:
        error["pointer"] = clean_text(pointer)[:_ERROR_CHARS_MAX]
    content = json.dumps({"ok": False, "error": error}, ensure_ascii=False)
    return ToolResult(call.id, call.name, content, ToolStatus.ERROR, code)


def result_message(result: ToolResult) -> Message:
    """Return the result as the message of the conversation that a model reads."""
    return Message(Role.TOOL, result.content, tool_call_id=result.tool_call_id, tool_name=result.tool_name)


def clean_text(text: str) -> str:
    """Replace lone surrogates, which json.loads makes of a bad escape and UTF-8 cannot hold."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
