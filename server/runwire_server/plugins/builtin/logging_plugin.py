"""What runs do, in the server's log."""

import logging
import time
from collections.abc import Callable

from runwire_server.domain.content import Message, ToolCall, ToolResult
from runwire_server.domain.runs import Run
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.plugin import HookContext, Plugin

_CHARS_MAX = 500


class LoggingPlugin(Plugin):
    """Log model calls and tool calls with how long they took, and how runs end; contents only when asked to."""

    name = "logging"

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        with_contents: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._logger = logger or logging.getLogger("runwire.runs")
        self._with_contents = with_contents

    async def before_model(self, context: HookContext, request: ModelRequest) -> None:
        """See Plugin."""
        context.notes[f"{self.name} model {context.invocation_id}"] = self._clock()
        self._say(context, f"asks the model, {len(request.messages)} messages")

    async def after_model(self, context: HookContext, answer: Message) -> None:
        """See Plugin."""
        seconds = self._seconds(context, "model", context.invocation_id)
        calls = ", ".join(call.name for call in answer.tool_calls)
        self._say(
            context, f"the model answered after {seconds:.3f} s; calls: {calls or 'none'}", answer.content
        )

    async def before_tool(self, context: HookContext, call: ToolCall) -> None:
        """See Plugin."""
        context.notes[f"{self.name} tool {context.invocation_id} {call.id}"] = self._clock()
        self._say(context, f"calls {call.name} ({call.id})", call.arguments)

    async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> None:
        """See Plugin."""
        seconds = self._seconds(context, "tool", f"{context.invocation_id} {call.id}")
        how = result.reason or "ok"
        self._say(context, f"{call.name} ({call.id}) ended after {seconds:.3f} s: {how}", result.content)

    async def after_run(self, run: Run) -> None:
        """See Plugin."""
        outcome = run.outcome.value if run.outcome is not None else "open"
        self._logger.info(
            "run %s ended %s (%s), %d model calls, %d tokens",
            run.key.request_id,
            outcome,
            run.stop_reason,
            run.usage.model_calls,
            run.usage.total_tokens,
        )

    def _seconds(self, context: HookContext, kind: str, name: str) -> float:
        now = self._clock()
        began: float = context.notes.pop(f"{self.name} {kind} {name}", now)
        return now - began

    def _say(self, context: HookContext, text: str, content: str = "") -> None:
        if self._with_contents and content:
            text = f"{text}: {content[:_CHARS_MAX]!r}"  # quoted: a new line would be a new record
        self._logger.info("run %s, %s: %s", context.run.key.request_id, context.branch, text)
