"""The runner: one completion whatever happens, cancels, deadlines, queues, joins."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.agents.llm import LlmAgent
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import (
    AlreadyExistsError,
    LimitExceededError,
    NotFoundError,
    OutOfRangeError,
    UnavailableError,
)
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.runs import CancelMode, CancelRequest, Outcome, RunOptions, RunState
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.streams import StreamOptions
from runwire_server.models.model import EndChunk, TextChunk
from runwire_server.models.scripted import ScriptedModel
from runwire_server.runner.mailing import Mailing
from support import call_turn, eventually, text_turn
from unit.runner.conftest import Bench, each, objects

ANSWER = Message(Role.ASSISTANT, "done")


@dataclass
class FunctionAgent:
    """An agent that is one function."""

    work: Any
    name: str = "agent"
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def describe(self) -> AgentDescription:
        return AgentDescription()

    def check(self, options: RunOptions, tools: Any) -> None:
        return None

    async def run(self, context: AgentContext) -> Message:
        return await self.work(context)


async def forever(context: AgentContext) -> Message:
    await asyncio.Event().wait()
    return ANSWER


def completion(events: list[ev.Event]) -> ev.Completion:
    assert sum(event.is_last for event in events) == 1
    payload = events[-1].payload
    assert isinstance(payload, ev.Completion)
    return payload


def numbers(events: list[ev.Event]) -> list[int]:
    return [e.sequence for e in events if not e.is_partial and not e.object.startswith("stream.")]


async def history(bench: Bench, session: str = "s") -> list[tuple[str, str]]:
    found = await bench.store.list_session_events(SessionKey("app", "u", session), EventQuery())
    return [
        (item.event.payload.message.role.value, item.event.payload.message.content)
        for item in found
        if isinstance(item.event.payload, ev.MessagePayload)
    ]


async def test_a_run_is_logged_from_start_to_completion(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("Hel", "lo")])))

    events = await bench.run()

    assert objects(events) == ["runner.start", "chat.completion", "runner.completion"]
    assert numbers(events) == [1, 2, 3]
    assert completion(events).outcome is Outcome.COMPLETED
    assert await history(bench) == [("user", "hi"), ("assistant", "Hello")]


async def test_an_answer_that_the_agent_did_not_emit_is_logged_once(bench: Bench) -> None:
    async def work(context: AgentContext) -> Message:
        return ANSWER

    bench.serve(FunctionAgent(work))

    assert objects(await bench.run()) == ["runner.start", "chat.completion", "runner.completion"]
    assert await history(bench) == [("user", "hi"), ("assistant", "done")]


async def test_an_agent_that_crashes_fails_the_run_and_keeps_its_secret(bench: Bench) -> None:
    async def work(context: AgentContext) -> Message:
        raise ValueError("s3cr3t")

    bench.serve(FunctionAgent(work))

    events = await bench.run()

    end = completion(events)
    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert "s3cr3t" not in end.error.message
    assert end.error.error_id in end.error.message
    assert objects(events)[-2:] == ["error", "runner.completion"]
    assert [role for role, _ in await history(bench)] == ["user", "assistant"]


async def test_the_session_goes_on_after_a_failure(bench: Bench) -> None:
    model = ScriptedModel([ValueError("x"), text_turn("fine")])
    bench.serve(LlmAgent("agent", model=model))
    await bench.run("first")

    assert completion(await bench.run("second")).outcome is Outcome.COMPLETED
    assert [m.role for m in model.requests[1].messages] == [Role.USER, Role.ASSISTANT, Role.USER]


@pytest.mark.parametrize("mode", list(CancelMode))
async def test_a_cancel_stops_the_run_with_its_reason(bench: Bench, mode: CancelMode) -> None:
    entered = asyncio.Event()

    async def slow() -> str:
        """Take time."""
        entered.set()
        await asyncio.sleep(0.2)
        return "ok"

    bench.serve(LlmAgent("agent", model=ScriptedModel([call_turn("slow"), text_turn("x")]), tools=[slow]))
    started = await bench.start(options={"detached_cancel": True})
    async with asyncio.timeout(5):
        await entered.wait()

    _, changed = await bench.runner.cancel(started.run.key, CancelRequest(mode, "because"))
    run = await bench.watching.wait(started.run.key, 5, until_end=True)

    assert changed
    assert run is not None
    assert run.state is RunState.CANCELLED
    events = await bench.events(started)
    assert completion(events).cancel_reason == "because"
    assert ("tool.response" in objects(events)) is (mode is not CancelMode.IMMEDIATE)


async def test_cancelling_again_changes_nothing(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("x")])))
    started = await bench.start()
    await bench.events(started)

    run, changed = await bench.runner.cancel(started.run.key, CancelRequest(CancelMode.IMMEDIATE))

    assert not changed
    assert run is not None
    assert run.state is RunState.COMPLETED


async def test_a_cancel_that_overtakes_its_run_is_honoured(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))
    key = RunKey("app", "r1")
    assert await bench.runner.cancel(key, CancelRequest(CancelMode.IMMEDIATE, "early")) == (None, True)

    events = await bench.run(request_id="r1")

    assert completion(events).outcome is Outcome.CANCELLED
    assert completion(events).cancel_reason == "early"
    assert numbers(events) == [1, 2]


async def test_an_agent_that_ignores_its_cancellation_does_not_hold_up_the_run(bench: Bench) -> None:
    release = asyncio.Event()

    async def work(context: AgentContext) -> Message:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return ANSWER

    bench.serve(FunctionAgent(work))
    started = await bench.start()
    await bench.runner.cancel(started.run.key, CancelRequest(CancelMode.IMMEDIATE))

    assert completion(await bench.events(started)).outcome is Outcome.CANCELLED
    release.set()


async def test_a_run_ends_at_the_callers_deadline(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))

    end = completion(await bench.run(deadline_seconds=0.05))

    assert (end.outcome, end.stop_reason) == (Outcome.TIMED_OUT, "deadline")


async def test_a_run_ends_at_its_own_limit_when_that_is_earlier(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))

    end = completion(await bench.run(deadline_seconds=60, options={"max_run_seconds": 0.05}))

    assert (end.outcome, end.stop_reason) == (Outcome.TIMED_OUT, "max_run_duration")


async def test_a_run_that_nobody_follows_is_cancelled_after_the_grace(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))
    started = await bench.start()
    with await bench.watching.follow(started.run.key, options=StreamOptions()) as follower:
        await follower.next()

    run = await wait_unfollowed(bench, started)

    assert (run.outcome, run.stop_reason) == (Outcome.CANCELLED, "no_follower")


async def wait_unfollowed(bench: Bench, started: Any) -> Any:
    await eventually(lambda: bench.runner.live_count == 0)
    return await bench.watching.status(started.run.key)


async def test_a_detached_run_goes_on_alone(bench: Bench) -> None:
    async def work(context: AgentContext) -> Message:
        await asyncio.sleep(0.5)
        return ANSWER

    bench.serve(FunctionAgent(work))
    started = await bench.start(options={"detached_cancel": True})

    run = await wait_unfollowed(bench, started)

    assert run.outcome is Outcome.COMPLETED


async def test_runs_of_one_session_take_turns(bench: Bench) -> None:
    at_work: list[str] = []

    async def work(context: AgentContext) -> Message:
        at_work.append(context.history[-1].content)
        assert len(at_work) == 1
        await asyncio.sleep(0.02)
        at_work.pop()
        return ANSWER

    bench.serve(FunctionAgent(work))
    first, second, third = [await bench.start(text) for text in ("1", "2", "3")]

    await asyncio.gather(*(bench.events(started) for started in (third, second, first)))

    assert [text for role, text in await history(bench) if role == "user"] == ["1", "2", "3"]
    assert [role for role, _ in await history(bench)] == ["user", "assistant"] * 3


async def test_a_queued_run_can_be_cancelled(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))
    first = await bench.start("1")
    second = await bench.start("2")

    await bench.runner.cancel(second.run.key, CancelRequest(CancelMode.IMMEDIATE))
    run = await bench.watching.wait(second.run.key, 5, until_end=True)

    assert run is not None
    assert run.state is RunState.CANCELLED
    assert numbers(await bench.events(second)) == [1, 2]
    assert (await bench.watching.status(first.run.key)).state is RunState.RUNNING


async def test_two_first_runs_on_a_new_session_are_both_recorded(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("x")])))

    one, two = await asyncio.gather(bench.start("1", session="new"), bench.start("2", session="new"))
    await asyncio.gather(bench.events(one), bench.events(two))

    assert len(await history(bench, "new")) == 4


async def test_the_same_request_joins_and_another_one_is_refused(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("x")])))
    first = await bench.start(request_id="r", fingerprint="f")

    assert (await bench.start(request_id="r", fingerprint="f")).joined
    with pytest.raises(AlreadyExistsError):
        await bench.start(request_id="r", fingerprint="other")
    await bench.events(first)


async def test_five_equal_requests_at_once_make_one_run_and_one_session(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("x")])))

    started = await asyncio.gather(
        *(bench.start(session="", request_id="r", fingerprint="f") for _ in range(5))
    )

    assert sum(not item.joined for item in started) == 1
    assert len((await bench.store.list_sessions("app", "u", limit=10)).items) == 1
    await bench.events(started[0])


async def test_a_follower_from_any_position_gets_the_rest(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([call_turn("nothing"), text_turn("x")]), tools=[]))
    started = await bench.start()
    whole = numbers(await bench.events(started))

    for after in range(len(whole)):
        assert numbers(await bench.events(started, after=after)) == whole[after:]
    assert numbers(await bench.events(started, after=len(whole))) == []
    with pytest.raises(OutOfRangeError):
        await bench.events(started, after=len(whole) + 1)


async def test_following_an_unknown_run_is_not_found(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))

    with pytest.raises(NotFoundError):
        await bench.watching.follow(RunKey("app", "nope"), options=StreamOptions())


async def test_a_late_follower_gets_the_growing_text_in_one_delta(bench: Bench) -> None:
    gate, more = asyncio.Event(), asyncio.Event()

    async def work(context: AgentContext) -> Message:
        for word in ("one ", "two ", "three"):
            context.output.partial(ev.TextDelta("m", word))
        gate.set()
        await more.wait()
        message = Message(Role.ASSISTANT, "one two three four")
        await context.output.emit(ev.MessagePayload("m", message, "stop"))
        return message

    bench.serve(FunctionAgent(work))
    started = await bench.start()
    await gate.wait()
    got: list[ev.Event] = []
    async for event in each(await bench.watching.follow(started.run.key, options=StreamOptions())):
        got.append(event)
        if event.is_partial:
            more.set()

    deltas = [event.payload for event in got if isinstance(event.payload, ev.TextDelta)]
    assert deltas[0] == ev.TextDelta("m", "one two three", 0)
    assert "".join(delta.text for delta in deltas) == "one two three four"


async def test_partials_are_not_stored(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("a", "b")])))
    started = await bench.start()
    await bench.events(started)

    stored = await bench.store.list_run_events(started.run.key, after=0, limit=100)

    assert not any(event.is_partial for event in stored)


async def test_whole_messages_only_leaves_out_deltas(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("a", "b")])))

    events = await bench.events(await bench.start(), whole_messages_only=True)

    assert not any(event.is_partial for event in events)


async def test_an_idle_stream_has_heartbeats(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))
    started = await bench.start()
    beats = 0
    options = StreamOptions(heartbeat_seconds=0.02)
    async for event in each(await bench.watching.follow(started.run.key, options=options)):
        beats += isinstance(event.payload, ev.Heartbeat)
        assert event.sequence <= 1
        if beats == 3:
            break


async def test_limits_end_the_run(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([call_turn("nothing")])))

    calls = completion(await bench.run(options={"max_llm_calls": 2}))
    rounds = completion(await bench.run(options={"max_tool_rounds": 1}))

    assert (calls.outcome, calls.stop_reason) == (Outcome.FAILED, "max_llm_calls")
    assert (rounds.outcome, rounds.stop_reason) == (Outcome.FAILED, "max_tool_rounds")


async def test_a_full_server_refuses_runs(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever), live_runs_max=1)
    await bench.start()

    with pytest.raises(LimitExceededError):
        await bench.start()


async def test_a_draining_server_refuses_runs_sends_followers_away_and_cancels_what_is_left(
    bench: Bench,
) -> None:
    bench.serve(FunctionAgent(forever))
    started = await bench.start()
    follower = asyncio.create_task(bench.events(started))
    await eventually(lambda: bench.runner.live_run(started.run.key).follower_count == 1)

    await bench.runner.drain(0.05)

    assert isinstance((await follower)[-1].payload, ev.Reconnect)
    with pytest.raises(UnavailableError):
        await bench.start()
    run = await bench.watching.status(started.run.key)
    assert (run.outcome, run.stop_reason) == (Outcome.CANCELLED, "draining")


async def test_a_draining_server_still_lets_a_call_join_its_run(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))
    started = await bench.start(request_id="r")
    draining = asyncio.create_task(bench.runner.drain(0.3))
    await eventually(lambda: bench.runner.sends_followers_away)

    joined = await bench.start(request_id="r")
    events = await bench.events(joined)
    await draining

    assert joined.joined
    assert joined.run.key == started.run.key
    assert objects(events)[-1] == "runner.completion"


async def test_no_task_is_left_after_runs(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("a")])))
    for _ in range(5):
        await bench.run()

    await eventually(lambda: bench.supervisor.task_count == 0)


async def test_a_caller_who_leaves_while_starting_leaves_no_run_behind(bench: Bench) -> None:
    bench.serve(FunctionAgent(forever))
    task = asyncio.create_task(bench.start(request_id="r"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    await eventually(lambda: bench.supervisor.task_count == 0)

    run = await bench.watching.status(RunKey("app", "r"))
    assert run.state.is_terminal


async def test_an_agent_that_does_not_ask_for_messages_is_run_again_with_them(bench: Bench) -> None:
    said = asyncio.Event()
    heard: list[str] = []

    async def work(context: AgentContext) -> Message:
        heard.append(context.history[-1].content)
        await said.wait()
        return Message(Role.ASSISTANT, f"you said {heard[-1]}")

    runner = bench.serve(FunctionAgent(work))
    started = await bench.start("one")
    await eventually(lambda: heard == ["one"])
    mailing = Mailing(bench.store, runner, lambda: datetime.now(UTC))
    await mailing.enqueue(started.run.key, Message(Role.USER, "two"))
    said.set()

    events = await bench.events(started)

    assert heard == ["one", "two"]
    assert completion(events).outcome is Outcome.COMPLETED
    assert [text for _, text in await history(bench)] == ["one", "you said one", "two", "you said two"]


async def test_length_is_a_stop_reason_of_a_completed_run(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([[TextChunk("a"), EndChunk("length")]])))

    end = completion(await bench.run())

    assert (end.outcome, end.stop_reason) == (Outcome.COMPLETED, "length")
