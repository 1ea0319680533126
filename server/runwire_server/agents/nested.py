"""Agents that use other agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runwire_server.agents.agent import Agent, AgentContext, Ask, Identity, Output
from runwire_server.domain.content import JsonObject, Message, Role
from runwire_server.domain.events import DurablePayload, MessagePayload, PartialPayload
from runwire_server.domain.ids import new_id
from runwire_server.domain.mail import Answer
from runwire_server.domain.record import replace
from runwire_server.domain.runs import Run


async def run_nested(
    context: AgentContext, agent: Agent, history: Sequence[Message], *, last_message_id: str = ""
) -> Message:
    """Let an agent answer the history's last message, as part of the same run; return its answer.

    For agents of one's own. It works under its own name and path, and plugins see it as they see the run's agent. Its
    answer is in the log once: what it has not emitted itself is emitted here. `last_message_id` is that of the
    history's last assistant message, which is needed when that has tool calls without results.

    Raises: as Agent.run.
    """
    inner = context.nested(agent, history, last_message_id=last_message_id)
    log = _Witness(inner.output)
    answer = await answer_of(agent, replace(inner, output=log))
    is_old = bool(history) and answer is history[-1]
    return answer if is_old or answer.role is Role.TOOL else await _once(log, answer)


async def answer_of(agent: Agent, context: AgentContext) -> Message:
    """Run the agent, between the hooks of plugins, and return its answer. Raises: as Agent.run."""
    plugins = context.plugins
    if not plugins:
        return await agent.run(context)
    hook = context.hook_context()
    answer = await plugins.before_agent(hook)
    if answer is None:
        answer = await agent.run(context)
    else:
        answer = await _say(context.output, answer)
    other = await plugins.after_agent(hook, answer)
    return answer if other is None else await _say(context.output, other)


async def _say(output: Output, answer: Message) -> Message:
    """Put an answer into the log, and return what is there: a plugin may have made something else of it."""
    shown = await output.emit(MessagePayload(new_id(), answer, finish_reason="stop"))
    return shown.message if isinstance(shown, MessagePayload) else answer


async def _once(log: "_Witness", answer: Message) -> Message:
    """Put an answer into the log, unless it is there."""
    if answer in log.messages or not answer.has_payload:
        return answer
    return await _say(log, answer)


@dataclass(slots=True)
class _Witness:
    """An output that remembers which messages went through it, also those of agents further down."""

    output: Output
    messages: list[Message] = field(default_factory=list)

    @property
    def run(self) -> Run:
        return self.output.run

    async def emit(
        self,
        payload: DurablePayload,
        *,
        state_delta: JsonObject | None = None,
        tag: str = "",
        may_wait: bool = False,
    ) -> DurablePayload | None:
        shown = await self.output.emit(payload, state_delta=state_delta, tag=tag, may_wait=may_wait)
        for known in (payload, shown):
            if isinstance(known, MessagePayload):
                self.messages.append(known.message)
        return shown

    def partial(self, payload: PartialPayload) -> None:
        self.output.partial(payload)

    def checkpoint(self, point: str) -> None:
        self.output.checkpoint(point)

    async def take_messages(self) -> list[Message]:
        return await self.output.take_messages()

    async def ask(self, asked: Sequence[Ask]) -> None:
        await self.output.ask(asked)

    async def answers(self) -> Mapping[tuple[str, str], Answer]:
        return await self.output.answers()

    def as_agent(self, identity: Identity) -> "Output":
        return _Witness(self.output.as_agent(identity), self.messages)
