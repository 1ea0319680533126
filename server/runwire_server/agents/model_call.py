"""One model call: plugins before, deltas on the way, the whole answer into the log."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from uuid import uuid4

from runwire_server.agents.agent import AgentContext
from runwire_server.agents.json_fix import repair_calls
from runwire_server.domain.content import Message, Role, ToolCall, Usage
from runwire_server.domain.events import MessagePayload, ModelRetry, ReasoningDelta, TextDelta, ToolCallDelta
from runwire_server.domain.toolcalls import with_unique_ids
from runwire_server.models.model import (
    Chunk,
    EndChunk,
    Model,
    ModelRequest,
    ReasoningChunk,
    RetryChunk,
    TextChunk,
    ToolCallChunk,
)

# A model that never really waits must not keep the loop from everyone else.
_READS_PER_TURN = 32


@dataclass(slots=True)
class _Answer:
    """A model's answer, as far as it has come."""

    message_id: str
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, list[str]]] = field(default_factory=list)
    end: EndChunk | None = None

    def message(self) -> Message:
        calls = tuple(ToolCall(call_id, name, "".join(parts)) for call_id, name, parts in self.calls)
        return Message(
            Role.ASSISTANT, "".join(self.text), tool_calls=calls, reasoning_content="".join(self.reasoning)
        )


class ModelCalls:
    """Calls a model for one activation of an agent. `repairs_json`: arguments that are not JSON are repaired."""

    def __init__(self, context: AgentContext, model: Model, *, repairs_json: bool) -> None:
        self._context = context
        self._model = model
        self._repairs_json = repairs_json

    async def ask(self, request: ModelRequest, limit: str = "") -> MessagePayload:
        """Return the model's answer, as it is in the log.

        `limit` names the limit that makes this the last call: without tools, and with the limit as its finish_reason.

        Raises: ModelError. StopError of a plugin.
        """
        plugins = self._context.plugins
        hooked: ModelRequest | Message = request
        if plugins:
            hooked = await plugins.before_model(self._context.hook_context(), request)
        if isinstance(hooked, Message):
            payload = MessagePayload(uuid4().hex, hooked)
        else:
            if limit:
                hooked = replace(hooked, may_call_tools=False)
            payload = await self._stream(hooked)
            if plugins:
                message = await plugins.after_model(self._context.hook_context(), payload.message)
                payload = replace(payload, message=message)
        payload = _in_order(payload, limit)
        shown = await self._context.output.emit(payload)
        return shown if isinstance(shown, MessagePayload) else payload

    async def _stream(self, request: ModelRequest) -> MessagePayload:
        answer = _Answer(uuid4().hex)
        async with aclosing(self._model.stream(request)) as reads:
            count = 0
            async for chunks in reads:
                for chunk in chunks:
                    if isinstance(chunk, RetryChunk):
                        retry = ModelRetry(chunk.failed_attempt, chunk.error, chunk.delay_seconds)
                        await self._context.output.emit(retry)
                    else:
                        self._take(chunk, answer, request)
                count += 1
                if count % _READS_PER_TURN == 0:
                    await asyncio.sleep(0)
        end = answer.end or EndChunk("stop")
        usage = (end.usage or Usage()) + Usage(model_calls=1)
        raw: dict[str, str] = {}
        message = answer.message()
        message = replace(message, tool_calls=with_unique_ids(message.tool_calls))
        if self._repairs_json and message.tool_calls:
            calls, raw = await repair_calls(message.tool_calls)
            message = replace(message, tool_calls=calls)
        return MessagePayload(
            answer.message_id, message, end.finish_reason, usage, end.model, end.response_id, raw
        )

    def _take(self, chunk: Chunk, answer: _Answer, request: ModelRequest) -> None:
        output = self._context.output
        match chunk:
            case TextChunk(text=text):
                answer.text.append(text)
                if request.stream:
                    output.partial(TextDelta(answer.message_id, text))
            case ReasoningChunk(text=text):
                answer.reasoning.append(text)
                if request.stream:
                    output.partial(ReasoningDelta(answer.message_id, text))
            case ToolCallChunk(index=index, id=call_id, name=name, arguments=arguments):
                if index == len(answer.calls):
                    answer.calls.append((call_id, name, []))
                known_id, known_name, parts = answer.calls[index]
                parts.append(arguments)
                if request.stream and request.may_call_tools:
                    delta = ToolCallDelta(answer.message_id, index, known_id, known_name, arguments)
                    output.partial(delta)
            case EndChunk():
                answer.end = chunk


def _in_order(payload: MessagePayload, limit: str) -> MessagePayload:
    """Return the answer as an assistant's message whose calls have an id each; without calls after a limit."""
    message = payload.message
    calls = () if limit else with_unique_ids(message.tool_calls)
    message = replace(message, role=Role.ASSISTANT, tool_calls=calls, tool_call_id="", tool_name="")
    reason = limit or payload.finish_reason or ("tool_calls" if calls else "stop")
    ids = {call.id for call in calls}
    raw = {call_id: text for call_id, text in payload.raw_arguments.items() if call_id in ids}
    return replace(payload, message=message, finish_reason=reason, raw_arguments=raw)
