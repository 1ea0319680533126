"""Answers to what a run asks, by functions of the caller: approvals, and tools that the caller executes."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from runwire.errors import CallError
from runwire.runs import RunCalls
from runwire.v1 import content_pb2, event_pb2, run_pb2

_TRIES_MAX = 5
_DELAY_SECONDS_FIRST = 0.2
# Somebody else was first, or the run is gone: there is nothing left to answer.
_TOO_LATE = frozenset({grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer to an approval that says more than yes or no. `arguments`: JSON text or a mapping, to use instead."""

    is_approved: bool
    arguments: str | Mapping[str, Any] | None = None
    comment: str = ""
    decided_by: str = ""


Answer: TypeAlias = bool | Decision | None
# Asked about a tool call. None leaves the question to somebody else.
Approve: TypeAlias = Callable[[event_pb2.ApprovalRequested], Answer | Awaitable[Answer]]
# Called with the arguments by name. Returns text, a ToolResult, or what JSON can say.
Tool: TypeAlias = Callable[..., Any]


def client_tool(name: str, description: str, parameters: Mapping[str, Any]) -> run_pb2.ToolDeclaration:
    """Declare a tool that the caller executes; `parameters` is the JSON Schema of its arguments.

    It goes into the options: `options={"tools": {"client_tools": [client_tool(…)]}}`.
    """
    schema = json.dumps(dict(parameters), ensure_ascii=False)
    return run_pb2.ToolDeclaration(
        name=name, description=description, parameters_schema=schema, client_side=True
    )


class Answering:
    """Answers what one run asks: each question once, and none that was answered in the past."""

    def __init__(
        self, calls: RunCalls, request_id: str, approve: Approve | None, tools: Mapping[str, Tool] | None
    ) -> None:
        self._calls = calls
        self._request_id = request_id
        self._approve = approve
        self._tools = dict(tools or {})
        self._questions: dict[str, event_pb2.ApprovalRequested] = {}
        self._tool_calls: dict[str, content_pb2.ToolCall] = {}
        self._answered: set[str] = set()

    def note(self, event: event_pb2.Event) -> None:
        """Take what the event asks, or says to be answered."""
        match event.WhichOneof("payload"):
            case "approval_requested":
                asked = event.approval_requested
                if self._approve is not None and asked.approval_id not in self._answered:
                    self._questions[asked.approval_id] = asked
            case "approval_resolved":
                self._questions.pop(event.approval_resolved.approval_id, None)
            case "tool_outputs_requested":
                calls = event.tool_outputs_requested.tool_calls
                ours = [call for call in calls if call.name in self._tools and call.id not in self._answered]
                self._tool_calls.update((call.id, call) for call in ours)
            case "tool_finished" | "tool_results":
                for result in (event.tool_finished.result, *event.tool_results.results):
                    self._tool_calls.pop(result.tool_call_id, None)
            case "completion":
                self._questions.clear()
                self._tool_calls.clear()

    async def answer(self) -> None:
        """Answer what is open. One that is interrupted, by an error of `approve` too, stays open for the next time.

        Raises: CallError when an answer cannot be given, and what `approve` raises.
        """
        for approval_id, asked in list(self._questions.items()):
            await self._decide(asked)
            self._answered.add(approval_id)
            self._questions.pop(approval_id, None)
        if self._tool_calls:
            called = list(self._tool_calls.values())
            results = await asyncio.gather(*(self._execute(call) for call in called))
            outputs = {call.id: result for call, result in zip(called, results, strict=True)}
            await _sent(lambda: self._calls.submit_outputs(self._request_id, outputs))
            self._answered.update(outputs)
            for call in called:
                self._tool_calls.pop(call.id, None)

    async def _decide(self, asked: event_pb2.ApprovalRequested) -> None:
        if self._approve is None:
            return
        answer = await _called(self._approve, asked)
        if answer is None:
            return
        decision = answer if isinstance(answer, Decision) else Decision(bool(answer))
        who = {"comment": decision.comment, "decided_by": decision.decided_by}
        key = (self._request_id, asked.approval_id)
        if decision.is_approved:
            await _sent(lambda: self._calls.approve(*key, arguments=decision.arguments, **who))
        else:
            await _sent(lambda: self._calls.deny(*key, **who))

    async def _execute(self, call: content_pb2.ToolCall) -> content_pb2.ToolResult:
        tool = self._tools[call.name]
        try:
            arguments = json.loads(call.arguments or "{}")
            inspect.signature(tool).bind(**arguments)
        except (ValueError, TypeError) as error:
            return _failed(call, "INVALID_ARGUMENTS", str(error))
        try:
            output = await _called(tool, **arguments)
        except Exception as error:  # noqa: BLE001 -- whatever a tool does, the model is told
            return _failed(call, "TOOL_FAILED", f"{type(error).__name__}: {error}")
        if isinstance(output, content_pb2.ToolResult):
            return output
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=str)
        return content_pb2.ToolResult(tool_name=call.name, content=text, status=content_pb2.TOOL_STATUS_OK)


def _failed(call: content_pb2.ToolCall, code: str, message: str) -> content_pb2.ToolResult:
    error = {"code": code, "message": message, "retryable": False}
    return content_pb2.ToolResult(
        tool_name=call.name,
        content=json.dumps({"ok": False, "error": error}, ensure_ascii=False),
        status=content_pb2.TOOL_STATUS_ERROR,
        reason=code,
    )


async def _called(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function of the caller. One that is not `async` may block: it runs in a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments, **named)
    result = await asyncio.to_thread(function, *arguments, **named)
    return await result if inspect.isawaitable(result) else result


async def _sent(call: Callable[[], Awaitable[Any]]) -> None:
    """Give an answer, again when the server is away for a moment: the same answer twice is one."""
    for tries in range(1, _TRIES_MAX + 1):
        try:
            await call()
        except CallError as error:
            if error.code in _TOO_LATE:
                return
            if error.code is not grpc.StatusCode.UNAVAILABLE or tries == _TRIES_MAX:
                raise
        else:
            return
        await asyncio.sleep(_DELAY_SECONDS_FIRST * 2**tries * random.uniform(0.5, 1))  # noqa: S311 -- jitter
