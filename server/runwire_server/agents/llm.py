"""The LLM agent: ask the model, run the tools it asks for, repeat until it only talks."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.agents.prompt import build_messages
from runwire_server.agents.tool_round import run_round
from runwire_server.domain.content import Message, Role, ToolCall, Usage, unanswered_calls
from runwire_server.domain.errors import LimitReached
from runwire_server.domain.events import (
    MessagePayload,
    ModelRetry,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolResults,
)
from runwire_server.domain.runs import RunOptions
from runwire_server.models.model import (
    Chunk,
    EndChunk,
    Model,
    ModelRequest,
    ReasoningChunk,
    RetryChunk,
    Sampling,
    TextChunk,
    ToolCallChunk,
)
from runwire_server.models.source import ModelSource
from runwire_server.tools.function import function_tool
from runwire_server.tools.tool import Tool

LLM_CALLS_MAX_DEFAULT = 50
# A model that never really waits must not keep the loop from everyone else.
_READS_PER_TURN = 32


class LlmAgent:
    """An agent that a language model drives.

    `tools` are Tools, or typed functions that become tools. `model` is a Model, or the name of one of the server's;
    None is the server's default. Names of tools are unique.
    """

    def __init__(
        self,
        name: str,
        *,
        instructions: str = "",
        tools: Sequence[Tool | Callable[..., Any]] = (),
        model: Model | str | None = None,
        description: str = "",
    ) -> None:
        self.name = name
        self._instructions = instructions
        self._description = description
        self._model = model
        self._source: ModelSource | None = None
        self._tools: dict[str, Tool] = {}
        for given in tools:
            tool = function_tool(given) if callable(given) else given
            if tool.spec.name in self._tools:
                raise ValueError(f"agent {name!r} has two tools named {tool.spec.name!r}")
            self._tools[tool.spec.name] = tool

    def bind(self, source: ModelSource) -> None:
        """Say where models come from. The composition root calls it, once, before the first run."""
        self._source = source

    def describe(self) -> AgentDescription:
        """Say what it is for and what it has."""
        specs = tuple(tool.spec for tool in self._tools.values())
        return AgentDescription(self._description, self._find_model("").name, specs)

    def check(self, options: RunOptions) -> None:
        """Refuse a model that the server does not have. Raises: InvalidRequestError."""
        self._find_model(options.model)

    async def run(self, context: AgentContext) -> Message:
        """Answer the history's last message. See agents.agent.Agent."""
        turn = _Turn(context, self._find_model(context.options.model), self._instructions, self._tools)
        return await turn.run()

    def _find_model(self, name: str) -> Model:
        if not name and self._model is not None and not isinstance(self._model, str):
            return self._model
        if self._source is None:
            raise RuntimeError(f"agent {self.name!r} is not bound to a source of models")
        return self._source.model(name or (self._model if isinstance(self._model, str) else ""))


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


class _Turn:
    """One activation of an LLM agent."""

    def __init__(
        self, context: AgentContext, model: Model, instructions: str, tools: Mapping[str, Tool]
    ) -> None:
        self._context = context
        self._model = model
        self._instructions = instructions
        self._tools = tools
        self._messages = list(context.history)
        self._usage = Usage()
        self._llm_calls = 0
        self._tool_rounds = 0
        self._message_id = ""

    async def run(self) -> Message:
        """Step until the model only talks. A step looks at the conversation, and at nothing else (DESIGN §2.8)."""
        while True:
            if calls := unanswered_calls(self._messages):
                await self._run_tools(calls)
                self._context.output.checkpoint("tools")
                continue
            reply = await self._ask_model()
            self._messages.append(reply)
            if not reply.tool_calls:
                return reply
            self._context.output.checkpoint("model")

    async def _run_tools(self, calls: Sequence[ToolCall]) -> None:
        limit = self._context.options.max_tool_rounds
        if limit is not None and self._tool_rounds >= limit:
            raise _limit("max_tool_rounds", limit)
        self._tool_rounds += 1
        payload = ToolResults(await run_round(self._context, self._tools, calls), self._message_id)
        await self._context.output.emit(payload)
        self._messages.extend(
            Message(Role.TOOL, r.content, tool_call_id=r.tool_call_id, tool_name=r.tool_name)
            for r in payload.results
        )

    async def _ask_model(self) -> Message:
        self._check_limits()
        self._llm_calls += 1
        options = self._context.options
        request = ModelRequest(
            messages=build_messages(self._instructions, self._messages),
            tools=tuple(tool.spec for tool in self._tools.values()),
            sampling=_sampling(options),
            stream=options.stream is not False,
        )
        answer = _Answer(uuid4().hex)
        async with aclosing(self._model.stream(request)) as reads:
            count = 0
            async for chunks in reads:
                for chunk in chunks:
                    await self._take(chunk, answer, is_streamed=request.stream)
                count += 1
                if count % _READS_PER_TURN == 0:
                    await asyncio.sleep(0)
        return await self._finish(answer)

    async def _take(self, chunk: Chunk, answer: _Answer, *, is_streamed: bool) -> None:
        output = self._context.output
        match chunk:
            case TextChunk(text=text):
                answer.text.append(text)
                if is_streamed:
                    output.partial(TextDelta(answer.message_id, text))
            case ReasoningChunk(text=text):
                answer.reasoning.append(text)
                if is_streamed:
                    output.partial(ReasoningDelta(answer.message_id, text))
            case ToolCallChunk(index=index, id=call_id, name=name, arguments=arguments):
                if index == len(answer.calls):
                    answer.calls.append((call_id, name, []))
                known_id, known_name, parts = answer.calls[index]
                parts.append(arguments)
                if is_streamed:
                    delta = ToolCallDelta(answer.message_id, index, known_id, known_name, arguments)
                    output.partial(delta)
            case RetryChunk(failed_attempt=attempt, error=error, delay_seconds=delay):
                await output.emit(ModelRetry(attempt, error, delay))
            case EndChunk():
                answer.end = chunk

    async def _finish(self, answer: _Answer) -> Message:
        """Put the whole answer into the log."""
        end = answer.end or EndChunk("stop")
        usage = (end.usage or Usage()) + Usage(model_calls=1)
        self._usage += usage
        self._message_id = answer.message_id
        message = answer.message()
        await self._context.output.emit(
            MessagePayload(answer.message_id, message, end.finish_reason, usage, end.model, end.response_id)
        )
        return message

    def _check_limits(self) -> None:
        options = self._context.options
        calls_max = options.max_llm_calls if options.max_llm_calls is not None else LLM_CALLS_MAX_DEFAULT
        if self._llm_calls >= calls_max:
            raise _limit("max_llm_calls", calls_max)
        tokens_max = options.max_total_tokens
        if tokens_max is not None and self._usage.total_tokens >= tokens_max:
            raise _limit("max_total_tokens", tokens_max)


def _limit(name: str, value: int) -> LimitReached:
    return LimitReached(f"{name} ({value}) was reached", name.upper(), stop_reason=name)


def _sampling(options: RunOptions) -> Sampling:
    return Sampling(
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        stop=options.stop,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        seed=options.seed,
        reasoning_effort=options.reasoning_effort,
    )
