"""Agents in runs: their life, agents that use others, options aimed at one of them, and what followers want to
see."""

import asyncio
from typing import Any

import grpc
import pytest

from desk import Desk, desk, refused
from runwire.v1 import agent_service_pb2, agent_service_pb2_grpc, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.agents.nested import run_nested
from runwire_server.agents.paths import check_agents
from runwire_server.app import App, LlmAgent
from runwire_server.domain.content import Message
from runwire_server.domain.errors import InvalidRequestError
from runwire_server.models.scripted import ScriptedModel
from support import (
    CALL_SECONDS,
    call_turn,
    collect,
    durable,
    eventually,
    kinds,
    run_request,
    scripted_app,
    text_turn,
)


@pytest.fixture
def store_url() -> str:
    """What these tests are about is not the store's business."""
    return "memory:"


async def state_of(at: Desk, name: str = "") -> str:
    async with grpc.aio.insecure_channel(at.service.address) as channel:
        stub: Any = agent_service_pb2_grpc.AgentServiceStub(channel)
        request = agent_service_pb2.GetAgentRequest(name=name)
        agent = (await stub.GetAgent(request, timeout=CALL_SECONDS)).agent
    return str(agent_service_pb2.AgentState.Name(agent.state)).removeprefix("AGENT_STATE_")


async def run(at: Desk, content: str = "go", **fields: Any) -> list[Any]:
    return await collect(at.runs.Run(run_request(content, **fields), timeout=CALL_SECONDS))


async def test_an_agent_is_started_at_work_stopped_and_closed(store_url: str) -> None:
    told: list[str] = []
    go_on = asyncio.Event()

    async def work() -> str:
        """Work."""
        await go_on.wait()
        return "x"

    async def start() -> None:
        told.append("start")

    async def stop() -> None:
        told.append("stop")

    model = ScriptedModel([call_turn("work"), text_turn("done")])
    agent = LlmAgent("agent", model=model, tools=[work], start=start, stop=stop)
    async with desk(App("test", [agent]), store_url) as at:
        assert (told, await state_of(at)) == (["start"], "STARTED")
        call = at.runs.Run(run_request("go"), timeout=CALL_SECONDS)
        await anext(aiter(call))
        assert await state_of(at) == "RUNNING"
        go_on.set()
        assert [item.event async for item in call][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        await eventually(lambda: at.service.runner.live_count == 0)
        assert await state_of(at) == "STARTED"
    assert told == ["start", "stop"]


async def test_an_agent_that_cannot_start_takes_no_runs_and_is_tried_again(store_url: str) -> None:
    failures = ["once", "twice"]

    async def start() -> None:
        if failures:
            raise RuntimeError(f"no licence: {failures.pop()}")

    agent = LlmAgent("lazy", model=ScriptedModel([text_turn("hi")]), start=start)
    good = LlmAgent("good", model=ScriptedModel([text_turn("hi")]))
    async with desk(App("test", [agent, good]), store_url) as at:
        assert await state_of(at) == "CREATED"
        code, text = await refused(anext(aiter(at.runs.Run(run_request("go")))))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "licence" not in text
        assert (await run(at, agent_name="good"))[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert (await run(at))[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert await state_of(at) == "STARTED"


class Pair:
    """An agent that lets two others answer, one after the other."""

    name = "root"

    def __init__(self, *inner: LlmAgent) -> None:
        self.inner = inner

    def describe(self) -> AgentDescription:
        return AgentDescription(sub_agents=self.inner)

    def check(self, options: Any, tools: Any) -> None:
        if wrong := check_agents(self, options, tools):
            raise InvalidRequestError(wrong)

    async def run(self, context: AgentContext) -> Message:
        for agent in self.inner:
            answer = await run_nested(context, agent, context.history)
        return answer


def pair() -> tuple[App, list[ScriptedModel]]:
    models = [ScriptedModel([text_turn("from ", "one")]), ScriptedModel([text_turn("from ", "two")])]
    inner = [LlmAgent(name, model=model) for name, model in zip(("one", "two"), models, strict=True)]
    return App("test", [Pair(*inner)]), models


async def test_nested_agents_speak_under_their_own_names(store_url: str) -> None:
    app, _ = pair()
    async with desk(app, store_url) as at:
        events = await run(at)

        said = [(e.author, e.branch, e.message.message.content) for e in events if e.HasField("message")]
        assert said == [("one", "root/one", "from one"), ("two", "root/two", "from two")]
        assert {e.branch for e in events if e.partial} == {"root/one", "root/two"}
        invocations = {
            e.author: (e.invocation_id, e.parent_invocation_id) for e in events if e.HasField("message")
        }
        root = events[0].run_started.run.invocation_id
        assert {parent for _, parent in invocations.values()} == {root}
        assert len({mine for mine, _ in invocations.values()}) == 2
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED


async def test_followers_see_what_they_ask_for_of_the_same_run(store_url: str) -> None:
    app, _ = pair()
    async with desk(app, store_url) as at:
        whole = await run(at, request_id="r")
        wanted: dict[str, dict[str, Any]] = {
            "one": {"branch": "root/one"},
            "all": {"branch": "root"},
            "neighbour": {"branch": "root/on"},
            "messages": {"modes": ["messages"]},
            "tasks": {"modes": ["tasks"]},
            "control": {"channels": [pb.CHANNEL_CONTROL]},
        }
        seen = {}
        for name, stream in wanted.items():
            request = pb.AttachRequest(request_id="r", stream=stream)
            seen[name] = await attached(at, request)

        assert [e.branch for e in seen["one"] if e.HasField("message")] == ["root/one"]
        assert durable(seen["all"]) == durable(whole)
        assert kinds(seen["neighbour"]) == ["run_started", "completion"]
        assert kinds(seen["messages"]) == ["run_started", "message", "message", "completion"]
        assert kinds(seen["tasks"]) == kinds(seen["control"]) == ["run_started", "completion"]


async def attached(at: Desk, request: Any) -> list[Any]:
    return [item.event async for item in at.runs.Attach(request, timeout=CALL_SECONDS)]


async def test_two_live_followers_with_different_filters(store_url: str) -> None:
    go_on = asyncio.Event()

    async def work() -> str:
        """Work."""
        await go_on.wait()
        return "worked"

    async with desk(scripted_app([call_turn("work"), text_turn("do", "ne")], [work]), store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r"), timeout=CALL_SECONDS)
        await anext(aiter(call))
        streams = [
            {"modes": ["messages"]},
            {"modes": ["updates"]},
            {"whole_messages_only": True},
            {"partials_only": True},
        ]
        follow = [
            asyncio.ensure_future(attached(at, pb.AttachRequest(request_id="r", stream=stream)))
            for stream in streams
        ]
        await asyncio.sleep(0.1)
        go_on.set()
        messages, updates, whole, partials = await asyncio.gather(*follow)

        assert "tool_started" in kinds(messages)
        assert "tool_results" in kinds(messages)
        assert kinds(updates) == ["run_started", "completion"]
        assert not any(e.partial for e in whole)
        assert not any(e.HasField("message") for e in partials)
        assert "".join(e.text_delta.text for e in partials if e.HasField("text_delta")) == "done"
        assert [item.event async for item in call][-1].HasField("completion")


async def test_options_can_be_aimed_at_one_nested_agent(store_url: str) -> None:
    app, models = pair()
    async with desk(app, store_url) as at:
        options = run_pb2.RunOptions(temperature=0.1)
        options.agents["root/two"].temperature = 0.9
        options.agents["root/two"].stop.append("x")

        await run(at, options=options)

        assert [model.requests[0].sampling.temperature for model in models] == [0.1, 0.9]
        assert [model.requests[0].sampling.stop for model in models] == [(), ("x",)]


async def test_options_for_an_unknown_path_are_refused(store_url: str) -> None:
    app = scripted_app([text_turn("x")])
    async with desk(app, store_url) as at:
        options = run_pb2.RunOptions()
        options.agents["agent/nobody"].temperature = 0.9
        code, text = await refused(anext(aiter(at.runs.Run(run_request("go", options=options)))))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert 'options.agents["agent/nobody"]' in text


async def test_an_app_offers_tools_that_runs_add(store_url: str) -> None:
    async def extra() -> str:
        """Do more."""
        return "more"

    async def own() -> str:
        """Do it."""
        return "own"

    model = ScriptedModel([text_turn("x")])
    app = App("test", [LlmAgent("agent", model=model, tools=[own])], tools=[extra])
    async with desk(app, store_url) as at:
        for selection, names in (
            ({}, ["own"]),
            ({"add": ["extra"]}, ["own", "extra"]),
            ({"only": ["extra"]}, ["extra"]),
            ({"deny": ["own"]}, []),
        ):
            events = await run(at, options=run_pb2.RunOptions(tools=run_pb2.ToolSelection(**selection)))
            assert [tool.name for tool in model.requests[-1].tools] == names
            assert list(events[0].run_started.tools) == names
        options = run_pb2.RunOptions(tools=run_pb2.ToolSelection(add=["nothing"]))
        code, text = await refused(anext(aiter(at.runs.Run(run_request("go", options=options)))))
        assert (code, "options.tools.add[0]" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_a_tool_shows_its_output_as_it_comes(store_url: str) -> None:
    async def count() -> Any:
        """Count."""
        for number in range(3):
            yield f"{number} "
            await asyncio.sleep(0.05)

    async with desk(scripted_app([call_turn("count"), text_turn("done")], [count]), store_url) as at:
        events = await run(at)

        deltas = [e.tool_output_delta for e in events if e.HasField("tool_output_delta")]
        assert deltas[0].offset == 0
        assert "0 1 2 ".startswith("".join(delta.text for delta in deltas))
        result = next(e.tool_finished.result for e in events if e.HasField("tool_finished"))
        assert result.content == "0 1 2 "
