"""The tool contract."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runwire_server.domain.content import ToolSpec
from runwire_server.domain.ids import SessionKey


class BadArgumentsError(Exception):
    """The model's arguments do not fit the tool's schema. The text tells the model what to change."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a running tool may know and do. A function asks for it with a parameter of this type."""

    request_id: str
    session: SessionKey
    tool_call_id: str
    report: Callable[[str, float | None], Awaitable[None]]

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell whoever follows the run how far the call is. `fraction` is 0 to 1. Not stored."""
        await self.report(message, fraction)


class Tool(Protocol):
    """Something that an agent can call."""

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """How long a call may take before it is cancelled and answered with TIMEOUT."""
        ...

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Run the tool, and return what the model shall read.

        Raises:
            BadArgumentsError: The arguments do not fit.
            Exception: Any other becomes an error result that the model reads, with reason TOOL_FAILED.
        """
        ...
