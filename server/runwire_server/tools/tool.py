"""The tool contract."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runwire_server.domain.content import ToolSpec
from runwire_server.domain.ids import SessionKey

TIMEOUT_SECONDS_DEFAULT = 60.0


class BadArgumentsError(Exception):
    """The model's arguments do not fit the tool's schema. The text tells the model what to change.

    `pointer` is the JSON pointer of the first thing that is wrong; empty: the arguments as a whole.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class ToolError(Exception):
    """A tool failed, and says how: `code` is UPPER_SNAKE_CASE, and the model reads it.

    `retryable` tells the model whether calling again may help; it also lets the tool's own retries begin.
    """

    def __init__(self, message: str, code: str = "TOOL_FAILED", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPolicy:
    """How calls of a tool are executed.

    `timeout_seconds` is for each try. `retries` is how often a call is tried again that raised or took too long
    (never one with wrong arguments); the delay doubles each time. `return_direct`: the result is the run's answer. An
    `is_exclusive` call has no other call of its round beside it. `requires_approval`: somebody must allow each call.
    """

    timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT
    retries: int = 0
    retry_delay_seconds: float = 0.5
    return_direct: bool = False
    is_exclusive: bool = False
    requires_approval: bool = False


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a running tool may know and do. A function asks for it with a parameter of this type."""

    request_id: str
    session: SessionKey
    tool_call_id: str
    report: Callable[[str, float | None], Awaitable[None]]
    show: Callable[[str], None] = lambda _: None

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell whoever follows the run how far the call is. `fraction` is 0 to 1. Not stored."""
        await self.report(message, fraction)

    def write(self, text: str) -> None:
        """Show a piece of the output to whoever follows the run, before the result is whole. Not stored."""
        self.show(text)


class Tool(Protocol):
    """Something that an agent can call."""

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        ...

    @property
    def policy(self) -> ToolPolicy:
        """How calls are executed."""
        ...

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Run the tool, and return what the model shall read.

        Raises:
            BadArgumentsError: The arguments do not fit.
            ToolError: It failed, and says how.
            StopError: The run ends, cleanly.
            Exception: Any other becomes an error result that the model reads, with code TOOL_FAILED.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToolInvocation:
    """One call, as middleware sees it. `arguments` are parsed; a middleware may hand on others."""

    tool: Tool
    arguments: Mapping[str, Any]
    context: ToolContext


NextCall = Callable[[ToolInvocation], Awaitable[str]]
# Wraps calls of tools, of every kind alike; the first of a list is the outermost. It may change the arguments or the
# result, answer without calling, or raise what a tool may raise.
ToolMiddleware = Callable[[ToolInvocation, NextCall], Awaitable[str]]
