"""A store that does what it was asked, or not, and whose answer is lost."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runwire_server.agents.llm import LlmAgent
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import ReplicaId
from runwire_server.domain.runs import Outcome
from runwire_server.models.scripted import ScriptedModel
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append
from support import text_turn
from unit.runner.conftest import Bench, objects


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
    assert run.state.is_terminal
    assert run.outcome in {Outcome.COMPLETED, Outcome.FAILED}
