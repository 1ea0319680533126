"""What a plugin may make of an event."""

import inspect
from collections.abc import Sequence

from runwire_server.domain import events as ev
from runwire_server.domain.content import ToolResult
from runwire_server.domain.record import replace
from runwire_server.plugins.plugin import Verdict

# What a log needs as it is: who follows a run could not understand it without.
STRUCTURAL = (ev.RunStarted, ev.Completion, ev.RunStateChanged)
# What a log needs, but for the words in it.
QUESTIONS = (ev.ApprovalRequested, ev.ApprovalResolved, ev.ToolOutputsRequested)


class WrongEventError(Exception):
    """A plugin made something of an event that it may not."""


def kept_event(old: ev.DurablePayload, made: object) -> ev.DurablePayload | None:
    """Return what a hook made of an event: None when it is dropped. Raises: WrongEventError."""
    if made == old:
        return old
    if isinstance(old, STRUCTURAL):
        raise WrongEventError(f"{type(old).__name__} cannot be changed or dropped")
    if not isinstance(made, Verdict):
        return kept_identity(old, made)
    if isinstance(old, QUESTIONS):
        raise WrongEventError(f"{type(old).__name__} cannot be dropped")
    match old:
        case ev.ToolResults():
            raise WrongEventError("a call needs its result")
        case ev.MessagePayload(message=message) if message.tool_calls:
            raise WrongEventError("results need their calls")
        case _:
            return None


def kept_identity(old: ev.DurablePayload, new: object) -> ev.DurablePayload:
    """Return the replacement with the identity of what it replaces. Raises: WrongEventError."""
    if isinstance(old, STRUCTURAL):
        raise WrongEventError(f"{type(old).__name__} cannot be changed or dropped")
    if type(new) is not type(old):
        raise WrongEventError(f"returned {type(new).__name__} for {type(old).__name__}")
    match old, new:
        case ev.MessagePayload(), ev.MessagePayload():
            if [call.id for call in old.message.tool_calls] != [call.id for call in new.message.tool_calls]:
                raise WrongEventError("a message must keep its tool calls")
            if new.message.role is not old.message.role:
                raise WrongEventError("a message must keep its role")
            return replace(new, message_id=old.message_id)
        case ev.ToolResults(), ev.ToolResults():
            if _ids(old.results) != _ids(new.results):
                raise WrongEventError("results must keep their calls")
            return replace(new, message_id=old.message_id)
        case ev.ToolStarted(), ev.ToolStarted():
            call = replace(new.tool_call, id=old.tool_call.id, name=old.tool_call.name)
            return replace(new, tool_call=call, index=old.index)
        case ev.ToolFinished(), ev.ToolFinished():
            result = replace(new.result, tool_call_id=old.result.tool_call_id, tool_name=old.result.tool_name)
            return replace(new, result=result, index=old.index)
        case _:
            return _kept_question(old, new)


def _kept_question(old: ev.DurablePayload, new: ev.DurablePayload) -> ev.DurablePayload:
    match old, new:
        case ev.ApprovalRequested(), ev.ApprovalRequested():
            call = replace(old.tool_call, arguments=new.tool_call.arguments)
            return replace(old, tool_call=call, reason=new.reason)
        case ev.ApprovalResolved(), ev.ApprovalResolved():
            return replace(old, comment=new.comment, arguments=new.arguments)
        case ev.ToolOutputsRequested(), ev.ToolOutputsRequested():
            if [call.id for call in old.tool_calls] != [call.id for call in new.tool_calls]:
                raise WrongEventError("what is asked must stay")
            return new
        case _:
            return new


def kept_partial(old: ev.PartialPayload, new: object) -> ev.PartialPayload:
    """Return the replacement of a delta, which must be one of the same thing. Raises: WrongEventError."""
    if inspect.iscoroutine(new):
        new.close()  # else Python warns that nobody awaited it
    match old, new:
        case ev.ToolProgress(), ev.ToolProgress():
            return replace(new, tool_call_id=old.tool_call_id)
        case ev.ToolOutputDelta(), ev.ToolOutputDelta():
            return replace(new, tool_call_id=old.tool_call_id)
        case ev.ToolCallDelta(), ev.ToolCallDelta():
            return replace(new, message_id=old.message_id, index=old.index)
        case ev.TextDelta(), ev.TextDelta():
            return replace(new, message_id=old.message_id)
        case ev.ReasoningDelta(), ev.ReasoningDelta():
            return replace(new, message_id=old.message_id)
    raise WrongEventError(f"returned {type(new).__name__} for {type(old).__name__}")


def _ids(results: Sequence[ToolResult]) -> list[str]:
    return [result.tool_call_id for result in results]
