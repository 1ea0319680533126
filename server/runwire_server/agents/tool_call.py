"""One tool call before it is executed: whether it can be, whether it may be, and what it needs for that."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runwire_server.agents.agent import AgentContext, Ask
from runwire_server.agents.toolbox import Toolbox
from runwire_server.domain.content import ToolCall, ToolResult, ToolStatus, clean_text, failed_result
from runwire_server.domain.mail import Answer, Decision, QuestionKind
from runwire_server.domain.record import replace
from runwire_server.domain.toolcalls import is_failure, parse_arguments
from runwire_server.plugins.plugin import Allow, Deny
from runwire_server.plugins.plugin import Ask as AskFirst
from runwire_server.tools.arguments import check_arguments
from runwire_server.tools.tool import BadArgumentsError, Tool

_NAME_CHARS_MAX = 160
_SUGGESTIONS_MAX = 3


@dataclass(frozen=True, slots=True)
class Job:
    """A call that is ready: `result` is what it has come to already, else `tool` is to be called."""

    index: int
    call: ToolCall
    tool: Tool | None = None
    arguments: Mapping[str, Any] | None = None
    result: ToolResult | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that plugins have seen. With a `job` it is decided; else it depends on what is answered."""

    index: int
    call: ToolCall
    arguments: Mapping[str, Any]
    needs_approval: bool = False
    reason: str = ""
    job: Job | None = None


class CallDesk:
    """Takes in the calls of one round."""

    def __init__(self, context: AgentContext, toolbox: Toolbox, message_id: str) -> None:
        self._context = context
        self._toolbox = toolbox
        self._message_id = message_id

    async def prepare(self, index: int, call: ToolCall) -> Prepared:
        """Check a call and show it to the plugins. Raises: StopError."""
        if call.name not in self._toolbox.names():
            return _done(index, call, failed_result(call, "UNKNOWN_TOOL", self._unknown(call.name)))
        verdict: object = None
        if plugins := self._context.plugins:
            call, verdict = await plugins.before_tool(self._context.hook_context(), call)
        match verdict:
            case Deny(reason=reason):
                return _done(index, call, _denied(call, reason or "this call is not allowed"))
            case str():
                return _done(index, call, ToolResult(call.id, call.name, clean_text(verdict)))
            case _:
                pass
        parsed = self._checked(index, call)
        if isinstance(parsed, Prepared):
            return parsed
        reason = verdict.reason if isinstance(verdict, AskFirst) else ""
        tool = self._toolbox.tools.get(call.name)
        needs = (
            isinstance(verdict, AskFirst)
            or call.name in self._toolbox.approved_first
            or (tool is not None and tool.policy.requires_approval and not isinstance(verdict, Allow))
        )
        return Prepared(index, call, parsed, needs, reason)

    def decide(self, prepared: Prepared, answer: Answer | None) -> Job | Ask:
        """Return what to execute, or what to ask. `answer` is the newest one to a question about the call."""
        index, call, arguments = prepared.index, prepared.call, prepared.arguments
        if prepared.job is not None:
            return prepared.job
        if answer is None and prepared.needs_approval:
            return Ask(QuestionKind.APPROVAL, call, self._message_id, prepared.reason)
        if answer is not None and answer.decision is not Decision.APPROVED:
            return Job(index, call, result=_denied(call, _refusal(answer)))
        if answer is not None and answer.output is None and answer.arguments:
            call = replace(call, arguments=answer.arguments)
            checked = self._checked(index, call)
            if isinstance(checked, Prepared):
                assert checked.job is not None  # noqa: S101 -- for mypy: it did not fit
                return checked.job
            arguments = checked
        tool = self._toolbox.tools.get(call.name)
        if tool is not None:
            return Job(index, call, tool, arguments)
        if answer is not None and answer.output is not None:
            return Job(index, call, result=_told_by_caller(call, answer.output))
        return Ask(QuestionKind.TOOL_OUTPUT, call, self._message_id)

    def _checked(self, index: int, call: ToolCall) -> Mapping[str, Any] | Prepared:
        """Return the arguments, or the call's end if they do not fit."""
        tool = self._toolbox.tools.get(call.name)
        spec = tool.spec if tool is not None else self._toolbox.client_tools[call.name]
        try:
            arguments = parse_arguments(call.arguments)
        except ValueError as error:
            said = str(error)
            message = (
                said if said.startswith("the arguments") else f"the arguments are not valid JSON: {said}"
            )
            return _done(index, call, bad_arguments(call, BadArgumentsError(message)))
        try:
            check_arguments(tool, spec, arguments)
        except BadArgumentsError as error:
            return _done(index, call, bad_arguments(call, error))
        return arguments

    def _unknown(self, name: str) -> str:
        text = f"there is no tool {name[:_NAME_CHARS_MAX]!r}"
        if len(name) > _NAME_CHARS_MAX:
            return text
        near = difflib.get_close_matches(name, self._toolbox.names(), n=_SUGGESTIONS_MAX)
        return f"{text}; did you mean {' or '.join(repr(n) for n in near)}?" if near else text


def bad_arguments(call: ToolCall, error: BadArgumentsError) -> ToolResult:
    """Return the result of a call whose arguments do not fit."""
    return failed_result(call, "INVALID_ARGUMENTS", str(error), retryable=True, pointer=error.pointer)


def _done(index: int, call: ToolCall, result: ToolResult) -> Prepared:
    return Prepared(index, call, {}, job=Job(index, call, result=result))


def _denied(call: ToolCall, reason: str) -> ToolResult:
    return failed_result(call, "DENIED", reason)


def _told_by_caller(call: ToolCall, output: ToolResult) -> ToolResult:
    """Return what the caller's tool has come to. The model sees only the content, so a failure must look like one."""
    content = clean_text(output.content)
    if output.status is ToolStatus.ERROR and not is_failure(content):
        return failed_result(call, output.reason or "TOOL_FAILED", content)
    return replace(output, tool_call_id=call.id, tool_name=call.name, content=content)


def _refusal(answer: Answer) -> str:
    if answer.comment:
        return answer.comment
    return "nobody answered in time" if answer.decision is Decision.EXPIRED else "the call was denied"
