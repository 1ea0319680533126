"""Runs that must end, whatever agents, users and servers do."""

import asyncio
from collections.abc import Mapping
from typing import Any

from desk import desk
from runwire.v1 import content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.app import App, LlmAgent
from runwire_server.domain.content import Message, Role
from runwire_server.models.scripted import ScriptedModel
from runwire_server.tools.function import function_tool
from support import CALL_SECONDS, call_turn, eventually, run_request, text_turn


class OwnAgent:
    """An agent of one's own: `answer` is called with its context."""

    name = "agent"

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.count = 0

    def describe(self) -> AgentDescription:
        return AgentDescription()

    def check(self, options: Any, tools: Mapping[str, Any]) -> None: ...

    async def run(self, context: AgentContext) -> Message:
        self.count += 1
        answer: Message = await self._answer(context)
        return answer


async def enqueue(at: Any, text: str) -> Any:
    request = pb.EnqueueMessageRequest(request_id="r", message=content_pb2.Message(content=text))
    return await at.runs.EnqueueMessage(request, timeout=CALL_SECONDS)


async def test_an_agent_that_returns_no_message_fails_its_run(store_url: str) -> None:
    async def nothing(context: AgentContext) -> Any:
        return None

    async with desk(App("test", [OwnAgent(nothing)]), store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        events = [response.event async for response in call]
        completion = events[-1].completion
        assert (completion.outcome, completion.error.code) == (run_pb2.OUTCOME_FAILED, "INTERNAL")


async def test_an_agent_that_reads_no_mail_is_not_run_for_ever(store_url: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(context: AgentContext) -> Message:
        begun.set()
        await go_on.wait()
        return Message(Role.ASSISTANT, "done")

    agent = OwnAgent(answer)
    async with desk(App("test", [agent]), store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        await begun.wait()
        await enqueue(at, "more")
        go_on.set()
        events = [response.event async for response in call]
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert agent.count <= 2


async def test_a_message_that_comes_during_a_tool_that_answers_directly_is_answered(store_url: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        """Work."""
        begun.set()
        await go_on.wait()
        return "worked"

    model = ScriptedModel([call_turn("work"), text_turn("and more")])
    agent = LlmAgent("agent", model=model, tools=[function_tool(work, return_direct=True)])
    async with desk(App("test", [agent]), store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        await begun.wait()
        await enqueue(at, "more")
        go_on.set()
        events = [response.event async for response in call]
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert [m.content for m in model.requests[-1].messages][-2:] == ["worked", "more"]


def _approval_app(sent: list[str]) -> App:
    async def send(to: str) -> str:
        """Send a letter."""
        sent.append(to)
        return "sent"

    model = ScriptedModel([call_turn("send", '{"to": "bob"}'), text_turn("done"), text_turn("next")])
    return App("test", [LlmAgent("agent", model=model, tools=[function_tool(send, requires_approval=True)])])


async def test_a_full_server_lets_the_run_go_on_that_its_queue_waits_for(store_url: str) -> None:
    sent: list[str] = []
    async with desk(_approval_app(sent), store_url, runs_max=1) as at:
        run = await at.start()
        await eventually(lambda: at.service.runner.live_count == 0)
        behind = at.runs.Run(run_request("next", request_id="r2", session_id="s"), timeout=CALL_SECONDS)
        await eventually(lambda: at.service.runner.live_count == 1)
        await at.resolve(run.pending[0].approval_id)
        events = [response.event async for response in behind]
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert sent == ["bob"]
