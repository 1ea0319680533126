"""A round of tools may answer with more than fits one message of gRPC: all of it can be read all the same."""

from desk import desk
from runwire.v1 import run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from support import CALL_SECONDS, calls_turn, durable, run_request, text_turn

CALLS = 20


async def test_a_round_of_many_large_results_can_be_followed_and_listed(store_url: str) -> None:
    async def read(page: int) -> str:
        """Read a page."""
        return f"{page:03}" + "x" * 250_000

    turn = calls_turn(*(("read", f'{{"page": {n}}}', f"call_{n}") for n in range(CALLS)))
    model = ScriptedModel([turn, text_turn("done")])
    async with desk(App("test", [LlmAgent("agent", model=model, tools=[read])]), store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        followed = durable([response.event async for response in call])

        assert followed[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        results = [r for event in followed for r in event.tool_results.results]
        assert [result.content[:3] for result in results] == [f"{n:03}" for n in range(CALLS)]
        told = [message.content[:3] for message in model.requests[-1].messages[-CALLS:]]
        assert told == [f"{n:03}" for n in range(CALLS)]
        request, listed = pb.ListRunEventsRequest(request_id="r"), []
        while True:
            page = await at.runs.ListRunEvents(request, timeout=CALL_SECONDS)
            listed += page.events
            if not (token := page.next_page_token):
                break
            request.page_token = token
        assert listed == followed
        assert await at.history()
