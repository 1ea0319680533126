"""The LLM agent: ask the model, run the tools it asks for, repeat until it only talks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runwire_server.agents.agent import AgentContext, AgentDescription, AgentTool
from runwire_server.agents.model_call import ModelCalls
from runwire_server.agents.paths import check_agents
from runwire_server.agents.structured import check_schema
from runwire_server.agents.tool_round import PARALLEL_CALLS_MAX, ToolRounds
from runwire_server.agents.toolbox import check_selection, select_tools
from runwire_server.agents.turn import Means, Turn
from runwire_server.domain.content import Message
from runwire_server.domain.errors import FieldViolation, InvalidRequestError
from runwire_server.domain.runs import RunOptions
from runwire_server.models.model import Model
from runwire_server.models.source import ModelSource
from runwire_server.tools.function import function_tool
from runwire_server.tools.tool import Tool, ToolMiddleware

Lifecycle = Callable[[], Awaitable[None]]


class LlmAgent:
    """An agent that a language model drives.

    `tools` are Tools, or typed functions that become tools; their names are unique. `model` is a Model, or the name
    of one of the server's; None is the server's default. `max_parallel_tools` is how many calls of a round are at
    work at a time; 1: one after the other. With `json_repair`, tool arguments that are not JSON are repaired.
    `tool_middleware` wraps its calls, inside of the app's. `start` and `stop` are awaited before the first run and
    after the last one.
    """

    def __init__(  # noqa: PLR0913 -- named arguments are the API
        self,
        name: str,
        *,
        instructions: str = "",
        tools: Sequence[Tool | Callable[..., Any]] = (),
        model: Model | str | None = None,
        description: str = "",
        max_parallel_tools: int = PARALLEL_CALLS_MAX,
        json_repair: bool = False,
        tool_middleware: Sequence[ToolMiddleware] = (),
        start: Lifecycle | None = None,
        stop: Lifecycle | None = None,
    ) -> None:
        """Raises: ValueError for two tools of one name, a name with a "/", or less than one parallel tool."""
        if "/" in name or not name:
            raise ValueError(f"an agent cannot be named {name!r}: the names in a path are parted by '/'")
        if max_parallel_tools < 1:
            raise ValueError(f"agent {name!r}: max_parallel_tools must be at least 1")
        self.name = name
        self._instructions = instructions
        self._description = description
        self._model = model
        self._source: ModelSource | None = None
        self._max_parallel_tools = max_parallel_tools
        self._json_repair = json_repair
        self._tool_middleware = tuple(tool_middleware)
        self._start = start
        self._stop = stop
        self._tools: dict[str, Tool] = {}
        for given in tools:
            tool = function_tool(given) if callable(given) else given
            if tool.spec.name in self._tools:
                raise ValueError(f"agent {name!r} has two tools named {tool.spec.name!r}")
            self._tools[tool.spec.name] = tool

    def bind(self, source: ModelSource) -> None:
        """Say where models come from. The composition root calls it, once, before the first run."""
        self._source = source

    async def start(self) -> None:
        """Make ready for the first run. See agents.agent.Agent."""
        if self._start is not None:
            await self._start()

    async def stop(self) -> None:
        """Clean up after the last run. See agents.agent.Agent."""
        if self._stop is not None:
            await self._stop()

    def describe(self) -> AgentDescription:
        """Say what it is for and what it has."""
        tools = tuple(AgentTool(tool.spec, tool.policy.requires_approval) for tool in self._tools.values())
        return AgentDescription(self._description, self._find_model("").name, tools)

    def check(self, options: RunOptions, tools: Mapping[str, Tool]) -> None:
        """Refuse what this agent cannot do. See agents.agent.Agent. Raises: InvalidRequestError."""
        violations: list[FieldViolation] = []
        for check in (
            lambda: self._find_model(options.model),
            lambda: check_schema(options.output_schema) if options.output_schema else None,
        ):
            try:
                check()
            except InvalidRequestError as error:
                violations += error.violations
        violations += check_selection(self._tools, tools, options.tools)
        violations += check_agents(self, options, tools)
        if violations:
            raise InvalidRequestError(violations)

    async def run(self, context: AgentContext) -> Message:
        """Answer the history's last message. See agents.agent.Agent."""
        options = context.options
        toolbox = select_tools(self._tools, context.tools, options.tools)
        repairs = self._json_repair if options.json_repair is None else options.json_repair
        parallel = options.max_parallel_tools or self._max_parallel_tools
        means = Means(
            instructions=self._instructions,
            toolbox=toolbox,
            models=ModelCalls(context, self._find_model(options.model), repairs_json=repairs),
            rounds=ToolRounds(context, toolbox, self._tool_middleware, parallel),
        )
        return await Turn(context, means).run()

    def _find_model(self, name: str) -> Model:
        if not name and self._model is not None and not isinstance(self._model, str):
            return self._model
        if self._source is None:
            raise RuntimeError(f"agent {self.name!r} is not bound to a source of models")
        return self._source.model(name or (self._model if isinstance(self._model, str) else ""))
