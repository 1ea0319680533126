"""What plugins say in place of agents, models and tools, what is told when a run ends, and middleware (P2, P4)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from desk import desk
from plugin_support import Office, office, texts
from runwire_server.app import App, LlmAgent
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.domain.errors import StopError
from runwire_server.domain.runs import Run
from runwire_server.models.model import ModelRequest
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.plugin import HookContext, Plugin
from runwire_server.tools.tool import ToolContext
from servers.shared import empty_url
from support import call_turn, kinds, text_turn

TURNS = [call_turn("work"), text_turn("do", "ne")]


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Plugins know nothing of stores: two kinds say enough."""
    with empty_url(request.param, tmp_path) as url:
        yield url


async def work() -> str:
    """Work."""
    return "worked"


class Told(Plugin):
    """Remembers the runs that ended."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    async def after_run(self, run: Run) -> None:
        self.runs.append(run)


@pytest.mark.parametrize("how", ["completed", "failed", "stopped"])
async def test_after_run_is_called_once_with_the_final_record(store_url: str, how: str) -> None:
    class Stopping(Plugin):
        async def before_model(self, context: HookContext, request: ModelRequest) -> None:
            if how == "stopped":
                raise StopError("enough")

    told = Told()
    turn: Any = ValueError("no") if how == "failed" else text_turn("hi")
    async with office(store_url, [turn], [told, Stopping()]) as at:
        events = await at.run()
        (run,) = told.runs
        assert run.last_sequence == events[-1].sequence
        assert run.outcome is not None
        assert run.state.is_terminal
        reasons = {"completed": "stop", "failed": "error", "stopped": "stop_error"}
        assert run.stop_reason == events[-1].completion.stop_reason == reasons[how]


async def test_a_plugin_may_answer_in_place_of_the_agent(store_url: str) -> None:
    class Answering(Plugin):
        async def before_agent(self, context: HookContext) -> Message:
            return Message(Role.ASSISTANT, "closed today")

    async with office(store_url, TURNS, [Answering()], tools=[work]) as at:
        events = await at.run()
        assert at.model.requests == []
        assert kinds(events) == ["run_started", "message", "completion"]
        assert await at.history() == ["go", "closed today"]
        assert events[-1].completion.stop_reason == "stop"


async def test_a_plugin_may_answer_in_place_of_the_model_also_with_calls(store_url: str) -> None:
    class Answering(Plugin):
        async def before_model(self, context: HookContext, request: ModelRequest) -> Message:
            if request.messages[-1].role is Role.TOOL:
                return Message(Role.ASSISTANT, f"cached {request.messages[-1].content}")
            return Message(Role.ASSISTANT, tool_calls=(ToolCall("", "work", "{}"),))

    async with office(store_url, TURNS, [Answering()], tools=[work]) as at:
        events = await at.run()
        assert at.model.requests == []
        assert texts(events) == ["", "cached worked"]
        assert next(e for e in events if e.HasField("message")).message.message.tool_calls[0].id


async def test_after_hooks_replace_and_what_follows_sees_it(store_url: str) -> None:
    class After(Plugin):
        async def after_model(self, context: HookContext, answer: Message) -> Message | None:
            return replace(answer, content="said") if answer.content else None

        async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> ToolResult:
            return replace(result, content=f"{result.content} well")

        async def after_agent(self, context: HookContext, answer: Message) -> Message:
            return Message(Role.ASSISTANT, f"{answer.content} and added")

    async with office(store_url, TURNS, [After()], tools=[work]) as at:
        events = await at.run()
        assert texts(events) == ["", "said", "said and added"]
        assert at.asked() == ["go", "", "worked well"]
        assert await at.history() == ["go", "", "said", "said and added"]


@pytest.mark.parametrize("kind", ["plain", "streaming"])
async def test_middleware_of_an_app_is_outside_and_around_every_kind_of_tool(
    store_url: str, kind: str
) -> None:
    """Also around one that shows its output as it comes (D37)."""
    seen: list[str] = []

    def layer(name: str) -> Any:
        async def wrap(invocation: Any, following: Any) -> str:
            seen.append(f"{name} in")
            result = await following(invocation)
            seen.append(f"{name} out")
            return f"{name}({result})"

        return wrap

    async def stream(context: ToolContext) -> str:
        """Work."""
        context.write("wor")
        await context.progress("half", 0.5)
        return "worked"

    tool = work if kind == "plain" else stream
    model = ScriptedModel([call_turn(tool.__name__), text_turn("done")])
    agent = LlmAgent("agent", model=model, tools=[tool], tool_middleware=[layer("agent")])
    app = App("test", [agent], tool_middleware=[layer("a"), layer("b")])
    async with desk(app, store_url) as desk_:
        at = Office(desk_, model)
        await at.run()
    assert seen == ["a in", "b in", "agent in", "agent out", "b out", "a out"]
    assert at.asked()[-1] == "a(b(agent(worked)))"
