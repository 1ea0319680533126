"""What hooks may return. Each check raises WrongAnswerError, or whatever a thing of the wrong kind makes it raise."""

from typing import Any

from runwire_server.domain.content import Message, Role, ToolCall, ToolResult, clean_text
from runwire_server.domain.record import replace
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.plugin import Allow, Ask, Deny

ToolVerdict = str | Allow | Ask | Deny


class WrongAnswerError(Exception):
    """A hook returned what it may not."""


def agents_answer(made: Any, answer: Message | None = None) -> Message:
    """Return a message as an agent's answer: nobody would work on calls in it. One that is the same is `answer`."""
    if not isinstance(made, Message):
        raise wrong_kind(made, "a Message")
    if made == answer:
        return answer
    return replace(made, role=Role.ASSISTANT, tool_calls=(), tool_call_id="", tool_name="")


def models_answer(made: Any) -> Message:
    """Return a message that a model may answer with."""
    if not isinstance(made, Message):
        raise wrong_kind(made, "a Message")
    if made.role is not Role.ASSISTANT:
        raise WrongAnswerError("an answer must be the assistant's")
    return made


def request_or_answer(made: Any) -> ModelRequest | Message:
    """Return a request for a model, or a message in place of its answer."""
    return made if isinstance(made, ModelRequest) else models_answer(made)


def call_or_verdict(made: Any, call: ToolCall) -> ToolCall | ToolVerdict:
    """Return the call with other arguments, or what to do about it."""
    match made:
        case ToolCall():
            return replace(made, id=call.id, name=call.name)
        case str():
            return clean_text(made)
        case Allow() | Ask() | Deny():
            return made
        case _:
            raise wrong_kind(made, "a ToolCall, a text, Allow, Ask or Deny")


def tool_result(made: Any, result: ToolResult) -> ToolResult:
    """Return the result of the same call."""
    if not isinstance(made, ToolResult):
        raise wrong_kind(made, "a ToolResult")
    content = clean_text(made.content)
    return replace(made, tool_call_id=result.tool_call_id, tool_name=result.tool_name, content=content)


def wrong_kind(made: object, wanted: str) -> WrongAnswerError:
    """Return the error for a thing of the wrong kind."""
    return WrongAnswerError(f"returned {type(made).__name__}, not {wanted}")
