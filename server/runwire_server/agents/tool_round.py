"""Run one round of tool calls: events in the order in which calls end, results in the order of the calls."""

import asyncio
import difflib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from runwire_server.agents.agent import AgentContext
from runwire_server.domain.content import ToolCall, ToolResult, ToolStatus, clean_text
from runwire_server.domain.events import ToolFinished, ToolProgress, ToolStarted
from runwire_server.tools.tool import BadArgumentsError, Tool, ToolContext

_logger = logging.getLogger(__name__)
PARALLEL_CALLS_MAX = 8
_ERROR_CHARS_MAX = 500


async def run_round(
    context: AgentContext, tools: Mapping[str, Tool], calls: Sequence[ToolCall]
) -> tuple[ToolResult, ...]:
    """Execute the calls, at most PARALLEL_CALLS_MAX at a time, and return their results in the calls' order.

    A call that fails is answered with a structured error that the model can read; its siblings go on.
    """
    slots = asyncio.Semaphore(PARALLEL_CALLS_MAX)

    async def one(index: int, call: ToolCall) -> ToolResult:
        async with slots:
            return await _run_call(context, tools.get(call.name), tools, index, call)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(index, call)) for index, call in enumerate(calls)]
    except ExceptionGroup as failures:
        # No call fails: it is the log that cannot be written, or a stop, and one of them says it for all.
        raise failures.exceptions[0] from None
    return tuple(task.result() for task in tasks)


async def _run_call(
    context: AgentContext, tool: Tool | None, tools: Mapping[str, Tool], index: int, call: ToolCall
) -> ToolResult:
    await context.output.emit(ToolStarted(call, index))
    began = time.monotonic()
    if tool is None:
        result = failed(call, "UNKNOWN_TOOL", _unknown_tool(call.name, tools))
    else:
        result = await _call(context, tool, call)
    await context.output.emit(ToolFinished(result, index, time.monotonic() - began))
    return result


async def _call(context: AgentContext, tool: Tool, call: ToolCall) -> ToolResult:
    async def report(message: str, fraction: float | None) -> None:
        context.output.partial(ToolProgress(call.id, call.name, clean_text(message), fraction))

    try:
        arguments = _parse(call.arguments)
        async with asyncio.timeout(tool.timeout_seconds) as deadline:
            content = await tool.call(
                arguments, ToolContext(context.run.key.request_id, context.run.session, call.id, report)
            )
    except BadArgumentsError as error:
        return failed(call, "INVALID_ARGUMENTS", str(error))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return failed(call, "TOOL_FAILED", "the tool cancelled itself")
    except Exception as error:
        if isinstance(error, TimeoutError) and deadline.expired():
            return failed(call, "TIMEOUT", f"the tool took longer than {tool.timeout_seconds:g} seconds")
        _logger.info("tool %s failed in run %s", call.name, context.run.key.request_id, exc_info=error)
        return failed(call, "TOOL_FAILED", f"{type(error).__name__}: {error}")
    return ToolResult(call.id, call.name, clean_text(content))


def failed(call: ToolCall, reason: str, message: str) -> ToolResult:
    """Return the result of a call that failed, in the one shape that all failures have."""
    error = {"reason": reason, "message": clean_text(message)[:_ERROR_CHARS_MAX]}
    content = json.dumps({"error": error}, ensure_ascii=False)
    return ToolResult(call.id, call.name, content, ToolStatus.ERROR, reason)


def _parse(arguments: str) -> dict[str, Any]:
    if not arguments.strip():
        return {}
    try:
        value = json.loads(arguments)
    except ValueError as error:
        raise BadArgumentsError(f"the arguments are not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadArgumentsError(f"the arguments must be a JSON object, not {type(value).__name__}")
    return value


def _unknown_tool(name: str, tools: Mapping[str, Tool]) -> str:
    near = difflib.get_close_matches(name[:160], tools, n=3)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return f"there is no tool {name[:160]!r}{hint}"
