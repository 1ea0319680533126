"""Edge cases of the reference systems that no other test has: see docs/edge_cases.md."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from desk import SESSION, desk, refused
from plugin_support import office, texts
from runwire.v1 import content_pb2, event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.app import App, LlmAgent
from runwire_server.domain.runs import RunError
from runwire_server.models.model import RetryChunk
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.builtin import ApprovalPolicy
from servers.shared import empty_url
from support import CALL_SECONDS, call_turn, calls_turn, collect, kinds, run_request, text_turn


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What is tested here knows nothing of stores: two kinds say enough."""
    with empty_url(request.param, tmp_path) as url:
        yield url


class Worker:
    """A tool that goes on when it is told to, and its run."""

    def __init__(self) -> None:
        self.started, self.go_on = asyncio.Event(), asyncio.Event()
        self.worked = 0

    def tool(self) -> Any:
        async def work() -> str:
            """Work."""
            self.started.set()
            await self.go_on.wait()
            self.worked += 1
            return "worked"

        return work


@pytest.mark.parametrize("mode", [pb.CANCEL_MODE_AFTER_TOOLS, pb.CANCEL_MODE_AFTER_MODEL])
async def test_a_graceful_cancel_lets_tools_end_and_keeps_what_was_done(store_url: str, mode: int) -> None:
    """E67, E72: the round is whole in the history, and the next run of the session sees it."""
    worker = Worker()
    turns = [call_turn("work"), text_turn("done")]
    async with office(store_url, turns, tools=[worker.tool()]) as at:
        task = asyncio.get_running_loop().create_task(at.run())
        await worker.started.wait()
        request = pb.CancelRequest(request_id="r", mode=mode, reason="enough")
        await at.at.runs.Cancel(request, timeout=CALL_SECONDS)
        worker.go_on.set()
        events = await task
        completion = events[-1].completion
        assert (completion.outcome, completion.cancel_reason) == (run_pb2.OUTCOME_CANCELLED, "enough")
        assert kinds(events)[-3:] == ["tool_finished", "tool_results", "completion"]
        assert len(at.model.requests) == 1
        await at.run("go on", request_id="r2")
        assert at.asked() == ["go", "", "worked", "go on"]


async def test_a_graceful_cancel_is_overridden_by_an_immediate_one(store_url: str) -> None:
    """E66: escalation. Both callers hear of one run, which ends once."""
    worker = Worker()
    async with office(store_url, [call_turn("work")], tools=[worker.tool()]) as at:
        task = asyncio.get_running_loop().create_task(at.run())
        await worker.started.wait()
        for mode in (pb.CANCEL_MODE_AFTER_TOOLS, pb.CANCEL_MODE_IMMEDIATE):
            await at.at.runs.Cancel(pb.CancelRequest(request_id="r", mode=mode), timeout=CALL_SECONDS)
        events = await task
        assert events[-1].completion.outcome == run_pb2.OUTCOME_CANCELLED
        assert kinds(events).count("completion") == 1
        assert worker.worked == 0


async def test_a_filter_changes_nothing_of_what_is_stored(store_url: str) -> None:
    """EDGE-62, EDGE-64: a follower of custom events only still gets the first and the last event."""

    async def work() -> str:
        """Work."""
        return "worked"

    async with office(store_url, [call_turn("work"), text_turn("done")], tools=[work]) as at:
        stream = pb.StreamOptions(modes=["custom"])
        request = run_request("go", request_id="r", session_id="s", stream=stream)
        seen = [item.event async for item in at.at.runs.Run(request, timeout=CALL_SECONDS)]
        assert kinds(seen) == ["run_started", "completion"]
        log = await at.logged()
        assert kinds(log) == [
            "run_started",
            "message",
            "tool_started",
            "tool_finished",
            "tool_results",
            "message",
            "completion",
        ]
        assert seen[-1].sequence == len(log)
        assert await at.history() == ["go", "", "done"]


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (["user:a", "assistant:b", "user:go"], ["a", "b", "go"]),
        (["user:a"], ["a", "go"]),
        (["user:go", "assistant:b"], ["go", "b", "go"]),
        (["user:go", "system:s"], ["go", "s"]),
        ([], ["go"]),
    ],
    ids=["same_last", "another_last", "answered", "system_last", "none"],
)
async def test_a_seed_has_the_message_once(store_url: str, seed: list[str], expected: list[str]) -> None:
    """EDGE-35 to 38 and 40, over gRPC. The second run's seed and equal text: EDGE-38."""
    messages = []
    for item in seed:
        role, _, text = item.partition(":")
        value = content_pb2.Role.Value(f"ROLE_{role.upper()}")
        messages.append(content_pb2.Message(role=value, content=text))
    async with office(store_url, [text_turn("hi")]) as at:
        await at.run(messages=messages)
        assert await at.history() == [*expected, "hi"]
        await at.run(messages=messages, request_id="r2")
        assert await at.history() == [*expected, "hi", "go", "hi"]


async def test_after_an_end_everything_is_idempotent(store_url: str) -> None:
    """E32, E65, E77, D3: cancels and readers of what has ended change nothing, however often."""
    async with office(store_url, [text_turn("hi")]) as at:
        first = await at.run()
        for _ in range(20):
            await at.at.runs.Cancel(pb.CancelRequest(request_id="r"), timeout=CALL_SECONDS)
            again = await collect(at.at.runs.Attach(pb.AttachRequest(request_id="r"), timeout=CALL_SECONDS))
            assert kinds(again) == kinds(first)
        run = await at.status()
        assert run.state == run_pb2.RUN_STATE_COMPLETED
        assert run.last_sequence == first[-1].sequence


async def test_a_run_whose_model_fails_has_no_answer_of_another_run(store_url: str) -> None:
    """D21, D22, D48: FAILED, with an error event, and no stale text."""
    async with office(store_url, [text_turn("old"), ValueError("no")]) as at:
        await at.run()
        events = await at.run(request_id="r2")
        assert events[-1].completion.outcome == run_pb2.OUTCOME_FAILED
        assert kinds(events)[-2:] == ["error", "completion"]
        assert "old" not in texts(events)
        assert (await at.status("r2")).message.content == ""


async def test_both_ways_to_answer_make_the_same_log(store_url: str) -> None:
    """E3, E4, E8, D32: with and without streaming, as many model calls and the same durable events."""

    async def pieces() -> Any:
        """Yield."""
        yield "a"
        yield "b"

    logs = []
    for stream in (True, False):
        turns = [calls_turn(("pieces", "{}", "c1"), ("pieces", "{}", "c2")), text_turn("do", "ne")]
        async with office(store_url, turns, tools=[pieces]) as at:
            name = f"r{stream}"
            options = run_pb2.RunOptions(stream=stream)
            events = await at.run(request_id=name, session_id=f"s{stream}", options=options)
            logs.append(kinds(events))
            assert len(at.model.requests) == 2
            assert at.asked()[-2:] == ["ab", "ab"]
            assert texts(events) == ["", "done"]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("text", ["{json: 1}", "{{x}}", "%s %d %%", "${x} \\n"])
async def test_text_is_never_a_template(store_url: str, text: str) -> None:
    """D16: braces and percent signs reach the model as they are."""
    async with office(store_url, [text_turn("hi")]) as at:
        await at.run(text)
        assert at.asked() == [text]
        assert await at.history() == [text, "hi"]


async def test_no_two_events_have_one_id(store_url: str) -> None:
    """D41, within what one test can write."""
    async with office(store_url, [text_turn("hi")]) as at:
        ids: list[str] = []
        for number in range(20):
            await at.run(request_id=f"r{number}")
            ids += [event.id for event in await at.logged(f"r{number}")]
        assert len(ids) == len(set(ids))
        assert all(ids)


async def test_a_cancelled_call_that_was_not_accepted_leaves_no_run(store_url: str) -> None:
    """E39: nothing runs for a caller who had gone before."""
    async with office(store_url, [text_turn("hi")]) as at:
        call = at.at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await anext(aiter(call))
        assert len(at.model.requests) <= 1
        # A cancel that overtakes its call may still find a run: it has ended then, or is about to.
        try:
            request = pb.WaitRunRequest(request_id="r")
            state = (await at.at.runs.WaitRun(request, timeout=CALL_SECONDS)).run.state
        except grpc.aio.AioRpcError as error:
            state = error.code()
        assert state not in {run_pb2.RUN_STATE_RUNNING, run_pb2.RUN_STATE_QUEUED}
        assert isinstance(state, int) or state is grpc.StatusCode.NOT_FOUND


async def test_a_person_who_denies_denies_whatever_the_middleware(store_url: str) -> None:
    """D24: the denial does not pass through middleware at all, so none can choke on it."""
    wrapped: list[str] = []

    async def wrap(invocation: Any, following: Any) -> Any:
        wrapped.append(invocation.tool.spec.name)
        return {"not": "text"}

    async def send() -> str:
        """Send."""
        return "sent"

    turns = [call_turn("send"), call_turn("send"), text_turn("done")]
    plugins = [ApprovalPolicy("always")]
    async with office(store_url, turns, plugins, tools=[send], tool_middleware=[wrap]) as at:
        run = await at.at.start()
        await at.at.resolve(run.pending[0].approval_id, event_pb2.APPROVAL_DECISION_DENIED, comment="no")
        run = await at.at.waiting()
        assert wrapped == []
        await at.at.resolve(run.pending[0].approval_id)
        completion, events = await at.at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        reasons = [r.reason for e in events if e.HasField("tool_results") for r in e.tool_results.results]
        assert reasons == ["DENIED", "TOOL_FAILED"]
        assert wrapped == ["send"]


async def test_what_does_not_exist_is_not_found(store_url: str) -> None:
    """D2, D9, E45."""
    async with office(store_url, [text_turn("hi")]) as at:
        runs, sessions = at.at.runs, at.at.sessions
        calls = [
            runs.RunStatus(pb.RunStatusRequest(request_id="none")),
            runs.WaitRun(pb.WaitRunRequest(request_id="none")),
            runs.ResolveApproval(pb.ResolveApprovalRequest(request_id="none", approval_id="a", decision=1)),
            sessions.GetSession(session_pb.GetSessionRequest(key=SESSION)),
        ]
        for call in calls:
            assert (await refused(call))[0] is grpc.StatusCode.NOT_FOUND
        attach = runs.Attach(pb.AttachRequest(request_id="none"), timeout=CALL_SECONDS)
        assert (await refused(collect(attach)))[0] is grpc.StatusCode.NOT_FOUND


async def test_a_refused_duplicate_leaves_nothing_in_the_session(store_url: str) -> None:
    """EDGE-06, EDGE-09: another request under a known id is refused, and the first one is unaffected."""
    worker = Worker()
    async with office(store_url, [call_turn("work"), text_turn("done")], tools=[worker.tool()]) as at:
        task = asyncio.get_running_loop().create_task(at.run())
        await worker.started.wait()
        assert (await refused(at.run("other")))[0] is grpc.StatusCode.ALREADY_EXISTS
        worker.go_on.set()
        assert (await task)[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert await at.history() == ["go", "", "done"]
        assert (await refused(at.run("other")))[0] is grpc.StatusCode.ALREADY_EXISTS
        assert await at.history() == ["go", "", "done"]


async def test_a_model_that_says_nothing_is_no_error(store_url: str) -> None:
    """E33, E58: an empty answer ends the run, and the next one works."""
    async with office(store_url, [text_turn(), text_turn("hi")]) as at:
        events = await at.run()
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert texts(events) in ([""], [])
        assert texts(await at.run("again", request_id="r2")) == ["hi"]
        assert at.asked() == ["go", "again"]


async def test_a_cancel_ends_the_pause_before_a_retry(store_url: str) -> None:
    """E59."""
    model_error = RunError("model_error", "busy", "MODEL_UNAVAILABLE")

    class Busy(ScriptedModel):
        async def stream(self, request: Any, sink: Any) -> None:
            await sink.retry(RetryChunk(1, model_error, 3600.0))
            await asyncio.sleep(3600)

    model = Busy([text_turn("hi")])
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at_desk:
        call = at_desk.runs.Run(run_request("go", request_id="r"), timeout=CALL_SECONDS)
        events = []
        async for item in call:
            events.append(item.event)
            if item.event.HasField("model_retry"):
                await at_desk.runs.Cancel(pb.CancelRequest(request_id="r"), timeout=CALL_SECONDS)
        assert kinds(events) == ["run_started", "model_retry", "completion"]
        assert events[-1].completion.outcome == run_pb2.OUTCOME_CANCELLED
