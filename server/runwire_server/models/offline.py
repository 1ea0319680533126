"""A stand-in for a language model, for a first run without a key: rules, real tool calls, no network."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence

from runwire_server.domain.content import Message, Role, ToolCall, ToolSpec, Usage
from runwire_server.domain.ids import new_id
from runwire_server.models.model import Chunk, EndChunk, ModelRequest, Sink, TextChunk, ToolCallChunk

WORD_SECONDS_DEFAULT = 0.02
# Rules look at the beginning of a message only: patterns should not have to go through megabytes.
_READ_CHARS_MAX = 2000
_CALLS_MAX = 8
_NUMBER = r"[-+]?\s?\(*[-+]?\d+(?:\.\d+)?\)*"
_EXPRESSION = re.compile(rf"{_NUMBER}(?:\s?(?:[-+*/×÷]|(?<=\s)x(?=\s)|x(?=\d))\s?{_NUMBER})+")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_CLOCK = re.compile(r"\b(time|date|clock|day is it|today)\b", re.IGNORECASE)
_SLOW = re.compile(r"\b(slow|research|report|wait)\b", re.IGNORECASE)
_TOPIC = re.compile(r"\b(?:on|about|for)\s+([^.?!\n]+)", re.IGNORECASE)
_REMEMBER = re.compile(r"\bwhat (?:did|have) i (?:just )?(?:say|said|ask|asked)\b", re.IGNORECASE)
_SEND = re.compile(r"\bsend (?:an? )?message to ([\w.@-]{1,64})\s*[:,]\s*(.+)", re.IGNORECASE | re.DOTALL)
_ABOUT = (
    "I am the offline stand-in for a language model: I follow simple rules, and call the tools I am given. "
    "Ask me for arithmetic, the time, a slow report, or to send a message to bob: hi."
    " Set OPENAI_API_KEY to have a real model."
)


class OfflineModel:
    """Answers by rules. Deterministic, but for ids. `word_seconds` is the pause before each word.

    It remembers nothing: all that it knows is in the messages of the request.
    """

    name = "offline-rules"

    def __init__(self, *, word_seconds: float = WORD_SECONDS_DEFAULT) -> None:
        self._word_seconds = word_seconds

    async def stream(self, request: ModelRequest, sink: Sink) -> None:
        """Give the answer word by word; all at once when it is not to be streamed. Never fails."""
        held: list[Chunk] = []
        for chunk in _chunks(request):
            if not isinstance(chunk, EndChunk):
                await asyncio.sleep(self._word_seconds)
            if request.stream:
                sink.take([chunk])
            else:
                held.append(chunk)
        if held:
            sink.take(held)


def _chunks(request: ModelRequest) -> Iterator[Chunk]:
    calls = _calls(request.messages, request.tools) if request.may_call_tools else []
    text = "" if calls else _answer(request.messages)
    for word in re.findall(r"\s*\S+\s*", text):
        yield TextChunk(word)
    for index, (name, arguments) in enumerate(calls):
        yield ToolCallChunk(index, f"call_{new_id()[:12]}", name, json.dumps(arguments, ensure_ascii=False))
    written = text + "".join(f" {name} {' '.join(arguments.values())}" for name, arguments in calls)
    yield EndChunk(
        "tool_calls" if calls else "stop",
        _usage(request.messages, written),
        OfflineModel.name,
        f"offline-{new_id()[:12]}",
    )


def _calls(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[tuple[str, dict[str, str]]]:
    """Return the calls that the last user message wants; none after their results have come.

    Arguments that the offered tool does not take are left out.
    """
    if not messages or messages[-1].role is not Role.USER:
        return []
    asked = messages[-1].content[:_READ_CHARS_MAX]
    if sent := _SEND.search(asked):
        # What is to be sent is not for us to answer.
        wanted = [("send_message", {"to": sent[1], "text": sent[2].strip()})]
        return _offered(wanted, tools)
    wanted = [("calculator", {"expression": expression}) for expression in _expressions(asked)]
    if _CLOCK.search(asked):
        wanted.append(("clock", {}))
    if _SLOW.search(asked):
        topic = _TOPIC.search(asked)
        wanted.append(("slow_report", {"topic": topic[1].strip() if topic else "nothing in particular"}))
    return _offered(wanted, tools)


def _offered(
    wanted: Sequence[tuple[str, dict[str, str]]], tools: Sequence[ToolSpec]
) -> list[tuple[str, dict[str, str]]]:
    offered = {tool.name: tool.parameters.get("properties") or {} for tool in tools}
    return [
        (name, {key: value for key, value in arguments.items() if key in offered[name]})
        for name, arguments in wanted
        if name in offered
    ][:_CALLS_MAX]


def _expressions(asked: str) -> list[str]:
    """Return the arithmetic expressions of a text, as Python would write them."""
    found: list[str] = []
    for match in _EXPRESSION.finditer(asked):
        expression = re.sub("[x×]", "*", match.group().strip()).replace("÷", "/")
        # What is about an expression may have parentheses, too.
        while expression.count("(") > expression.count(")") and expression.startswith("("):
            expression = expression[1:]
        while expression.count(")") > expression.count("(") and expression.endswith(")"):
            expression = expression[:-1]
        if not _DATE.fullmatch(expression) and expression.count("(") == expression.count(")"):
            found.append(expression)
    return found


def _answer(messages: Sequence[Message]) -> str:
    results: dict[str, str] = {}
    for message in reversed(messages):
        if message.role is Role.TOOL:
            results[message.tool_call_id] = message.content
        elif message.role is Role.ASSISTANT and message.tool_calls and results:
            told = (_told(call, results[call.id]) for call in message.tool_calls if call.id in results)
            return " ".join(told) or _ABOUT
        else:
            break
    said = [message.content for message in messages if message.role is Role.USER]
    if said and _REMEMBER.search(said[-1][:_READ_CHARS_MAX]):
        return f"You said: {said[-2]}" if len(said) > 1 else "You have not said anything before."
    return f"You said: {said[-1][:200]} — {_ABOUT}" if said else _ABOUT


def _told(call: ToolCall, result: str) -> str:
    """Return a sentence about the result of a call. Neither has to be what it should be."""
    arguments, answer = _object(call.arguments), _object(result)
    error = answer.get("error")
    if isinstance(error, dict):
        return f"The tool {call.name} failed: {error.get('message', 'it did not say why')}."
    if call.name == "calculator" and "expression" in arguments:
        return f"{arguments['expression']} = {answer.get('result', result)}."
    return f"{call.name} says: {result}"


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _usage(messages: Sequence[Message], written: str) -> Usage:
    """Words stand for tokens: the offline model has none."""
    read = sum(len(message.content.split()) for message in messages)
    output = max(len(written.split()), 1)
    return Usage(input_tokens=read, output_tokens=output, total_tokens=read + output)
