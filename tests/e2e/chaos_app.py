"""An app whose model and tools do whatever may go wrong, by chance. Made for test_chaos.

What a strict OpenAI-compatible server would refuse in a request goes to the file CHAOS_FAULTS.
"""

import asyncio
import os
import random
from pathlib import Path
from uuid import uuid4

from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.app import App, LlmAgent, StopError, ToolContext, ToolError
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import ModelError
from runwire_server.domain.runs import RunOptions
from runwire_server.models.model import EndChunk, ModelRequest, Sink, TextChunk, ToolCallChunk
from runwire_server.models.openai.wire import request_body
from runwire_server.tools.function import function_tool
from strict_openai import problems

_chance = random.Random(int(os.environ.get("CHAOS_SEED", "0")))
_FAULTS = Path(os.environ.get("CHAOS_FAULTS", os.devnull))
_ARGUMENTS = ["{}", '{"n": 1}', '{"n": "x"}', "{'n': 1", "[]", "", "null", '{"n": 1, "m": 2}']


class ChaosModel:
    """Answers with text, calls, both, half of something, or an error."""

    name = "chaos"

    async def stream(self, request: ModelRequest, sink: Sink) -> None:
        """See models.model.Model."""
        if found := problems(request_body("chaos", request)["messages"]):
            with _FAULTS.open("a") as file:
                file.write(f"{found} in {request.messages}\n")
        await asyncio.sleep(_chance.uniform(0, 0.05))
        if _chance.random() < 0.04:
            raise ModelError("no", "MODEL_UNAVAILABLE", retryable=True)
        for _ in range(_chance.randrange(6)):
            sink.take([TextChunk("word ")])
            await asyncio.sleep(_chance.uniform(0, 0.02))
        if _chance.random() < 0.03:
            raise ModelError("cut", "MODEL_DISCONNECTED")
        count = _chance.choice([0, 0, 1, 1, 2, 3]) if request.may_call_tools else 0
        names = [tool.name for tool in request.tools] + ["unheard_of"]
        # Some providers use an id again in every answer.
        prefix = _chance.choice(["call", uuid4().hex[:6]])
        for index in range(count):
            name, arguments = _chance.choice(names), _chance.choice(_ARGUMENTS)
            sink.take([ToolCallChunk(index, f"{prefix}_{index}", name, arguments)])
        sink.take([EndChunk("tool_calls" if count else "stop")])


async def works(n: int = 0) -> str:
    """Work."""
    await asyncio.sleep(_chance.uniform(0, 0.05))
    return f"worked {n}"


async def fails(n: int = 0) -> str:
    """Fail."""
    if _chance.random() < 0.5:
        raise ToolError("not today", "CLOSED", retryable=True)
    raise RuntimeError("boom")


async def hangs(n: int = 0) -> str:
    """Hang."""
    await asyncio.sleep(3600)
    return "never"


async def stops(n: int = 0) -> str:
    """Stop the run, sometimes."""
    if _chance.random() < 0.3:
        raise StopError("enough")
    return "went on"


async def exits(n: int = 0) -> str:
    """Try to end the server."""
    raise _chance.choice([SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])


async def streams(context: ToolContext, n: int = 0) -> str:
    """Tell how far it is."""
    for step in range(3):
        await context.progress(f"step {step}", step / 3)
        context.write("piece ")
        await asyncio.sleep(0.01)
    return "piece piece piece "


async def asks(n: int = 0) -> str:
    """Do what must be allowed."""
    return "did it"


class Probe:
    """Tells how many runs and agents' tasks are alive, itself aside."""

    name = "probe"

    def describe(self) -> AgentDescription:
        return AgentDescription()

    def check(self, options: RunOptions, tools: object) -> None:
        return None

    async def run(self, context: AgentContext) -> Message:
        mine = context.run.key.request_id
        names = [task.get_name() for task in asyncio.all_tasks()]
        left = [n for n in names if n.startswith(("run-", "agent-", "append-")) and not n.endswith(mine)]
        return Message(Role.ASSISTANT, " ".join(left))


tools = [
    works,
    function_tool(fails, retries=1, retry_delay_seconds=0.01),
    function_tool(hangs, timeout_seconds=0.2),
    stops,
    exits,
    streams,
    function_tool(asks, requires_approval=True),
    function_tool(works, name="alone", is_exclusive=True),
    function_tool(works, name="direct", return_direct=True),
]
agent = LlmAgent("agent", model=ChaosModel(), tools=tools, instructions="Be wild.")
app = App("chaos", [agent, Probe()])
