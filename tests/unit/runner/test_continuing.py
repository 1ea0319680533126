"""A run that waits goes on once, however many answer it at the same moment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from runwire_server.app import LlmAgent
from runwire_server.domain.ids import ReplicaId
from runwire_server.domain.mail import Answer
from runwire_server.domain.runs import CancelMode, CancelRequest, Outcome, RunState
from runwire_server.models.scripted import ScriptedModel
from runwire_server.runner.keeper import Keeper, KeeperSettings
from runwire_server.runner.mailing import Mailing
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append
from runwire_server.tools.function import function_tool
from support import call_turn, calls_turn, eventually, text_turn
from unit.runner.conftest import Bench


class SlowStore(MemoryStore):
    """Holds the first write of a run that goes on, once, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held = asyncio.Event()
        self.may_go = asyncio.Event()

    async def append(self, write: Append) -> None:
        stored = await self.get_run(write.run.key)
        if stored.state is RunState.WAITING and not self.is_held.is_set():
            self.is_held.set()
            await self.may_go.wait()
        await super().append(write)


async def test_answers_at_the_same_moment_let_a_run_go_on_once() -> None:
    done: list[str] = []
    go_on = asyncio.Event()

    async def send(to: str) -> str:
        """Send a letter."""
        done.append(to)
        await go_on.wait()
        return "sent"

    tool = function_tool(send, requires_approval=True)
    turns = [calls_turn(("send", '{"to": "a"}', "c1"), ("send", '{"to": "b"}', "c2")), text_turn("done")]
    agent = LlmAgent("agent", model=ScriptedModel(turns), tools=[tool])
    store = SlowStore()
    async with Supervisor() as supervisor:
        await store.renew_lease(ReplicaId("here"), ttl_seconds=3600)
        bench = Bench(store, supervisor)
        runner = bench.serve(agent)
        mailing = Mailing(store, runner, lambda: datetime.now(UTC))
        key = (await bench.start(options={"detached_cancel": True})).run.key
        await eventually(lambda: runner.live_count == 0)
        run = await store.get_run(key)
        assert run.state is RunState.WAITING
        first, second = run.questions

        await mailing.resolve(key, Answer(question_id=first.id))
        await store.is_held.wait()
        await mailing.resolve(key, Answer(question_id=second.id))
        await asyncio.sleep(0.01)
        store.may_go.set()
        await eventually(lambda: len(done) >= 2)
        await asyncio.sleep(0.01)
        go_on.set()

        await eventually(lambda: runner.live_count == 0)
        run = await store.get_run(key)
        assert run.state is RunState.COMPLETED
        assert sorted(done) == ["a", "b"]
        assert run.attempt == 2


@pytest.mark.parametrize(
    ("is_cancelled", "is_answered", "outcome"),
    [
        (False, False, Outcome.TIMED_OUT),
        (True, False, Outcome.CANCELLED),
        (False, True, Outcome.FAILED),
    ],
)
async def test_a_waiting_run_whose_agent_is_gone_ends(
    bench: Bench, is_cancelled: bool, is_answered: bool, outcome: Outcome
) -> None:
    async def send(to: str) -> str:
        """Send a letter."""
        return "sent"

    tool = function_tool(send, requires_approval=True)
    model = ScriptedModel([call_turn("send", '{"to": "a"}')])
    runner = bench.serve(LlmAgent("agent", model=model, tools=[tool]))
    key = (await bench.start(options={"detached_cancel": True, "waiting_seconds": 60.0})).run.key
    await eventually(lambda: runner.live_count == 0)
    (question,) = (await bench.store.get_run(key)).questions

    runner = bench.serve(LlmAgent("other", model=ScriptedModel([text_turn("hi")])))
    now = datetime.now(UTC)
    if is_cancelled:
        await runner.cancel(key, CancelRequest(CancelMode.IMMEDIATE))
    if is_answered:
        await Mailing(bench.store, runner, lambda: now).resolve(key, Answer(question_id=question.id))
    times = [now, now + timedelta(seconds=61)]
    for time in times:
        settings = KeeperSettings(replica=ReplicaId("here"), clock=lambda time=time: time)  # type: ignore[misc]
        await Keeper(bench.store, runner, bench.supervisor, settings).look_at_waiting()
        state = (await bench.store.get_run(key)).state
        assert state.is_terminal == (is_cancelled or time is times[1])

    run = await bench.store.get_run(key)
    assert run.outcome is outcome
    events = await bench.store.list_run_events(key, after=0, limit=100)
    assert sum(event.is_last for event in events) == 1
    # The session is free.
    assert (await bench.run("next", agent_name="other"))[-1].is_last
