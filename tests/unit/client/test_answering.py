"""What a run asks, and what the client's functions answer; steering, and answers given by hand."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from scripted_server import (
    Abort,
    Answers,
    Hang,
    ScriptedRunner,
    ScriptedSessions,
    Step,
    answer,
    asks,
    caught_up,
    ended,
    resolved,
    results,
    serving,
    started,
    wants_outputs,
)

from runwire import CallError, Client, Decision, client_tool
from runwire.v1 import content_pb2, event_pb2, run_pb2

ASKING: list[Step] = [started(), asks(2), Answers(1), resolved(3), answer("sent", 4), ended(5)]


@asynccontextmanager
async def talking(*scripts: list[Step]) -> AsyncGenerator[tuple[Client, ScriptedRunner], None]:
    runner = ScriptedRunner(*scripts)
    async with asyncio.timeout(30), serving(runner) as address, Client(address, user_id="u") as client:
        yield client, runner


def decided(runner: ScriptedRunner) -> list[tuple[str, int, str, str]]:
    return [(each.approval_id, each.decision, each.arguments, each.comment) for each in runner.resolved]


APPROVED, DENIED = event_pb2.APPROVAL_DECISION_APPROVED, event_pb2.APPROVAL_DECISION_DENIED


@pytest.mark.parametrize(
    ("decision", "sent"),
    [
        (True, ("a1", APPROVED, "", "")),
        (False, ("a1", DENIED, "", "")),
        (Decision(True, {"to": "eve"}, "ok"), ("a1", APPROVED, '{"to": "eve"}', "ok")),
        (Decision(True, '{"to":  1}'), ("a1", APPROVED, '{"to":  1}', "")),
        (Decision(False, comment="no mail"), ("a1", DENIED, "", "no mail")),
    ],
)
async def test_a_function_answers_an_approval(decision: Any, sent: tuple[Any, ...]) -> None:
    asked = []

    async def approve(question: event_pb2.ApprovalRequested) -> Any:
        asked.append((question.approval_id, question.tool_call.name, question.reason))
        return decision

    async with talking(ASKING) as (client, runner):
        text = await client.chat("hi", approve=approve)

    assert text == "sent"
    assert asked == [("a1", "send", "it is mail")]
    assert decided(runner) == [sent]


async def test_a_function_that_blocks_answers_from_a_thread() -> None:
    import threading

    threads = []

    def approve(_: event_pb2.ApprovalRequested) -> bool:
        threads.append(threading.current_thread())
        return True

    async with talking(ASKING) as (client, runner):
        await client.chat("hi", approve=approve)

    assert threads != [threading.main_thread()]
    assert len(runner.resolved) == 1


async def test_the_reader_sees_the_question_before_it_is_asked() -> None:
    seen: list[str] = []

    async def approve(_: event_pb2.ApprovalRequested) -> bool:
        seen.append("asked")
        return True

    async with talking(ASKING) as (client, _), client.run("hi", approve=approve) as run:
        async for event in run:
            seen.append(event.WhichOneof("payload") or "")  # noqa: PERF401 -- in the order of both

    assert seen == [
        "run_started", "approval_requested", "asked", "approval_resolved", "message", "completion"
    ]  # fmt: skip


async def test_none_leaves_the_question_to_somebody_else() -> None:
    script: list[Step] = [started(), asks(2), resolved(3), answer("sent", 4), ended(5)]
    async with talking(script) as (client, runner):
        assert await client.chat("hi", approve=lambda _: None) == "sent"

    assert runner.resolved == []


async def test_what_the_function_raises_goes_to_the_reader_and_the_question_stays() -> None:
    tries = iter([ValueError("no idea"), None])

    async def approve(_: event_pb2.ApprovalRequested) -> bool:
        if error := next(tries):
            raise error
        return True

    async with talking(ASKING) as (client, runner), client.run("hi", approve=approve) as run:
        with pytest.raises(ValueError, match="no idea"):
            await run.text()
        assert await run.text() == "sent"

    assert len(runner.resolved) == 1


async def test_a_question_of_the_past_is_not_asked_and_one_that_is_open_is() -> None:
    asked = []

    async def approve(question: event_pb2.ApprovalRequested) -> bool:
        asked.append(question.approval_id)
        return True

    script: list[Step] = [
        started(),
        asks(2, "old"),
        resolved(3, "old"),
        asks(4, "open"),
        caught_up(4),
        Answers(1),
        resolved(5, "open"),
        answer("sent", 6),
        ended(7),
    ]
    async with talking(script) as (client, _), client.attach("r", approve=approve) as run:
        assert await run.text() == "sent"

    assert asked == ["open"]


async def test_a_question_is_answered_once_although_the_stream_is_cut() -> None:
    asked = []

    async def approve(question: event_pb2.ApprovalRequested) -> bool:
        asked.append(question.approval_id)
        return True

    cut = Abort(grpc.StatusCode.UNAVAILABLE)
    async with talking(
        [started(), asks(2), Answers(1), cut], [caught_up(2), resolved(3), answer("sent", 4), ended(5)]
    ) as (client, runner):
        assert await client.chat("hi", approve=approve) == "sent"

    assert asked == ["a1"]
    assert len(runner.resolved) == 1


@pytest.mark.parametrize("refusal", [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND])
async def test_who_is_too_late_with_an_answer_reads_on(refusal: grpc.StatusCode) -> None:
    async with talking([started(), asks(2), answer("sent", 3), ended(4)]) as (client, runner):
        runner.refusals.append(refusal)
        assert await client.chat("hi", approve=lambda _: True) == "sent"

    assert runner.refusals == []


async def test_an_answer_is_given_again_while_the_server_is_away_and_refused_for_good() -> None:
    async with talking(ASKING, ASKING) as (client, runner):
        runner.refusals.append(grpc.StatusCode.UNAVAILABLE)
        assert await client.chat("hi", approve=lambda _: True) == "sent"
        runner.resolved.clear()
        runner.refusals.append(grpc.StatusCode.INVALID_ARGUMENT)
        with pytest.raises(CallError, match="INVALID_ARGUMENT"):
            await client.chat("hi", approve=lambda _: Decision(True, "{"))


async def test_a_reader_that_is_cancelled_while_it_asks_leaves_the_question_to_the_next() -> None:
    asking = asyncio.Event()
    asked = []

    async def approve(question: event_pb2.ApprovalRequested) -> bool:
        asked.append(question.approval_id)
        if len(asked) == 1:
            asking.set()
            await asyncio.sleep(60)
        return True

    async with talking(ASKING) as (client, runner), client.run("hi", approve=approve) as run:
        first = asyncio.create_task(run.text())
        await asking.wait()
        first.cancel()
        assert await run.text() == "sent"

    assert asked == ["a1", "a1"]
    assert len(runner.attaches) == 0


async def test_functions_execute_the_clients_tools() -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    def where(name: str = "x") -> dict[str, str]:
        return {"place": f"{name}-dorf"}

    def broken() -> str:
        raise OSError("the disk is full")

    own = content_pb2.ToolResult(content="mine", status=content_pb2.TOOL_STATUS_ERROR, reason="MINE")
    tools = {"add": add, "where": where, "broken": broken, "own": lambda: own, "text": lambda: "as it is"}
    wanted = wants_outputs(
        2,
        add='{"a": 1, "b": 2}',
        where="",
        broken="{}",
        own="{}",
        text="{}",
        somebodys="{}",
    )
    bad = wants_outputs(4, add="{", where='{"nom": 1}')
    bad.tool_outputs_requested.tool_calls[0].id = "b1"
    bad.tool_outputs_requested.tool_calls[1].id = "b2"
    script: list[Step] = [
        started(), wanted, Answers(1), results(3, add="3"), bad, Answers(2), answer("3", 5), ended(6),
    ]  # fmt: skip
    async with talking(script) as (client, runner):
        assert await client.chat("hi", tools=tools) == "3"

    first, second = ({each.tool_call_id: each for each in request.outputs} for request in runner.outputs)
    assert sorted(first) == ["add", "broken", "own", "text", "where"]
    assert first["add"].content == "3"
    assert first["add"].status == content_pb2.TOOL_STATUS_OK
    assert json.loads(first["where"].content) == {"place": "x-dorf"}
    assert first["text"].content == "as it is"
    assert (first["own"].reason, first["own"].tool_call_id) == ("MINE", "own")
    assert json.loads(first["broken"].content) == {
        "ok": False,
        "error": {"code": "TOOL_FAILED", "message": "OSError: the disk is full", "retryable": False},
    }
    assert {(each.reason, each.status) for each in second.values()} == {
        ("INVALID_ARGUMENTS", content_pb2.TOOL_STATUS_ERROR)
    }


async def test_a_clients_tool_is_declared_in_the_options() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    options = {
        "tools": {"client_tools": [client_tool("add", "Adds.", schema)], "deny": ["x"]},
        "agents": {"boss/chef": {"temperature": 0.0}},
        "on_limit": run_pb2.LIMIT_ACTION_ANSWER,
    }
    async with talking([started(), ended(2)]) as (client, runner):
        await client.chat("hi", options=options)

    (request,) = runner.runs
    (declared,) = request.options.tools.client_tools
    assert (declared.name, declared.description, declared.client_side) == ("add", "Adds.", True)
    assert json.loads(declared.parameters_schema) == schema
    assert request.options.agents["boss/chef"].HasField("temperature")
    assert request.options.on_limit == run_pb2.LIMIT_ACTION_ANSWER


async def test_a_run_can_be_resumed_or_begun_without_a_message() -> None:
    past = content_pb2.Message(role=content_pb2.ROLE_USER, content="before")
    async with talking([started(), ended(2)], [started(), ended(2)]) as (client, runner):
        async with client.run(session_id="s", resume=True) as run:
            await run.result()
        async with client.run(None, messages=[past]) as run:
            await run.result()

    resume, seeded = runner.runs
    assert resume.resume
    assert not resume.HasField("message")
    assert not seeded.resume
    assert not seeded.HasField("message")
    assert [message.content for message in seeded.messages] == ["before"]


async def test_steering_and_answers_by_hand() -> None:
    async with talking([started(), Hang()]) as (client, runner):
        made = await client.enqueue("r", "and quickly", "m7")
        assert (made.message_id, made.queue_length) == ("m7", 1)
        assert await client.cancel_queued("r") == 2
        assert (await client.approve("r", "a1", arguments={"n": 1}, decided_by="me")).run.request_id == "r"
        await client.deny("r", "a2", comment="no")
        await client.submit_outputs("r", {"c1": "text", "c2": content_pb2.ToolResult(content="own")})
        async with client.run("hi", request_id="r2") as run:
            await run.started()
            await run.enqueue(content_pb2.Message(content="more"))
            assert await run.cancel_queued("m7") == 2
            await run.approve("a3", comment="go")
            await run.deny("a4")
            await run.submit_outputs({"c3": "x"})

    assert [(each.request_id, each.message.content) for each in runner.enqueued] == [
        ("r", "and quickly"),
        ("r2", "more"),
    ]
    assert [each.message_id for each in runner.cancelled_queued] == ["", "m7"]
    assert decided(runner) == [
        ("a1", APPROVED, '{"n": 1}', ""),
        ("a2", DENIED, "", "no"),
        ("a3", APPROVED, "", "go"),
        ("a4", DENIED, "", ""),
    ]
    assert runner.resolved[0].decided_by == "me"
    by_hand, own = runner.outputs[0].outputs
    assert (by_hand.tool_call_id, by_hand.content, by_hand.status) == (
        "c1",
        "text",
        content_pb2.TOOL_STATUS_OK,
    )
    assert (own.tool_call_id, own.content) == ("c2", "own")


async def test_an_edited_conversation() -> None:
    sessions = ScriptedSessions()
    async with serving(ScriptedRunner(), sessions) as address, Client(address, user_id="u") as client:
        said = await client.send_system_message("s", "be brief")
        assert await client.truncate("s", "e5") == 3
        window = await client.event_window("s", "e5", before=2, after=1)

    assert said.event.message.message.role == content_pb2.ROLE_SYSTEM
    assert said.event.message.message.content == "be brief"
    assert said.event.id
    assert [each.position for each in window] == [4]
    _, truncated, asked = sessions.asked
    assert (truncated.key.session_id, truncated.key.user_id, truncated.event_id) == ("s", "u", "e5")
    assert (asked.event_id, asked.before, asked.after) == ("e5", 2, 1)
