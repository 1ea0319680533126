"""Which tools an agent has in a run, and which options it refuses."""

from collections.abc import Sequence
from typing import Any

import pytest
from agents_support import Bench, calls_turn

from runwire_server.agents.agent import Agent, AgentDescription, AgentTool
from runwire_server.agents.llm import LlmAgent
from runwire_server.agents.paths import check_agents, walk
from runwire_server.domain.content import ToolSpec
from runwire_server.domain.errors import InvalidRequestError
from runwire_server.domain.runs import AgentOptions, RunOptions, ToolSelection
from runwire_server.models.opener import OfflineModels
from runwire_server.tools.function import function_tool
from support import text_turn


def tool(name: str, **fields: Any) -> Any:
    return function_tool(lambda: name, name=name, **fields)


OWN = [tool("a"), tool("b")]
APP = {name: tool(name) for name in ("c", "d")}


def clients(*names: str) -> tuple[ToolSpec, ...]:
    return tuple(ToolSpec(name, "") for name in names)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (None, ["a", "b"]),
        (ToolSelection(), ["a", "b"]),
        (ToolSelection(only=()), []),
        (ToolSelection(only=("c", "b")), ["c", "b"]),
        (ToolSelection(add=("d", "a")), ["a", "b", "d"]),
        (ToolSelection(deny=("a",)), ["b"]),
        (ToolSelection(only=("a",), add=("c",), deny=("a",)), ["c"]),
        (ToolSelection(client_tools=clients("x")), ["a", "b", "x"]),
        (ToolSelection(deny=("a",), client_tools=clients("a")), ["b", "a"]),
        (ToolSelection(only=("of another agent",)), []),
    ],
)
async def test_the_model_is_shown_the_tools_that_can_be_called(
    selection: ToolSelection | None, expected: list[str]
) -> None:
    names = ["a", "b", "c", "d"]
    turns = [calls_turn(*((n, n, "{}") for n in names)), text_turn("done")]
    bench = Bench(turns, OWN, app_tools=APP, options={"tools": selection})
    if selection is not None and any(spec.name in names for spec in selection.client_tools):
        bench.output.on_ask = lambda: bench.output.answer("a", output="mine")
    await bench.run()

    assert [spec.name for spec in bench.model.requests[0].tools] == expected
    ran = [r.tool_call_id for r in bench.output.results if not r.reason]
    assert sorted(ran) == sorted(set(expected) & set(names))


def refused(options: RunOptions, agent: Agent | None = None) -> list[str]:
    llm = LlmAgent("root", tools=OWN)
    llm.bind(OfflineModels())
    with pytest.raises(InvalidRequestError) as caught:
        (agent or llm).check(options, APP)
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (RunOptions(tools=ToolSelection(only=("a", "c", "x"))), ["options.tools.only[2]"]),
        (
            RunOptions(tools=ToolSelection(add=("x",), deny=("y",))),
            ["options.tools.add[0]", "options.tools.deny[0]"],
        ),
        (
            RunOptions(tools=ToolSelection(client_tools=clients("x", "x"))),
            ["options.tools.client_tools[1].name"],
        ),
        (RunOptions(tools=ToolSelection(client_tools=clients("a"))), ["options.tools.client_tools[0].name"]),
        (
            RunOptions(tools=ToolSelection(add=("c",), client_tools=clients("c"))),
            ["options.tools.client_tools[0].name"],
        ),
        (RunOptions(model="gpt"), ["options.model"]),
        (RunOptions(output_schema="{"), ["options.output_schema"]),
        (RunOptions(agents={"root/x": AgentOptions()}), ['options.agents["root/x"]']),
        (RunOptions(agents={"root": AgentOptions(model="gpt")}), ['options.agents["root"].model']),
        (
            RunOptions(agents={"root": AgentOptions(tools=ToolSelection(only=("x",)))}),
            ['options.agents["root"].tools.only[0]'],
        ),
        (RunOptions(model="gpt", output_schema="[]"), ["options.model", "options.output_schema"]),
    ],
)
def test_options_that_cannot_be_served_are_refused_by_field(options: RunOptions, fields: list[str]) -> None:
    assert refused(options) == fields


def test_options_that_can_be_served_are_taken() -> None:
    agent = LlmAgent("root", tools=OWN)
    agent.bind(OfflineModels())
    selection = ToolSelection(only=("a",), add=("c",), deny=("b",), client_tools=clients("b"))

    agent.check(RunOptions(tools=selection, output_schema="{}", model="offline-rules"), APP)
    agent.check(RunOptions(agents={"root": AgentOptions(temperature=0.5)}), APP)


class Team:
    """An agent of one's own, with others."""

    name = "team"

    def __init__(self, *agents: Agent) -> None:
        self.agents: Sequence[Agent] = agents

    def describe(self) -> AgentDescription:
        return AgentDescription(sub_agents=self.agents)

    def check(self, options: RunOptions, tools: Any) -> None:
        if violations := check_agents(self, options, tools):
            raise InvalidRequestError(violations)

    async def run(self, context: Any) -> Any: ...


def test_nested_agents_are_known_by_their_paths_and_bound_before_they_describe_themselves() -> None:
    team = Team(LlmAgent("one", tools=OWN), LlmAgent("two"))
    paths = []
    for path, agent in walk(team):
        paths.append(path)
        if isinstance(agent, LlmAgent):
            agent.bind(OfflineModels())

    assert paths == ["team", "team/one", "team/two"]
    options = {"team/one": AgentOptions(model="gpt"), "team/three": AgentOptions(), "two": AgentOptions()}
    with pytest.raises(InvalidRequestError, match=r"gpt|no model provider") as caught:
        team.check(RunOptions(agents=options), APP)
    assert [v.field for v in caught.value.violations] == [
        'options.agents["team/one"].model',
        'options.agents["team/three"]',
        'options.agents["two"]',
    ]
    assert "team, team/one, team/two" in caught.value.violations[1].description
    team.check(RunOptions(agents={"team/one": AgentOptions(tools=ToolSelection(only=("a",)))}), APP)


def test_an_agent_says_which_tools_need_an_approval() -> None:
    agent = LlmAgent("a", tools=[tool("x", requires_approval=True), tool("y")])
    agent.bind(OfflineModels())

    described = agent.describe()

    assert [(t.spec.name, t.requires_approval) for t in described.tools] == [("x", True), ("y", False)]
    assert all(isinstance(t, AgentTool) for t in described.tools)
