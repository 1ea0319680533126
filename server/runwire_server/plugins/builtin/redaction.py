"""Keep secrets out of logs, sessions and models."""

import json
import re
from collections.abc import Mapping
from typing import Any

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, ToolCall, ToolResult, clean_text
from runwire_server.domain.record import replace
from runwire_server.plugins.plugin import DROP, HookContext, Plugin, Verdict

# What replaces a secret can complete another one. Patterns that go on for ever are stopped here.
_ROUNDS_MAX = 10


class Redaction(Plugin):
    """Replace what matches a pattern, by its name, wherever it is said: users' messages, answers, tool calls,
    results, errors, custom data.

    Deltas and progress are left out, because a pattern can be split between two of them: readers get whole messages.
    A message keeps its images and files. Models and tools are given what the log has, so a secret that a model wrote
    into a tool call does not reach the tool. Arguments stay JSON: a number that matches becomes text, and where a
    secret goes across several values they all are left out.

    What this cannot reach: the run's own record (what the caller sent, what it waits for and how it was answered) and
    run_started, a completion's error and structured output, session state, and what an agent of your own returns
    without having put it into the log. Arguments that somebody edited reach the tool as they are.
    Patterns run on the server's loop: one that backtracks without end stops all runs.
    """

    name = "redaction"

    def __init__(self, patterns: Mapping[str, str], *, replacement: str = "[redacted {name}]") -> None:
        """Raises: ValueError for no patterns, one that is none, or that matches an empty text or a replacement."""
        if not patterns:
            raise ValueError("there are no patterns")
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        for name, pattern in patterns.items():
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"pattern {name!r}: {error}") from None
            if compiled.match(""):
                raise ValueError(f"pattern {name!r} matches an empty text")
            self._patterns.append((compiled, replacement.replace("{name}", name)))
        for compiled, _ in self._patterns:
            for _, said in self._patterns:
                if compiled.search(said):
                    raise ValueError(f"pattern {compiled.pattern!r} matches the replacement {said!r}")

    async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> ev.DurablePayload | None:
        """See Plugin."""
        match payload:
            case ev.MessagePayload():
                raw = {call_id: self._text(text) for call_id, text in payload.raw_arguments.items()}
                return replace(payload, message=self._message(payload.message), raw_arguments=raw)
            case ev.ToolResults(results=results):
                return replace(payload, results=tuple(self._result(result) for result in results))
            case ev.ToolStarted(tool_call=call):
                return replace(payload, tool_call=self._call(call))
            case ev.ToolFinished(result=result):
                return replace(payload, result=self._result(result))
            case ev.ErrorPayload(error=error):
                return replace(payload, error=replace(error, message=self._text(error.message)))
            case ev.ModelRetry(error=error):
                return replace(payload, error=replace(error, message=self._text(error.message)))
            case ev.Custom(data=data):
                return replace(payload, data=self._value(data))
            case _:
                return self._question(payload)

    def _question(self, payload: ev.DurablePayload) -> ev.DurablePayload | None:
        match payload:
            case ev.ApprovalRequested(tool_call=call, reason=reason):
                return replace(payload, tool_call=self._call(call), reason=self._text(reason))
            case ev.ApprovalResolved(comment=comment, arguments=arguments):
                return replace(payload, comment=self._text(comment), arguments=self._arguments(arguments))
            case ev.ToolOutputsRequested(tool_calls=calls):
                return replace(payload, tool_calls=tuple(self._call(call) for call in calls))
            case _:
                return None

    def on_partial(self, context: HookContext, payload: ev.PartialPayload) -> Verdict:
        """See Plugin."""
        return DROP

    def _text(self, text: str) -> str:
        for _ in range(_ROUNDS_MAX):
            before = text
            for pattern, replacement in self._patterns:
                text = pattern.sub(lambda _, said=replacement: said, text)  # type: ignore[misc]
            if text == before:
                break
        return text

    def _message(self, message: Message) -> Message:
        return replace(
            message,
            content=self._text(message.content),
            reasoning_content=self._text(message.reasoning_content),
            parts=tuple(self._part(part) for part in message.parts),
            tool_calls=tuple(self._call(call) for call in message.tool_calls),
        )

    def _part(self, part: Part) -> Part:
        text = None if part.text is None else self._text(part.text)
        return replace(part, text=text, data=self._value(part.data))

    def _call(self, call: ToolCall) -> ToolCall:
        return replace(call, arguments=self._arguments(call.arguments))

    def _arguments(self, text: str) -> str:
        if not self._matches(text) and "\\" not in text:
            return text
        value = _parsed(text)
        if value is None:
            return self._text(text)
        shown = self._value(value)
        if shown == value:
            return text if not self._matches(text) else "{}"
        made = _dumped(shown)
        return "{}" if self._matches(made) else made

    def _matches(self, text: str) -> bool:
        return any(pattern.search(text) for pattern, _ in self._patterns)

    def _result(self, result: ToolResult) -> ToolResult:
        content = result.content
        # An escape can hide a secret.
        if "\\" in content and (value := _parsed(content)) is not None:
            shown = self._value(value)
            content = content if shown == value else _dumped(shown)
        return replace(result, content=self._text(content))

    def _value(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case bool():
                return value
            case int() | float():
                shown = self._text(str(value))
                return value if shown == str(value) else shown
            case Mapping():
                return {self._text(key): self._value(item) for key, item in value.items()}
            case list() | tuple():
                return [self._value(item) for item in value]
            case _:
                return value


def _parsed(text: str) -> Any:
    """Return what JSON text says; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dumped(value: Any) -> str:
    return clean_text(json.dumps(value, ensure_ascii=False))
