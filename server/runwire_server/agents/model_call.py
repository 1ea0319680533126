"""One model call: plugins before, deltas on the way, the whole answer into the log."""

from collections.abc import Sequence

from runwire_server.agents.agent import AgentContext, Output
from runwire_server.agents.json_fix import repair_calls
from runwire_server.domain.content import Message, Role, ToolCall, Usage
from runwire_server.domain.events import (
    MessagePayload,
    ModelRetry,
    PartialPayload,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from runwire_server.domain.ids import new_id
from runwire_server.domain.record import replace
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

# A piece takes a hundred bytes beside its text.
_PIECES_MAX = 64


class _Text:
    """Text that comes in small pieces, which do not stay so."""

    __slots__ = ("_blocks", "_pieces")

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        pieces = self._pieces
        pieces.append(piece)
        if len(pieces) >= _PIECES_MAX:
            self._blocks.append("".join(pieces))
            pieces.clear()

    def whole(self) -> str:
        return "".join((*self._blocks, *self._pieces))


class _Answer:
    """A model's answer, as far as it has come. Shows it on the way."""

    def __init__(self, output: Output, request: ModelRequest) -> None:
        self.message_id = new_id()
        self.end: EndChunk | None = None
        self._output = output
        self._request = request
        self._text = _Text()
        self._reasoning = _Text()
        self._calls: list[tuple[str, str, _Text]] = []

    def take(self, chunks: Sequence[Chunk]) -> None:
        """See models.model.Sink."""
        for chunk in chunks:
            if isinstance(chunk, TextChunk):  # by far the most
                self._text.add(chunk.text)
                delta: PartialPayload | None = TextDelta(self.message_id, chunk.text)
            else:
                delta = self._kept(chunk)
            if delta is not None and self._request.stream:
                self._output.partial(delta)

    async def retry(self, retry: RetryChunk) -> None:
        """See models.model.Sink."""
        await self._output.emit(ModelRetry(retry.failed_attempt, retry.error, retry.delay_seconds))

    def _kept(self, chunk: Chunk) -> PartialPayload | None:
        """Keep the chunk. Return what to show of it."""
        match chunk:
            case ReasoningChunk(text=text):
                self._reasoning.add(text)
                return ReasoningDelta(self.message_id, text)
            case ToolCallChunk(index=index, id=call_id, name=name, arguments=arguments):
                if index == len(self._calls):
                    self._calls.append((call_id, name, _Text()))
                known_id, known_name, written = self._calls[index]
                written.add(arguments)
                if self._request.may_call_tools:
                    return ToolCallDelta(self.message_id, index, known_id, known_name, arguments)
            case EndChunk():
                self.end = chunk
        return None

    def message(self) -> Message:
        """Return the whole message."""
        calls = tuple(ToolCall(call_id, name, written.whole()) for call_id, name, written in self._calls)
        return Message(
            Role.ASSISTANT,
            self._text.whole(),
            tool_calls=calls,
            reasoning_content=self._reasoning.whole(),
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
            payload = MessagePayload(new_id(), hooked)
        else:
            if limit:
                hooked = replace(hooked, may_call_tools=False)
            payload = await self._stream(hooked)
            if plugins:
                message = await plugins.after_model(self._context.hook_context(), payload.message)
                payload = replace(payload, message=message)
        payload = _in_order(payload, limit)
        shown = await self._context.output.emit(payload, may_wait=not payload.message.tool_calls)
        return shown if isinstance(shown, MessagePayload) else payload

    async def _stream(self, request: ModelRequest) -> MessagePayload:
        answer = _Answer(self._context.output, request)
        await self._model.stream(request, answer)
        end = answer.end or EndChunk("stop")
        usage = (end.usage or Usage()) + Usage(model_calls=1)
        raw: dict[str, str] = {}
        message = answer.message()
        if message.tool_calls:
            message = replace(message, tool_calls=with_unique_ids(message.tool_calls))
        if self._repairs_json and message.tool_calls:
            calls, raw = await repair_calls(message.tool_calls)
            message = replace(message, tool_calls=calls)
        return MessagePayload(
            answer.message_id, message, end.finish_reason, usage, end.model, end.response_id, raw
        )


def _in_order(payload: MessagePayload, limit: str) -> MessagePayload:
    """Return the answer as an assistant's message whose calls have an id each; without calls after a limit."""
    message = payload.message
    if (
        not (limit or message.tool_calls or payload.raw_arguments)
        and payload.finish_reason
        and _is_plain(message)
    ):
        return payload
    calls = () if limit else with_unique_ids(message.tool_calls)
    message = replace(message, role=Role.ASSISTANT, tool_calls=calls, tool_call_id="", tool_name="")
    reason = limit or payload.finish_reason or ("tool_calls" if calls else "stop")
    ids = {call.id for call in calls}
    raw = {call_id: text for call_id, text in payload.raw_arguments.items() if call_id in ids}
    return replace(payload, message=message, finish_reason=reason, raw_arguments=raw)


def _is_plain(message: Message) -> bool:
    return message.role is Role.ASSISTANT and not (message.tool_call_id or message.tool_name)
