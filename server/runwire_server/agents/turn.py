"""One activation of an LLM agent: a step looks at the conversation, and at nothing else (DESIGN §2.8)."""

from runwire_server.agents.agent import AgentContext
from runwire_server.agents.limits import Limits
from runwire_server.agents.model_call import ModelCalls
from runwire_server.agents.prompt import build_messages, instructions_with_schema
from runwire_server.agents.structured import (
    REPAIR_TAG,
    OutputInvalid,
    is_repair,
    read_output,
    repair_message,
)
from runwire_server.agents.tool_round import ToolRounds
from runwire_server.agents.toolbox import Toolbox
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import AgentError
from runwire_server.domain.events import MessagePayload
from runwire_server.domain.ids import new_id
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import RunOptions
from runwire_server.domain.toolcalls import Round, is_failure, last_round
from runwire_server.models.model import ModelRequest, Sampling


@record(frozen=True, slots=True)
class Means:
    """What a turn works with."""

    instructions: str
    toolbox: Toolbox
    models: ModelCalls
    rounds: ToolRounds


class Turn:
    """Steps until the model only talks, a tool's result is the answer, or something must be waited for."""

    def __init__(self, context: AgentContext, means: Means) -> None:
        self._context = context
        self._means = means
        self._messages = list(context.history)
        self._message_id = context.last_message_id
        begun = last_round(self._messages)
        self._limits = Limits(context, is_pending=begun is not None and bool(begun.open))

    async def run(self) -> Message:
        """Return the answer. Without anything to answer it is the last one there was, and no model is called."""
        while True:
            stands_at = last_round(self._messages)
            if stands_at is not None and stands_at.open:
                await self._run_tools(stands_at)
                self._context.output.checkpoint("tools")
                continue
            direct = None if stands_at is None else self._direct_answer(stands_at)
            # Also before a tool's result is the answer: who said more meanwhile wants more than that.
            said = await self._context.output.take_messages()
            self._messages.extend(said)
            if not said and direct is not None:
                return direct
            if not said and (answer := self._last_answer()) is not None:
                return answer
            if (answer := await self._ask_model()) is not None:
                return answer
            self._context.output.checkpoint("model")

    async def _run_tools(self, begun: Round) -> None:
        calls = [(index, begun.calls[index]) for index in begun.open]
        rounds = self._means.rounds
        if self._limits.begin_round():
            results = await rounds.run(self._message_id, calls)
        else:
            results = await rounds.refuse(self._message_id, calls, "max_tool_rounds")
        self._messages.extend(results)

    def _direct_answer(self, done: Round) -> Message | None:
        """Return the result that is the run's answer: of the first call that succeeded of a tool that says so."""
        for call, result in zip(done.calls, done.results, strict=True):
            tool = self._means.toolbox.tools.get(call.name)
            if result is None or tool is None or not tool.policy.return_direct:
                continue
            if not is_failure(result.content):
                # A copy: this is the answer of this activation, also when an earlier one recorded it.
                return replace(result)
        return None

    def _last_answer(self) -> Message | None:
        last = self._messages[-1] if self._messages else None
        is_answer = last is not None and last.role is Role.ASSISTANT and not last.tool_calls
        return last if is_answer else None

    async def _ask_model(self) -> Message | None:
        """Ask the model. Return its answer if that is the last one of the turn."""
        specs = self._means.toolbox.specs()
        limit = self._limits.check_call(has_tools=bool(specs))
        options = self._context.options
        instructions = instructions_with_schema(self._means.instructions, options.output_schema)
        request = ModelRequest(
            messages=build_messages(instructions, self._messages),
            tools=specs,
            sampling=_sampling(options),
            stream=options.stream is not False,
            may_call_tools=not limit,
            output_schema=options.output_schema,
        )
        payload = await self._means.models.ask(request, limit)
        self._limits.note_call(payload.usage)
        self._message_id = payload.message_id
        self._messages.append(payload.message)
        if payload.message.tool_calls:
            return None
        return await self._accepted(payload.message)

    async def _accepted(self, answer: Message) -> Message | None:
        """Return the answer if it is what was asked for. Else tell the model what is wrong with it, once."""
        schema = self._context.options.output_schema
        if not schema:
            return answer
        try:
            await read_output(answer.content, schema)
        except OutputInvalid as error:
            asked = next((m for m in reversed(self._messages) if m.role is Role.USER), None)
            if (asked is not None and is_repair(asked)) or not self._limits.allows_call:
                raise AgentError(
                    f"the answer does not fit the output schema: {error}"[:1000],
                    "OUTPUT_INVALID",
                    stop_reason="output_invalid",
                ) from None
            payload = MessagePayload(new_id(), repair_message(error))
            shown = await self._context.output.emit(payload, tag=REPAIR_TAG)
            self._messages.append((shown if isinstance(shown, MessagePayload) else payload).message)
            return None
        return answer


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
