"""Many answer the same question at the same moment: the run goes on once, on one replica, in one attempt."""

import asyncio
from collections.abc import AsyncGenerator

from desk import desk
from runwire.v1 import run_pb2
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from runwire_server.tools.function import function_tool
from support import call_turn, kinds, text_turn

CALLERS = 50


async def test_a_call_that_many_approve_is_executed_once(store_url: str) -> None:
    done: list[str] = []

    async def pay(to: str) -> AsyncGenerator[str, None]:
        """Pay, which takes a moment."""
        done.append(to)
        for _ in range(50):
            await asyncio.sleep(0.001)
            yield "."

    model = ScriptedModel([call_turn("pay", '{"to": "bob"}'), text_turn("done")])
    app = App("test", [LlmAgent("agent", model=model, tools=[function_tool(pay, requires_approval=True)])])
    async with desk(app, store_url) as at:
        approval_id = (await at.start()).pending[0].approval_id

        answers = await asyncio.gather(*(at.resolve(approval_id) for _ in range(CALLERS)))

        completion, events = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert done == ["bob"]
        assert sum(not answer.already_resolved for answer in answers) == 1
        told = kinds(events)
        assert (told.count("run_state_changed"), told.count("approval_resolved")) == (2, 1)
        assert told.count("tool_started") == 1
        assert {event.attempt for event in events} == {1, 2}
