"""A run that ends while something of it is being written: its caller was cancelled, the write goes on."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from runwire_server.domain import events as ev
from runwire_server.domain.content import ToolCall
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Outcome, Run, RunState
from runwire_server.runner.ending import Ending
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import LiveRun
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class SlowStore(MemoryStore):
    """Takes a while for each append."""

    async def append(self, write: Append) -> None:
        await asyncio.sleep(0.01)
        await super().append(write)


@pytest.mark.parametrize("rounds_of_the_loop", range(12))
async def test_a_call_that_just_began_is_said_to_be_cancelled(rounds_of_the_loop: int) -> None:
    store = SlowStore()
    session = SessionKey("app", "u", "s")
    await store.create_session(session, {}, NOW)
    run = Run(
        key=RunKey("app", "r"),
        session=session,
        agent_name="agent",
        state=RunState.RUNNING,
        create_time=NOW,
        attempt=1,
        owner=ReplicaId("here"),
    )
    run, _ = await store.create_run(run)
    live = LiveRun(run, reattach_grace_seconds=60)
    async with Supervisor() as supervisor, asyncio.TaskGroup() as group:
        journal = Journal(store, live, supervisor, lambda: NOW)
        began: list[Any] = [
            journal.draft(ev.ToolStarted(ToolCall(f"c{n}", "look", "{}"), n)) for n in range(3)
        ]
        tasks = [group.create_task(journal.write([draft])) for draft in began]
        for _ in range(rounds_of_the_loop):
            await asyncio.sleep(0)
        if rounds_of_the_loop > 6:
            await asyncio.sleep(0.01 * (rounds_of_the_loop - 6) / 2)
        for task in tasks:
            task.cancel()
        await Ending(Outcome.CANCELLED, "no_follower").write(journal)
    live.close()

    events = await store.list_run_events(run.key, after=0, limit=100)
    started = {e.payload.index for e in events if isinstance(e.payload, ev.ToolStarted)}
    ended = {e.payload.index for e in events if isinstance(e.payload, ev.ToolFinished)}
    assert started == ended
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].is_last
