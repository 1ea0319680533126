"""Runs that continue where a session stands: `resume`, half-finished rounds, cancelled runs, edit and regenerate
(R7, R25)."""

import asyncio
from typing import Any

import pytest

from desk import SESSION, Desk, desk, refused
from runwire.v1 import content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from support import (
    CALL_SECONDS,
    call_turn,
    calls_turn,
    eventually,
    kinds,
    run_request,
    scripted_app,
    text_turn,
)


def call_message(*calls: tuple[str, str]) -> content_pb2.Message:
    """An assistant's message with calls: tool and id."""
    made = [content_pb2.ToolCall(id=call_id, name=name, arguments="{}") for name, call_id in calls]
    return content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, tool_calls=made)


async def append(at: Desk, author: str = "", **payload: Any) -> None:
    request = session_pb.AppendEventRequest(key=SESSION)
    request.event.author = author
    if message := payload.get("message"):
        request.event.message.message.CopyFrom(message)
    for call_id in payload.get("results", ()):
        request.event.tool_results.results.add(
            tool_call_id=call_id, tool_name="look", content=f"old {call_id}"
        )
    await at.sessions.AppendEvent(request, timeout=CALL_SECONDS)


async def resumed(at: Desk, request_id: str = "r", **fields: Any) -> tuple[Any, list[Any]]:
    request = pb.RunRequest(request_id=request_id, resume=True, **SESSION, **fields)
    events = [item.event async for item in at.runs.Run(request, timeout=CALL_SECONDS)]
    return events[-1].completion, events


class Eyes:
    """An agent that looks, and whoever counts how often."""

    def __init__(self, *turns: Any) -> None:
        self.model = ScriptedModel(turns or [text_turn("seen")])
        self.looked: list[str] = []

    def app(self) -> App:
        async def look(at: str = "") -> str:
            """Look."""
            self.looked.append(at)
            return "new"

        agent = LlmAgent("agent", model=self.model, tools=[look])
        other = LlmAgent("other", model=self.model, tools=[look])
        return App("test", [agent, other])


@pytest.fixture
async def asked(store_url: str) -> Any:
    """A session that ends with two calls that nobody answered."""
    eyes = Eyes()
    async with desk(eyes.app(), store_url) as at:
        await at.sessions.CreateSession(session_pb.CreateSessionRequest(key=SESSION), timeout=CALL_SECONDS)
        await append(at, message=content_pb2.Message(content="look twice"))
        await append(at, author="agent", message=call_message(("look", "c1"), ("look", "c2")))
        yield eyes, at


async def test_pending_calls_are_executed_first_then_the_model_is_called(asked: Any) -> None:
    eyes, at = asked

    completion, events = await resumed(at)

    assert completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert len(eyes.looked) == 2
    assert kinds(events)[:3] == ["run_started", "tool_started", "tool_started"]
    shown = eyes.model.requests[0].messages
    assert [message.tool_call_id for message in shown if message.tool_call_id] == ["c1", "c2"]
    assert len(eyes.model.requests) == 1


async def test_only_the_missing_calls_of_a_round_are_executed(asked: Any) -> None:
    eyes, at = asked
    await append(at, author="agent", results=["c2"])

    await resumed(at)

    assert len(eyes.looked) == 1
    told = {m.tool_call_id: m.content for m in eyes.model.requests[0].messages if m.tool_call_id}
    assert told == {"c1": "new", "c2": "old c2"}


async def test_an_agent_does_not_execute_the_calls_of_another(asked: Any) -> None:
    eyes, at = asked

    completion, _ = await resumed(at, agent_name="other")

    assert completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert eyes.looked == []
    assert all("NOT_EXECUTED" in m.content for m in eyes.model.requests[0].messages if m.tool_call_id)


async def test_a_new_message_leaves_pending_calls_behind(asked: Any) -> None:
    eyes, at = asked

    call = at.runs.Run(run_request("never mind", session_id="s"), timeout=CALL_SECONDS)

    assert [item.event async for item in call][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert eyes.looked == []
    request = pb.RunRequest(resume=True, message=content_pb2.Message(content="and this"), **SESSION)
    assert "INVALID_ARGUMENT" in str((await refused(anext(aiter(at.runs.Run(request)))))[0])


@pytest.mark.parametrize("last", ["assistant", "nothing"])
async def test_there_may_be_nothing_to_resume(store_url: str, last: str) -> None:
    eyes = Eyes()
    async with desk(eyes.app(), store_url) as at:
        request = pb.RunRequest(resume=True, **SESSION)
        assert "NOT_FOUND" in str((await refused(anext(aiter(at.runs.Run(request)))))[0])
        await at.sessions.CreateSession(session_pb.CreateSessionRequest(key=SESSION), timeout=CALL_SECONDS)
        if last == "assistant":
            await append(at, message=content_pb2.Message(content="hi"))
            await append(
                at,
                author="agent",
                message=content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, content="hello"),
            )

        completion, events = await resumed(at)

        assert (completion.outcome, completion.stop_reason) == (
            run_pb2.OUTCOME_COMPLETED,
            "nothing_to_resume",
        )
        assert kinds(events) == ["run_started", "completion"]
        assert eyes.model.requests == []


async def test_a_question_without_an_answer_is_answered(store_url: str) -> None:
    eyes = Eyes()
    async with desk(eyes.app(), store_url) as at:
        await at.sessions.CreateSession(session_pb.CreateSessionRequest(key=SESSION), timeout=CALL_SECONDS)
        await append(at, message=content_pb2.Message(content="hi"))

        completion, _ = await resumed(at)

        assert (completion.outcome, completion.stop_reason) == (run_pb2.OUTCOME_COMPLETED, "stop")
        assert eyes.model.requests[0].messages[-1].content == "hi"


async def test_a_cancelled_round_keeps_what_was_done_and_is_continued(store_url: str) -> None:
    never = asyncio.Event()
    done: list[str] = []

    async def quick() -> str:
        """Answer at once."""
        done.append("quick")
        return "q"

    async def slow() -> str:
        """Take for ever, the first time."""
        done.append("slow")
        if done.count("slow") == 1:
            await never.wait()
        return "s"

    app = scripted_app(
        [calls_turn(("quick", "{}", "c1"), ("slow", "{}", "c2")), text_turn("ok")], [quick, slow]
    )
    async with desk(app, store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r0", session_id="s"), timeout=CALL_SECONDS)
        seen = []
        async for item in call:
            seen.append(item.event)
            if item.event.HasField("tool_finished") and not item.event.tool_finished.result.reason:
                await at.runs.Cancel(pb.CancelRequest(request_id="r0"), timeout=CALL_SECONDS)

        ends = [e.tool_finished for e in seen if e.HasField("tool_finished")]
        assert [(end.result.tool_call_id, end.result.reason) for end in ends] == [
            ("c1", ""),
            ("c2", "CANCELLED"),
        ]
        assert kinds(seen)[-3:] == ["tool_finished", "tool_results", "completion"]

        completion, _ = await resumed(at)

        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert sorted(done) == ["quick", "slow", "slow"]


async def test_edit_and_regenerate(store_url: str) -> None:
    eyes = Eyes(text_turn("first"), text_turn("second"))
    async with desk(eyes.app(), store_url) as at:
        for number in range(2):
            call = at.runs.Run(run_request(f"q{number}", session_id="s"), timeout=CALL_SECONDS)
            assert [item.event async for item in call][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        second_answer = (await at.history())[1].id

        request = session_pb.TruncateSessionRequest(key=SESSION, event_id=second_answer)
        assert (await at.sessions.TruncateSession(request, timeout=CALL_SECONDS)).deleted_count == 2
        call = at.runs.Run(run_request("q1, better", session_id="s"), timeout=CALL_SECONDS)
        assert [item.event async for item in call][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED

        said = [event.message.message.content for event in await at.history()]
        assert said == ["q0", "first", "q1, better", "second"]
        assert [m.content for m in eyes.model.requests[-1].messages] == ["q0", "first", "q1, better"]


async def test_a_busy_session_is_not_truncated(store_url: str) -> None:
    go_on = asyncio.Event()

    async def work() -> str:
        """Work."""
        await go_on.wait()
        return "x"

    async with desk(scripted_app([call_turn("work"), text_turn("ok")], [work]), store_url) as at:
        call = at.runs.Run(run_request("go", session_id="s"), timeout=CALL_SECONDS)
        await anext(aiter(call))
        request = session_pb.TruncateSessionRequest(key=SESSION)
        assert "ABORTED" in str((await refused(at.sessions.TruncateSession(request)))[0])
        go_on.set()
        assert [item.event async for item in call][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        await eventually(lambda: at.service.runner.live_count == 0)
        assert (await at.sessions.TruncateSession(request, timeout=CALL_SECONDS)).deleted_count == 4
        assert await at.history() == []
