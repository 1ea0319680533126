"""Tool calls of a conversation: which wait for their result, and how they are named and written."""

import json
from collections.abc import Sequence
from typing import Any

from runwire_server.domain.content import JsonObject, Message, Role, ToolCall
from runwire_server.domain.ids import new_id
from runwire_server.domain.record import record, replace


@record(frozen=True, slots=True)
class Round:
    """The calls of the conversation's last assistant message. `open` has the places of those without a result."""

    calls: tuple[ToolCall, ...]
    open: tuple[int, ...]
    results: tuple[Message | None, ...]


def last_round(messages: Sequence[Message]) -> Round | None:
    """Return the tool calls that the conversation stands at; None when it went on without them, or has none.

    System messages may come at any time, also while a run waits. Results are told apart by id; where a message has an
    id twice, by their order.
    """
    results: list[Message] = []
    for message in reversed(messages):
        if message.role is Role.TOOL:
            results.append(message)
        elif message.role is Role.ASSISTANT:
            return _round(message.tool_calls, results[::-1]) if message.tool_calls else None
        elif message.role is Role.USER:
            return None
    return None


def unanswered_calls(messages: Sequence[Message]) -> tuple[ToolCall, ...]:
    """Return the calls that the conversation stands at and that have no result."""
    stands_at = last_round(messages)
    return () if stands_at is None else tuple(stands_at.calls[index] for index in stands_at.open)


def _round(calls: tuple[ToolCall, ...], results: list[Message]) -> Round:
    found: list[Message | None] = []
    for call in calls:
        result = next((r for r in results if r.tool_call_id == call.id), None)
        if result is not None:
            results.remove(result)
        found.append(result)
    return Round(calls, tuple(i for i, result in enumerate(found) if result is None), tuple(found))


def with_unique_ids(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Return the calls of one message with an id each; one that is missing or there twice is replaced."""
    known: set[str] = set()
    named: list[ToolCall] = []
    for call in calls:
        if not call.id or call.id in known:
            call = replace(call, id=f"call_{new_id()}")  # noqa: PLW2901 -- the same call
        known.add(call.id)
        named.append(call)
    return tuple(named)


def parse_arguments(arguments: str) -> dict[str, Any]:
    """Return the arguments of a call; none for an empty text. Raises: ValueError, saying what is wrong."""
    if not arguments.strip():
        return {}
    value = parse_json(arguments)
    if not isinstance(value, dict):
        raise ValueError(f"the arguments must be a JSON object, not {_kind(value)}")  # noqa: TRY004 -- data
    return value


def parse_json(text: str) -> Any:
    """Return the value of JSON text, by the letter of the standard. Raises: ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def is_failure(content: str) -> bool:
    """Whether the content of a result was made by domain.content.failed_result."""
    if not content.startswith('{"ok": false'):
        return False
    try:
        value = parse_json(content)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("ok") is False and isinstance(value.get("error"), dict)


def to_json(value: JsonObject) -> str:
    """Return arguments as JSON text."""
    return json.dumps(value, ensure_ascii=False)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), type(value).__name__)
