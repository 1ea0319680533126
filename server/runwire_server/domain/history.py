"""A conversation as a model may read it: providers are strict, and stored histories are not always whole."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from runwire_server.domain.content import Message, Role, ToolCall, failed_result
from runwire_server.domain.record import replace
from runwire_server.domain.toolcalls import parse_arguments

# What stands for the result of a call that was never executed, because its run ended before (RES-08).
NOT_EXECUTED = failed_result(
    ToolCall("", "", ""), "NOT_EXECUTED", "the run ended before this tool was called", retryable=True
).content
ORPHAN = "[orphan_tool_result]"
DUPLICATE = "[duplicate_tool_result]"
INVALID_ARGUMENTS_KEY = "__invalid_arguments__"
NO_BEGINNING = "[the beginning of this conversation is not shown]"
GO_ON = "[continue]"
_NAME_CHARS_MAX = 64
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(slots=True)
class _Turn:
    """An assistant's message and the results of its calls, as far as they were found, by the calls' places."""

    message: Message
    ids: tuple[str, ...]
    results: list[Message | None] = field(default_factory=list)


def model_view(messages: Sequence[Message]) -> list[Message]:
    """Return the conversation with exactly one result right after each call, in the calls' order.

    A missing result gets a stand-in that says so. A result that no call wants, or a second one, is told as something
    that the user might have said. Arguments that are no JSON object are shown inside of one. Assistant messages that
    say nothing are left out. The first message that is not the system's is a user's, and the last one is not the
    assistant's. Nothing else moves or changes, and a conversation that is in order stays as it is.
    """
    shown: list[Message | _Turn] = []
    latest: dict[str, _Turn] = {}
    for message in messages:
        if message.role is Role.TOOL:
            stray = _place(message, latest)
            if stray is not None:
                shown.append(stray)
        elif message.role is not Role.ASSISTANT:
            shown.append(replace(message, tool_calls=()) if message.tool_calls else message)
        elif message.tool_calls:
            turn = _turn(message, len(shown))
            shown.append(turn)
            latest.update(dict.fromkeys(turn.ids, turn))
        elif message.content or message.parts:
            shown.append(message)
    return _bounded([part for item in shown for part in _parts(item)])


def _place(result: Message, latest: dict[str, _Turn]) -> Message | None:
    """Give a result to the newest call of that id. Return what is told instead if there is none, or it has one."""
    turn = latest.get(result.tool_call_id)
    if turn is None:
        return Message(Role.USER, f"{ORPHAN} {result.content}", result.parts)
    for index, call_id in enumerate(turn.ids):
        if call_id == result.tool_call_id and turn.results[index] is None:
            turn.results[index] = result
            return None
    return Message(Role.USER, f"{DUPLICATE} {result.content}", result.parts)


def _turn(message: Message, place: int) -> _Turn:
    """Return the message with calls that a provider takes; `ids` are those by which its results are known."""
    ids = tuple(call.id for call in message.tool_calls)
    known: set[str] = set()
    calls: list[ToolCall] = []
    for index, call in enumerate(message.tool_calls):
        call_id = call.id
        while not call_id or call_id in known:
            # The same in every view: providers cache what they have seen before.
            call_id = f"call_{place}_{index}_{len(known)}" if not call_id else f"{call_id}_{index}"
        known.add(call_id)
        calls.append(ToolCall(call_id, _tool_name(call.name), _arguments(call.arguments)))
    if tuple(calls) != message.tool_calls:
        message = replace(message, tool_calls=tuple(calls))
    return _Turn(message, ids, [None] * len(calls))


def _parts(item: Message | _Turn) -> list[Message]:
    if isinstance(item, Message):
        return [item]
    results = [
        Message(Role.TOOL, NOT_EXECUTED, tool_call_id=call.id, tool_name=call.name)
        if result is None
        else _result(result, call)
        for call, result in zip(item.message.tool_calls, item.results, strict=True)
    ]
    return [item.message, *results]


def _result(result: Message, call: ToolCall) -> Message:
    if result.tool_call_id == call.id and not result.tool_calls:
        return result
    return replace(result, tool_call_id=call.id, tool_calls=())


def _bounded(messages: list[Message]) -> list[Message]:
    first = next((i for i, m in enumerate(messages) if m.role is not Role.SYSTEM), len(messages))
    if first == len(messages) or messages[first].role is not Role.USER:
        messages.insert(first, Message(Role.USER, NO_BEGINNING))
    if messages[-1].role is Role.ASSISTANT:
        messages.append(Message(Role.USER, GO_ON))
    return messages


def _tool_name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)[:_NAME_CHARS_MAX] or "unknown_tool"


def _arguments(arguments: str) -> str:
    """Return a JSON object: the arguments as they are, if they are one."""
    if not arguments.strip():
        return "{}"
    try:
        parse_arguments(arguments)
    except ValueError:
        return json.dumps({INVALID_ARGUMENTS_KEY: arguments}, ensure_ascii=False)
    return arguments
