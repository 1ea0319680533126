"""What a caller says of its own tools and how long it waits is told to the model and to whoever asks."""

import json
from datetime import timedelta

from desk import desk
from runwire.v1 import content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from support import CALL_SECONDS, call_turn, text_turn


async def test_a_failure_of_the_callers_tool_looks_like_any_other_to_the_model(store_url: str) -> None:
    model = ScriptedModel([call_turn("look"), text_turn("a pity")])
    options = run_pb2.RunOptions()
    options.tools.client_tools.add(name="look")
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at:
        await at.start(options=options)
        failed = content_pb2.ToolResult(
            tool_call_id="call_1", content="it is dark", status=content_pb2.TOOL_STATUS_ERROR, reason="DARK"
        )

        await at.runs.SubmitToolOutputs(
            pb.SubmitToolOutputsRequest(request_id="r", outputs=[failed]), timeout=CALL_SECONDS
        )

        _, events = await at.ended()
        told = {"ok": False, "error": {"code": "DARK", "message": "it is dark", "retryable": False}}
        assert json.loads(model.requests[-1].messages[-1].content) == told
        result = next(e.tool_finished.result for e in events if e.HasField("tool_finished"))
        assert (result.status, result.reason) == (content_pb2.TOOL_STATUS_ERROR, "DARK")


async def test_a_deadline_that_ends_a_wait_is_called_a_deadline(store_url: str) -> None:
    model = ScriptedModel([call_turn("look"), text_turn("done")])
    options = run_pb2.RunOptions(detached_cancel=True, waiting_timeout=timedelta(minutes=5))
    options.tools.client_tools.add(name="look")
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at:
        request = pb.RunRequest(user_id="u", session_id="s", request_id="r", options=options)
        request.message.content = "go"
        call = at.runs.Run(request, timeout=1.0)
        await anext(aiter(call))

        completion, _ = await at.ended()

        assert (completion.outcome, completion.stop_reason) == (run_pb2.OUTCOME_TIMED_OUT, "deadline")
        assert completion.error.code == "DEADLINE"
