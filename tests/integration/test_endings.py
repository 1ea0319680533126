"""How runs end: stopped by StopError, at a limit, with a tool's answer, with an object, with interrupted text."""

import asyncio
import json
from typing import Any

import pytest

from desk import desk, refused
from runwire.v1 import content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent, Plugin, StopError
from runwire_server.models.model import EndChunk, TextChunk
from runwire_server.models.scripted import ScriptedModel
from runwire_server.tools.function import function_tool
from support import CALL_SECONDS, call_turn, calls_turn, collect, kinds, run_request, scripted_app, text_turn

COMPLETED = run_pb2.OUTCOME_COMPLETED


async def ran(at: Any, content: str = "go", **fields: Any) -> tuple[Any, list[Any]]:
    call = at.runs.Run(run_request(content, session_id="s", **fields), timeout=CALL_SECONDS)
    events = await collect(call)
    return events[-1].completion, events


class Stopper(Plugin):
    """Stops the run in one of its hooks."""

    def __init__(self, hook: str) -> None:
        self.hook = hook

    def _stop(self, hook: str) -> None:
        if hook == self.hook:
            raise StopError("enough")

    async def before_agent(self, context: Any) -> None:
        self._stop("before_agent")

    async def after_agent(self, context: Any, answer: Any) -> None:
        self._stop("after_agent")

    async def before_model(self, context: Any, request: Any) -> None:
        self._stop("before_model")

    async def after_model(self, context: Any, answer: Any) -> None:
        self._stop("after_model")

    async def before_tool(self, context: Any, call: Any) -> None:
        self._stop("before_tool")

    async def after_tool(self, context: Any, call: Any, result: Any) -> None:
        self._stop("after_tool")

    async def on_event(self, context: Any, payload: Any) -> None:
        if type(payload).__name__ == "ToolStarted":
            self._stop("on_event")


@pytest.mark.parametrize(
    "where",
    ["tool", "middleware", "before_agent", "after_agent", "before_model", "after_model", "before_tool", "after_tool",
     "on_event"],
)  # fmt: skip
async def test_stop_error_stops_a_run_cleanly_wherever_it_is_raised(store_url: str, where: str) -> None:
    async def act() -> str:
        """Act."""
        if where == "tool":
            raise StopError("enough")
        return "acted"

    async def middleware(call: Any, following: Any) -> str:
        if where == "middleware":
            raise StopError("enough")
        return str(await following(call))

    agent = LlmAgent("agent", model=ScriptedModel([call_turn("act"), text_turn("done")]), tools=[act])
    app = App("test", [agent], plugins=[Stopper(where)], tool_middleware=[middleware])
    async with desk(app, store_url) as at:
        completion, events = await ran(at)

        assert (completion.outcome, completion.stop_reason) == (COMPLETED, "stop_error")
        assert (completion.error.type, completion.error.code) == ("stop_error", "STOPPED")
        assert completion.error.message == "enough"
        assert [e.sequence for e in events if e.HasField("completion")] == [completion.last_sequence]
        started = [e for e in events if e.HasField("tool_started")]
        assert len(started) == len([e for e in events if e.HasField("tool_finished")])


async def test_stop_error_cancels_siblings_and_keeps_what_they_had_done(store_url: str) -> None:
    quick_is_done = asyncio.Event()

    async def quick() -> str:
        """Answer at once."""
        return "q"

    async def slow() -> str:
        """Take for ever."""
        await asyncio.Event().wait()
        return "never"

    async def stop() -> str:
        """Stop."""
        await quick_is_done.wait()
        raise StopError("enough")

    turn = calls_turn(("quick", "{}", "c1"), ("slow", "{}", "c2"), ("stop", "{}", "c3"))
    async with desk(scripted_app([turn, text_turn("x")], [quick, slow, stop]), store_url) as at:
        call = at.runs.Run(run_request("go", session_id="s"), timeout=CALL_SECONDS)
        events = []
        async for item in call:
            events.append(item.event)
            if item.event.HasField("tool_finished") and item.event.tool_finished.result.tool_call_id == "c1":
                quick_is_done.set()

        assert events[-1].completion.stop_reason == "stop_error"
        ended = [e.tool_finished.result for e in events if e.HasField("tool_finished")]
        ends = {result.tool_call_id: result.reason for result in ended}
        assert ends["c1"] == ""
        assert set(ends) == {"c1", "c2", "c3"}
        results = [e.tool_results for e in await at.history() if e.HasField("tool_results")]
        assert [[r.tool_call_id for r in one.results] for one in results] == [["c1"]]


@pytest.mark.parametrize(
    ("limit", "calls"), [("max_llm_calls", 2), ("max_tool_rounds", 1), ("max_total_tokens", 1)]
)
@pytest.mark.parametrize("action", ["FAIL", "ANSWER"])
async def test_at_a_limit_a_run_fails_or_answers_once_more(
    store_url: str, limit: str, calls: int, action: str
) -> None:
    acted: list[int] = []

    async def act() -> str:
        """Act."""
        acted.append(1)
        return "acted"

    from runwire_server.domain.content import Usage

    def with_usage(turn: list[Any]) -> list[Any]:
        return [*turn[:-1], EndChunk(turn[-1].finish_reason, Usage(5, 0, 5, 0, 10))]

    class Model(ScriptedModel):
        """Calls its tool as long as it may."""

        async def stream(self, request: Any, sink: Any) -> None:
            self._turns = [with_usage(call_turn("act") if request.may_call_tools else text_turn("in short"))]
            await super().stream(request, sink)

    model = Model([text_turn("x")])
    async with desk(App("test", [LlmAgent("agent", model=model, tools=[act])]), store_url) as at:
        options = run_pb2.RunOptions(on_limit=run_pb2.LimitAction.Value(f"LIMIT_ACTION_{action}"))
        setattr(options, limit, calls)

        completion, events = await ran(at, options=options)

        assert completion.stop_reason == limit
        if action == "FAIL":
            assert (completion.outcome, completion.error.code) == (run_pb2.OUTCOME_FAILED, limit.upper())
        else:
            assert completion.outcome == COMPLETED
            last = [e.message for e in events if e.HasField("message")][-1]
            assert last.message.content == "in short"
            assert not model.requests[-1].may_call_tools
        if limit == "max_llm_calls":
            assert len(model.requests) == 2


async def test_a_tools_answer_can_be_the_runs(store_url: str) -> None:
    async def find() -> str:
        """Find."""
        return "found"

    model = ScriptedModel([call_turn("find"), text_turn("more")])
    app = App("test", [LlmAgent("agent", model=model, tools=[function_tool(find, return_direct=True)])])
    async with desk(app, store_url) as at:
        completion, _ = await ran(at, request_id="r")

        assert (completion.outcome, completion.stop_reason) == (COMPLETED, "return_direct")
        assert (completion.message.role, completion.message.content) == (content_pb2.ROLE_TOOL, "found")
        assert len(model.requests) == 1
        run = (await at.runs.RunStatus(pb.RunStatusRequest(request_id="r"))).run
        assert run.message.content == "found"
        completion, _ = await ran(at, "again")
        assert completion.stop_reason == "stop"


SCHEMA = json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


@pytest.mark.parametrize(
    ("answers", "output"),
    [
        (['{"n": 1}'], '{"n":1}'),
        (['```json\n{"n": 2}\n```'], '{"n":2}'),
        (["three", '{"n": 3}'], '{"n":3}'),
        (['{"n": "four"}', "four"], None),
    ],
)
async def test_an_answer_fits_its_schema_after_one_repair_or_fails(
    store_url: str, answers: list[str], output: str | None
) -> None:
    model = ScriptedModel([text_turn(answer) for answer in answers])
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at:
        completion, _ = await ran(at, options=run_pb2.RunOptions(output_schema=SCHEMA))

        assert len(model.requests) == len(answers)
        if output is None:
            assert (completion.outcome, completion.stop_reason) == (run_pb2.OUTCOME_FAILED, "output_invalid")
            assert completion.error.code == "OUTPUT_INVALID"
        else:
            assert completion.outcome == COMPLETED
            assert json.loads(completion.structured_output) == json.loads(output)


@pytest.mark.parametrize("schema", ["no", "[]", '{"type": "nothing"}', '{"type": 1}'])
async def test_a_schema_that_is_none_is_refused(store_url: str, schema: str) -> None:
    async with desk(scripted_app([text_turn("x")]), store_url) as at:
        options = run_pb2.RunOptions(output_schema=schema)
        code, text = await refused(anext(aiter(at.runs.Run(run_request("go", options=options)))))
        assert ("INVALID_ARGUMENT" in str(code), "options.output_schema" in text) == (True, True)


@pytest.mark.parametrize("keep", [True, False])
async def test_interrupted_text_is_kept_when_asked_for(store_url: str, keep: bool) -> None:
    async def pause() -> None:
        if len(model.requests) == 1 and said:
            await asyncio.Event().wait()
        said.append(1)

    said: list[int] = []
    model = ScriptedModel([[TextChunk("half a "), EndChunk("stop")], text_turn("go on")], pause=pause)
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at:
        options = run_pb2.RunOptions(keep_interrupted_text=keep)
        call = at.runs.Run(
            run_request("tell", request_id="r", session_id="s", options=options), timeout=CALL_SECONDS
        )
        events = []
        async for item in call:
            events.append(item.event)
            if item.event.HasField("text_delta"):
                await at.runs.Cancel(pb.CancelRequest(request_id="r"), timeout=CALL_SECONDS)

        kept = [e.message for e in events if e.HasField("message")]
        assert [(m.message.content, m.finish_reason) for m in kept] == (
            [("half a ", "cancelled")] if keep else []
        )
        assert kinds(events)[-1] == "completion"
        completion, _ = await ran(at, "go on")
        assert completion.outcome == COMPLETED
        shown = [message.content for message in model.requests[-1].messages]
        assert shown == (["tell", "half a ", "go on"] if keep else ["tell", "go on"])


async def test_repaired_arguments_are_shown_beside_what_the_model_wrote(store_url: str) -> None:
    got: list[str] = []

    async def act(what: str) -> str:
        """Act."""
        got.append(what)
        return "ok"

    raw = "{'what': 'dance',"
    async with desk(scripted_app([call_turn("act", raw), text_turn("done")], [act]), store_url) as at:
        options = run_pb2.RunOptions(tool_call_arguments_json_repair=True)
        _, events = await ran(at, options=options)

        message = next(e.message for e in events if e.HasField("message"))
        assert dict(message.raw_arguments) == {"call_1": raw}
        assert json.loads(message.message.tool_calls[0].arguments) == {"what": "dance"}
        assert got == ["dance"]


async def test_without_repair_the_model_reads_what_is_wrong(store_url: str) -> None:
    async def act(what: str) -> str:
        """Act."""
        return what

    turns = [call_turn("act", "{'what'"), call_turn("act", '{"what": 1.5, "x": 2}'), text_turn("x")]
    app = scripted_app(turns, [act])
    async with desk(app, store_url) as at:
        _, events = await ran(at)

        ends = [json.loads(e.tool_finished.result.content) for e in events if e.HasField("tool_finished")]
        assert [end["ok"] for end in ends] == [False, False]
        assert {end["error"]["code"] for end in ends} == {"INVALID_ARGUMENTS"}
        assert ends[1]["error"]["pointer"].startswith("/")
