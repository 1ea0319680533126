"""A store that does what it was asked, or not, and whose answer is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from runwire_server.agents.llm import LlmAgent
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Outcome, Run, RunState
from runwire_server.models.scripted import ScriptedModel
from runwire_server.runner.keeper import Keeper, KeeperSettings
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append, RunFilter
from support import text_turn
from unit.runner.conftest import Bench, objects

HERE = ReplicaId("here")


class UnreliableStore(MemoryStore):
    """Loses answers of appends: `plan` says for each append whether it works, is lost before or after it is done."""

    def __init__(self, plan: str) -> None:
        super().__init__()
        self.plan = iter(plan)

    async def append(self, write: Append) -> None:
        what = next(self.plan, "+")
        if what == "0":
            raise UnavailableError("gone before")
        await super().append(write)
        if what == "1":
            raise UnavailableError("gone after")


@pytest.fixture(params=["1", "0", "+1", "+0", "++1", "++0", "++0010", "1111", "+1+1"])
async def bench(request: Any) -> AsyncIterator[Bench]:
    store = UnreliableStore(request.param)
    async with Supervisor() as supervisor:
        await store.renew_lease(ReplicaId("here"), ttl_seconds=3600)
        yield Bench(store, supervisor)


async def test_the_run_ends_and_its_log_has_each_event_once(bench: Bench) -> None:
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("Hello")])))
    started = await bench.start()

    events = await bench.events(started)

    stored = await bench.store.list_run_events(started.run.key, after=0, limit=100)
    run = await bench.store.get_run(started.run.key)
    assert [event.sequence for event in stored] == list(range(1, len(stored) + 1))
    assert [e.id for e in events if not e.is_partial and not e.object.startswith("stream.")] == [
        event.id for event in stored
    ]
    assert objects(stored)[-1] == "runner.completion"
    assert objects(stored).count("runner.start") == 1
    assert run.state.is_terminal
    assert run.outcome in {Outcome.COMPLETED, Outcome.FAILED}


class Answers(MemoryStore):
    """Loses the answers of the calls that are named, the first time, or does an append later than it says."""

    def __init__(self, *lost: str, claims: bool = False) -> None:
        super().__init__()
        self.claims = claims
        self.lost = list(lost)

    def lose(self, name: str) -> None:
        if name in self.lost:
            self.lost.remove(name)
            raise UnavailableError("the answer is lost")

    async def create_run(
        self, run: Run, *, must_be_first: bool = False, claim: bool = False, opening: Append | None = None
    ) -> tuple[Run, bool]:
        made, is_new = await super().create_run(run, must_be_first=must_be_first, opening=opening)
        if opening is None and self.claims and claim and is_new:
            made = await super().claim_run(run.key, run.owner, attempt=0, now=run.create_time) or made
        self.lose("create_run")
        return made, is_new

    async def claim_run(
        self, key: Any, owner: Any, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        claimed = await super().claim_run(key, owner, attempt=attempt, now=now, in_turn=in_turn)
        self.lose("claim_run")
        return claimed

    async def append(self, write: Append) -> None:
        if "late" in self.lost:
            self.lost.remove("late")
            asyncio.get_running_loop().call_soon(self._late, write)
            raise UnavailableError("it takes too long")
        self.lose("append")
        await super().append(write)

    def _late(self, write: Append) -> None:
        coroutine = super().append(write)
        # The memory store awaits nothing that is not there.
        self.task = asyncio.ensure_future(coroutine)


async def bench_of(store: MemoryStore, supervisor: Supervisor) -> Bench:
    await store.renew_lease(HERE, ttl_seconds=3600)
    made = Bench(store, supervisor)
    made.serve(LlmAgent("agent", model=ScriptedModel([text_turn("one"), text_turn("two")])))
    return made


@pytest.mark.parametrize("lost", ["claim_run", "late", "append"])
async def test_a_run_whose_beginning_had_no_answer_ends_and_the_next_one_has_its_turn(lost: str) -> None:
    async with Supervisor() as supervisor:
        made = await bench_of(Answers(lost), supervisor)

        events = await made.run("one", request_id="r1")
        again = await made.run("two", request_id="r2")

    assert objects(events)[-1] == objects(again)[-1] == "runner.completion"
    assert objects(events).count("runner.start") == 1
    assert again[-1].payload.outcome is Outcome.COMPLETED  # type: ignore[union-attr]


@pytest.mark.parametrize("claims", [False, True])
async def test_a_run_whose_creation_had_no_answer_is_started_by_the_retry(*, claims: bool) -> None:
    async with Supervisor() as supervisor:
        made = await bench_of(Answers("create_run", claims=claims), supervisor)
        with pytest.raises(UnavailableError):
            await made.start("one", request_id="r1")

        events = await made.run("one", request_id="r1")

    assert objects(events)[-1] == "runner.completion"


@pytest.mark.parametrize("claims", [False, True])
async def test_without_a_retry_it_is_found_and_blocks_nobody(*, claims: bool) -> None:
    async with Supervisor() as supervisor:
        made = await bench_of(Answers("create_run", claims=claims), supervisor)
        with pytest.raises(UnavailableError):
            await made.start("one", request_id="r1")

        events = await made.run("two", request_id="r2")

        assert (await made.store.list_orphans(limit=9)) == []
        first = next(iter((await made.store.list_runs(RunFilter(app_name="app"), limit=9)).items[1:]))
    assert objects(events)[-1] == "runner.completion"
    assert first.state.is_terminal


async def test_an_orphan_that_could_not_be_closed_is_closed_later() -> None:
    for lost in ("append", "claim_run"):
        store = Answers(lost)
        async with Supervisor() as supervisor:
            made = await bench_of(store, supervisor)
            session = SessionKey("app", "u", "s")
            now = datetime.now(UTC)
            await store.create_session(session, {}, now)
            key = RunKey("app", "r")
            dead = Run(
                key=key,
                session=session,
                agent_name="agent",
                state=RunState.QUEUED,
                create_time=now,
                owner=ReplicaId("dead"),
            )
            await store.create_run(dead)
            settings = KeeperSettings(replica=HERE, clock=lambda: datetime.now(UTC))
            keeper = Keeper(store, made.runner, supervisor, settings)

            with pytest.raises(UnavailableError):
                await keeper.close_orphans()
            await keeper.close_orphans()

            assert (await store.get_run(key)).state is RunState.LOST
