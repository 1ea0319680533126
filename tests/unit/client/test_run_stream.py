"""A run's stream as a caller of the client sees it, while the server and the network do their worst."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import pytest
from scripted_server import (
    Abort,
    Hang,
    ScriptedRunner,
    Step,
    answer,
    caught_up,
    delta,
    ended,
    question,
    reconnect,
    serving,
    started,
)

from runwire import (
    CallError,
    Client,
    RunCancelledError,
    RunEndedError,
    RunFailedError,
    RunLostError,
    RunTimedOutError,
)
from runwire.v1 import run_pb2

BROKEN = Abort(grpc.StatusCode.UNAVAILABLE)


@asynccontextmanager
async def talking(*scripts: list[Step]) -> AsyncGenerator[tuple[Client, ScriptedRunner], None]:
    runner = ScriptedRunner(*scripts)
    async with serving(runner) as address, Client(address, user_id="u") as client:
        yield client, runner


async def test_a_run_yields_its_events_and_then_its_text() -> None:
    script = [started(), delta("Hel", 0), delta("lo", 3), answer("Hello", 2), ended(3)]
    async with talking(script) as (client, runner), client.run("hi", session_id="s1") as run:
        kinds = [event.WhichOneof("payload") async for event in run]
        text = await run.text()

    assert kinds == ["run_started", "text_delta", "text_delta", "message", "completion"]
    assert text == "Hello"
    assert run.session_id == "s1"
    (request,) = runner.runs
    assert (request.user_id, request.session_id, request.message.content) == ("u", "s1", "hi")
    assert request.request_id == run.request_id != ""


async def test_what_the_user_said_is_not_the_answer() -> None:
    script = [started(), answer("first", 2), question("and now?", 3), ended(4)]
    async with talking(script, script) as (client, _):
        async with client.run("hi") as run:
            text = await run.text()
        async with client.run("hi") as run:
            pieces = [piece async for piece in run.deltas()]

    assert text == "first"
    assert pieces == ["first"]


@pytest.mark.parametrize(
    "end",
    [
        BROKEN,
        Abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        Abort(grpc.StatusCode.CANCELLED, "the proxy restarts"),
        Abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the proxy's own limit"),
        reconnect(2),
    ],
    ids=["unavailable", "reset", "cancelled", "proxy deadline", "reconnect"],
)
async def test_a_cut_stream_goes_on_where_it_was(end: Step) -> None:
    first = [started(), answer("one", 2), delta("tw", 0, after=2, message_id="m2"), end]
    second = [delta("two an", 0, after=2, message_id="m2"), caught_up(2), answer("two and", 3), ended(4)]
    async with talking(first, second) as (client, runner), client.run("hi") as run:
        durable = [event.sequence async for event in run if not event.partial]
        text = await run.text()

    assert durable == [1, 2, 3, 4]
    assert text == "two and"
    assert len(runner.runs) == 1
    assert [(attach.request_id, attach.after_sequence) for attach in runner.attaches] == [(run.request_id, 2)]


async def test_pieces_of_text_come_once_although_the_server_repeats_a_message_after_a_cut() -> None:
    first = [started(), delta("Grüß", 0), delta(" dich", 4), BROKEN]
    second = [delta("Grüß dich, 🌍", 0), reconnect(1)]
    third = [answer("Grüß dich, 🌍!", 2), answer("Bye", 3, message_id="m2"), ended(4)]
    async with talking(first, second, third) as (client, _), client.run("hi") as run:
        pieces = [piece async for piece in run.deltas()]

    assert pieces == ["Grüß", " dich", ", 🌍", "!", "Bye"]


async def test_a_run_that_may_not_have_arrived_is_sent_again_with_its_id() -> None:
    async with talking([BROKEN], [started(), answer("ok", 2), ended(3)]) as (client, runner):
        text = await client.chat("hi")

    assert text == "ok"
    assert runner.attaches == []
    first, second = runner.runs
    assert first == second


async def test_a_stream_that_ends_early_without_an_error_goes_on() -> None:
    async with talking([started()], [answer("ok", 2), ended(3)]) as (client, runner):
        text = await client.chat("hi")

    assert text == "ok"
    assert [attach.after_sequence for attach in runner.attaches] == [1]


async def test_progress_makes_the_client_patient_again() -> None:
    """Twelve cuts in all, more than it takes in a row."""
    cuts: list[list[Step]] = [[answer(str(number), number), BROKEN] for number in range(2, 14)]
    async with talking([started(), BROKEN], *cuts, [ended(14)]) as (client, runner):
        async with client.run("hi") as run:
            sequences = [event.sequence async for event in run]

    assert sequences == list(range(1, 15))
    assert len(runner.attaches) == 13


async def test_a_server_that_is_never_reached_is_an_error_soon() -> None:
    async with Client("127.0.0.1:1", user_id="u") as client:
        with pytest.raises(CallError) as refused:
            await client.chat("hi")

    assert refused.value.code is grpc.StatusCode.UNAVAILABLE


async def test_a_refused_run_is_not_tried_again() -> None:
    async with talking([Abort(grpc.StatusCode.ALREADY_EXISTS, "taken")]) as (client, runner):
        with pytest.raises(CallError, match="taken") as refused:
            await client.chat("hi", request_id="r")

    assert refused.value.code is grpc.StatusCode.ALREADY_EXISTS
    assert len(runner.runs) == 1


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (run_pb2.OUTCOME_FAILED, RunFailedError),
        (run_pb2.OUTCOME_CANCELLED, RunCancelledError),
        (run_pb2.OUTCOME_TIMED_OUT, RunTimedOutError),
        (run_pb2.OUTCOME_LOST, RunLostError),
    ],
)
async def test_another_outcome_is_an_error_with_the_completion(
    outcome: run_pb2.Outcome.ValueType, error: type[RunEndedError]
) -> None:
    script = [started(), ended(2, outcome, "what happened")]
    async with talking(script, script) as (client, _):
        async with client.run("hi") as run:
            completion = await run.result()
        with pytest.raises(error, match="what happened") as raised:
            await client.chat("hi")

    assert completion.outcome == outcome
    assert raised.value.completion == completion


async def test_leaving_early_closes_the_call() -> None:
    async with talking([started(), Hang()]) as (client, runner):
        async with client.run("hi") as run:
            await anext(aiter(run))
        async with asyncio.timeout(10):
            await runner.left.wait()

    assert runner.cancels == []


async def test_a_cancelled_reader_closes_the_call_and_stays_cancelled() -> None:
    async with talking([started(), Hang()]) as (client, runner):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), client.run("hi") as run:
                await run.result()
        async with asyncio.timeout(10):
            await runner.left.wait()


async def test_a_run_can_be_cancelled() -> None:
    script = [started(), ended(2, run_pb2.OUTCOME_CANCELLED)]
    async with talking(script) as (client, runner), client.run("hi") as run:
        await anext(aiter(run))
        changed = await run.cancel("enough")
        completion = await run.result()

    assert changed
    assert completion.outcome == run_pb2.OUTCOME_CANCELLED
    assert [(cancel.request_id, cancel.reason) for cancel in runner.cancels] == [(run.request_id, "enough")]


async def test_stream_only_events_are_shown_when_asked_for() -> None:
    script = [started(), caught_up(1), ended(2)]
    async with talking(script, script) as (client, _):
        async with client.attach("r") as run:
            kinds = [event.WhichOneof("payload") async for event in run]
        async with client.attach("r", keeps_stream_only=True) as run:
            all_kinds = [event.WhichOneof("payload") async for event in run]

    assert kinds == ["run_started", "completion"]
    assert all_kinds == ["run_started", "caught_up", "completion"]


async def test_attaching_behind_the_end_yields_nothing() -> None:
    async with talking([]) as (client, runner), client.attach("r", after_sequence=7) as run:
        events = [event async for event in run]

    assert events == []
    assert run.completion is None
    assert [attach.after_sequence for attach in runner.attaches] == [7]
