"""A conversation: ask and wait, or send now and listen elsewhere."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import pytest
from scripted_server import Abort, Hang, ScriptedRunner, Step, Until, answer, ended, serving, started

from runwire import CallError, Client, Conversation, RunFailedError
from runwire.v1 import event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb


@asynccontextmanager
async def talking(*scripts: list[Step]) -> AsyncGenerator[tuple[Conversation, ScriptedRunner], None]:
    runner = ScriptedRunner(*scripts)
    async with asyncio.timeout(30), serving(runner) as address, Client(address, user_id="u") as client:
        yield client.conversation(), runner


def texts(events: list[event_pb2.Event]) -> list[str]:
    return [event.message.message.content for event in events if event.HasField("message")]


async def collect(events: AsyncGenerator[event_pb2.Event, None]) -> list[event_pb2.Event]:
    return [event async for event in events]


async def test_send_returns_once_the_run_has_begun_and_detaches_it() -> None:
    async with talking([started("made"), Hang()], [started("made"), Hang()]) as (conversation, runner):
        runner.sends_metadata = True
        first = await conversation.send("hi", options={"max_llm_calls": 3})
        assert conversation.session_id == "made"
        second = await conversation.send("more")

    assert [request.request_id for request in runner.runs] == [first, second]
    assert [request.session_id for request in runner.runs] == ["", "made"]
    assert [request.options.detached_cancel for request in runner.runs] == [True, True]
    assert runner.runs[0].options.max_llm_calls == 3


async def test_send_into_a_busy_session_does_not_wait_for_its_turn() -> None:
    async with talking([Hang()]) as (conversation, runner):
        runner.sends_metadata = True
        conversation.session_id = "busy"
        assert await conversation.send("hi") == runner.runs[0].request_id


async def test_two_that_are_sent_at_once_meet_in_one_session() -> None:
    async with talking([started("made"), Hang()], [started("made"), Hang()]) as (conversation, runner):
        await asyncio.gather(conversation.send("one"), conversation.send("two"))

    assert [request.session_id for request in runner.runs] == ["", "made"]


async def test_a_refused_send_is_an_error() -> None:
    async with talking([Abort(grpc.StatusCode.ABORTED, "busy")]) as (conversation, _):
        with pytest.raises(CallError, match="busy"):
            await conversation.send("hi")


async def test_chat_raises_how_the_run_ended_and_remembers_the_session() -> None:
    script: list[Step] = [started("made"), ended(2, run_pb2.OUTCOME_FAILED, "no")]
    async with talking(script) as (conversation, _):
        with pytest.raises(RunFailedError):
            await conversation.chat("hi")
        assert conversation.session_id == "made"


async def test_subscribers_get_every_event_once_until_the_conversation_is_closed() -> None:
    one: list[Step] = [started(), answer("one", 2), ended(3)]
    two: list[Step] = [started(), answer("two", 2), ended(3)]
    async with talking() as (conversation, runner):
        for name, script in (("r1", one), ("r2", two)):
            runner.of_run[name] = [script, script, script]
        seen: list[list[event_pb2.Event]] = [[], []]
        subscribers = [asyncio.create_task(keep(conversation.subscribe(), kept)) for kept in seen]
        await asyncio.sleep(0)
        await conversation.send("hi", request_id="r1")
        assert await conversation.chat("again", request_id="r2") == "two"
        late = conversation.subscribe()
        while any(len(kept) < 6 for kept in seen):
            await asyncio.sleep(0.01)
        await conversation.close()
        await asyncio.gather(*subscribers)
        assert await collect(late) == []

    for events in seen:
        assert sorted(texts(events)) == ["one", "two"]
        assert len(events) == 6


async def keep(events: AsyncGenerator[event_pb2.Event, None], kept: list[event_pb2.Event]) -> None:
    async for event in events:
        kept.append(event)  # noqa: PERF401 -- as they come


async def test_the_server_filters_by_channel() -> None:
    async with talking([started(), ended(2)], [started(), ended(2)]) as (conversation, runner):
        events = conversation.subscribe(["progress", pb.CHANNEL_CONTROL])
        await conversation.send("hi")
        assert (await anext(events)).HasField("run_started")
        await events.aclose()
        with pytest.raises(ValueError, match="CHANNEL_GOSSIP"):
            conversation.subscribe(["gossip"])

    (attached,) = runner.attaches
    assert list(attached.stream.channels) == [pb.CHANNEL_PROGRESS, pb.CHANNEL_CONTROL]


async def test_a_run_that_waits_does_not_hide_another() -> None:
    async with talking() as (conversation, runner):
        runner.of_run["slow"] = [[started()], [started(), Hang()]]
        runner.of_run["fast"] = [[started()], [started(), answer("fast", 2), ended(3)]]
        events = conversation.subscribe()
        await conversation.send("hi", request_id="slow")
        await conversation.send("hi", request_id="fast")
        seen: list[event_pb2.Event] = []
        while not texts(seen):
            seen.append(await anext(events))
        await events.aclose()
        await runner.left.wait()

    assert texts(seen) == ["fast"]


async def test_closing_ends_a_subscriber_in_the_middle_of_a_run() -> None:
    go_on = asyncio.Event()
    async with talking([started()], [started(), Until(go_on)]) as (conversation, _):
        collecting = asyncio.create_task(collect(conversation.subscribe()))
        await asyncio.sleep(0)
        await conversation.send("hi")
        await conversation.close()
        await conversation.close()
        events = await collecting
        go_on.set()

    assert len(events) <= 1


async def test_a_subscription_that_nobody_reads_is_forgotten() -> None:
    async with talking() as (conversation, _):
        conversation.subscribe()
        assert list(conversation._subscriptions) == []
