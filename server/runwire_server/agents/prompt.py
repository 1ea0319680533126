"""What a model is shown of a conversation: instructions first, and a result after every tool call."""

from collections.abc import Sequence
from dataclasses import replace

from runwire_server.domain.content import Message, Role

# What stands for the result of a call that was never executed, because its run ended before (RES-08).
NOT_EXECUTED = '{"error": {"reason": "NOT_EXECUTED", "message": "the run ended before this tool was called"}}'


def build_messages(instructions: str, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages of a model request.

    Providers refuse a tool call without its result, and a result without its call. A missing result gets a stand-in
    that says so; an orphan is told as something the user might have said. Stored events are not touched.
    """
    shown = [Message(Role.SYSTEM, instructions)] if instructions else []
    open_calls: dict[str, str] = {}
    for message in messages:
        if message.role is Role.TOOL:
            if open_calls.pop(message.tool_call_id, None) is None:
                shown.append(Message(Role.USER, f"[orphan_tool_result] {message.content}"))
            else:
                shown.append(message)
            continue
        shown.extend(_stand_ins(open_calls))
        open_calls = {call.id: call.name for call in message.tool_calls}
        shown.append(_valid_arguments(message))
    shown.extend(_stand_ins(open_calls))
    return tuple(shown)


def _stand_ins(open_calls: dict[str, str]) -> list[Message]:
    return [
        Message(Role.TOOL, NOT_EXECUTED, tool_call_id=call_id, tool_name=name)
        for call_id, name in open_calls.items()
    ]


def _valid_arguments(message: Message) -> Message:
    """Give calls without arguments an empty object: an empty text is not JSON."""
    if all(call.arguments.strip() for call in message.tool_calls):
        return message
    calls = tuple(
        call if call.arguments.strip() else replace(call, arguments="{}") for call in message.tool_calls
    )
    return replace(message, tool_calls=calls)
