"""Agents of one's own that use others."""

from collections.abc import Callable
from typing import Any

import pytest
from agents_support import USER, Bench, FakePlugins

from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.agents.llm import LlmAgent
from runwire_server.agents.nested import run_nested
from runwire_server.domain.content import Message, Role
from runwire_server.domain.events import MessagePayload
from runwire_server.models.scripted import ScriptedModel
from runwire_server.tools.function import function_tool
from support import call_turn, text_turn

ANSWER = Message(Role.ASSISTANT, "done")


class Own:
    """An agent that is a function."""

    name = "own"

    def __init__(self, work: Callable[[AgentContext], Any]) -> None:
        self.work = work

    def describe(self) -> AgentDescription:
        return AgentDescription()

    def check(self, options: Any, tools: Any) -> None: ...

    async def run(self, context: AgentContext) -> Message:
        message: Message = await self.work(context)
        return message


def emitted(bench: Bench) -> list[str]:
    return [payload.message.content for payload in bench.output.of(MessagePayload)]


async def test_an_answer_is_in_the_log_once_whoever_puts_it_there() -> None:
    async def silent(context: AgentContext) -> Message:
        assert context.identity.branch == "agent/own"
        assert context.identity.parent_invocation_id == "i"
        return ANSWER

    async def deeper(context: AgentContext) -> Message:
        return await run_nested(context, Own(silent_below), context.history)

    async def silent_below(context: AgentContext) -> Message:
        assert context.identity.branch == "agent/own/own"
        return ANSWER

    llm = LlmAgent("llm", model=ScriptedModel([text_turn("done")]))
    for agent in (Own(silent), llm, Own(deeper)):
        bench = Bench([text_turn("x")])
        assert await run_nested(bench.context(), agent, [USER]) == ANSWER
        assert emitted(bench) == ["done"]


async def test_an_old_answer_and_a_tools_result_are_not_added() -> None:
    bench = Bench([text_turn("x")])
    direct = function_tool(lambda: "42", name="direct", return_direct=True)
    llm = LlmAgent("llm", model=ScriptedModel([call_turn("direct")]), tools=[direct])

    assert await run_nested(bench.context(), llm, [USER, ANSWER]) is ANSWER
    assert emitted(bench) == []
    assert (await run_nested(bench.context(), llm, [USER])).role is Role.TOOL
    assert emitted(bench) == [""]


@pytest.mark.parametrize("hook", ["before_agent", "after_agent"])
async def test_plugins_see_nested_agents_and_may_answer_for_them(hook: str) -> None:
    seen: list[str] = []

    def answer(context: Any, *_: Any) -> Message:
        seen.append(context.branch)
        return Message(Role.ASSISTANT, "instead")

    bench = Bench([text_turn("x")], plugins=FakePlugins(**{hook: answer}))
    llm = LlmAgent("llm", model=ScriptedModel([text_turn("done")]))

    assert (await run_nested(bench.context(), llm, [USER])).content == "instead"
    assert emitted(bench) == (["instead"] if hook == "before_agent" else ["done", "instead"])
    assert seen == ["agent/llm"]
