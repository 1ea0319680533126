"""Agents that use other agents."""

from uuid import uuid4

from runwire_server.agents.agent import Agent, AgentContext
from runwire_server.domain.content import Message
from runwire_server.domain.events import MessagePayload


async def answer_of(agent: Agent, context: AgentContext) -> Message:
    """Run the agent, between the hooks of plugins, and return its answer. Raises: as Agent.run."""
    plugins = context.plugins
    if not plugins:
        return await agent.run(context)
    who = context.identity
    hook = plugins.context(context.run, who.author, who.branch, who.invocation_id)
    answer = await plugins.before_agent(hook)
    if answer is None:
        answer = await agent.run(context)
    else:
        await _say(context, answer)
    other = await plugins.after_agent(hook, answer)
    if other is None:
        return answer
    await _say(context, other)
    return other


async def _say(context: AgentContext, answer: Message) -> None:
    await context.output.emit(MessagePayload(uuid4().hex, answer, finish_reason="stop"))
