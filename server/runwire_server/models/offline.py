"""A stand-in for a language model, for a first run without a key: simple rules, real tool calls, no network."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

from runwire_server.domain.content import Message, Role, ToolSpec, Usage
from runwire_server.models.model import Chunk, EndChunk, ModelRequest, TextChunk, ToolCallChunk

WORD_SECONDS_DEFAULT = 0.02
_EXPRESSION = re.compile(r"[-+]?\(?\s*\d[\d\s.()]*(?:(?:\*\*|//|[-+*/%x×÷])\s*[-+]?[\d(][\d\s.()]*)+")
_CLOCK = re.compile(r"\b(time|date|clock|day is it|today)\b", re.IGNORECASE)
_SLOW = re.compile(r"\b(slow|research|report|wait)\b", re.IGNORECASE)
_TOPIC = re.compile(r"\b(?:on|about|for)\s+(.+?)[.?!]*$", re.IGNORECASE)
_REMEMBER = re.compile(r"\bwhat did i (?:say|ask)\b", re.IGNORECASE)
_ABOUT = (
    "I am the offline stand-in for a language model: I follow simple rules, and call the tools I am given. "
    "Ask me for arithmetic, the time, or a slow report. Set OPENAI_API_KEY to have a real model."
)


class OfflineModel:
    """Answers by rules. Deterministic, but for ids. `word_seconds` is the pause before each word."""

    name = "offline-rules"

    def __init__(self, *, word_seconds: float = WORD_SECONDS_DEFAULT) -> None:
        self._word_seconds = word_seconds

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Chunk], None]:
        """Yield the answer word by word. See models.model.Model."""
        calls = _calls(request.messages, request.tools)
        text = "" if calls else _answer(request.messages)
        for word in re.findall(r"\S+\s*", text):
            await asyncio.sleep(self._word_seconds)
            yield [TextChunk(word)]
        for index, (name, arguments) in enumerate(calls):
            await asyncio.sleep(self._word_seconds)
            yield [ToolCallChunk(index, f"call_{uuid4().hex[:12]}", name, json.dumps(arguments))]
        yield [
            EndChunk(
                "tool_calls" if calls else "stop",
                _usage(request.messages, text),
                self.name,
                f"offline-{uuid4().hex[:12]}",
            )
        ]


def _calls(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[tuple[str, dict[str, str]]]:
    """Return the calls that the last user message wants; none after their results have come."""
    if not messages or messages[-1].role is not Role.USER:
        return []
    asked = messages[-1].content
    wanted: list[tuple[str, dict[str, str]]] = []
    if found := _EXPRESSION.search(asked):
        expression = found.group().strip().replace("x", "*").replace("×", "*").replace("÷", "/")
        wanted.append(("calculator", {"expression": expression}))
    if _CLOCK.search(asked):
        wanted.append(("clock", {}))
    if _SLOW.search(asked):
        topic = _TOPIC.search(asked)
        wanted.append(("slow_report", {"topic": topic.group(1) if topic else "nothing in particular"}))
    offered = {tool.name: tool.parameters.get("properties", {}) for tool in tools}
    return [
        (name, {key: value for key, value in arguments.items() if key in offered[name]})
        for name, arguments in wanted
        if name in offered
    ]


def _answer(messages: Sequence[Message]) -> str:
    results: list[str] = []
    for message in reversed(messages):
        if message.role is Role.TOOL:
            results.insert(0, message.content)
        elif message.role is Role.ASSISTANT and message.tool_calls and results:
            return _from_results([call.name for call in message.tool_calls], message, results)
        else:
            break
    said = [message.content for message in messages if message.role is Role.USER]
    if said and _REMEMBER.search(said[-1]):
        return f"You said: {said[-2]}" if len(said) > 1 else "You have not said anything before."
    return f"You said: {said[-1][:200]} — {_ABOUT}" if said else _ABOUT


def _from_results(names: Sequence[str], message: Message, results: Sequence[str]) -> str:
    sentences = []
    for name, call, result in zip(names, message.tool_calls, results, strict=False):
        if name == "calculator" and not result.startswith("{"):
            expression = json.loads(call.arguments).get("expression", "")
            sentences.append(f"{expression} = {result}.")
        elif result.startswith('{"error"'):
            sentences.append(f"The tool {name} failed: {json.loads(result)['error']['message']}.")
        else:
            sentences.append(f"{name} says: {result}")
    return " ".join(sentences)


def _usage(messages: Sequence[Message], text: str) -> Usage:
    """Words stand for tokens: the offline model has none."""
    read = sum(len(message.content.split()) for message in messages)
    written = max(len(text.split()), 1)
    return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)
