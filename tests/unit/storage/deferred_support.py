"""A store that fails on demand, and the runs that are written to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Outcome, Run, RunState
from runwire_server.storage.deferred import DeferredSettings, DeferredStore
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append, Store
from runwire_server.telemetry.metrics import Metrics

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN, BOB = ReplicaId("ann"), ReplicaId("bob")


class FlakyStore(MemoryStore):
    """A memory store whose appends wait for `gate`, and fail with `failures` in turn, or always while it is down.

    `end_failures` are for appends that end a run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []
        self.end_failures: list[Exception] = []
        self.is_down = False
        self.loses_answers = False
        self.is_closed = False
        self.appended: list[tuple[str, int]] = []
        self.tries = 0
        self.at_work = 0
        self.at_work_max = 0

    async def append(self, write: Append) -> None:
        """Append, if it may."""
        self.tries += 1
        self.at_work += 1
        self.at_work_max = max(self.at_work, self.at_work_max)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if self.is_down:
                raise UnavailableError("down")
            if self.failures:
                raise self.failures.pop(0)
            if self.end_failures and write.run.state.is_terminal:
                raise self.end_failures.pop(0)
            await super().append(write)
            self.appended.append((write.run.key.request_id, write.run.last_sequence))
            if self.loses_answers:
                self.loses_answers = False
                raise UnavailableError("the answer is lost")
        finally:
            self.at_work -= 1

    async def get_run(self, key: RunKey) -> Run:
        """Read, if it may."""
        if self.is_down:
            raise UnavailableError("down")
        return await super().get_run(key)

    async def close(self) -> None:
        """Remember it."""
        self.is_closed = True


class Bench:
    """A deferred store over a flaky one."""

    def __init__(self, **settings: Any) -> None:
        self.inner = FlakyStore()
        self.metrics = Metrics()
        values: dict[str, Any] = {"retry_seconds": 5.0, "wait_seconds": 0.3, **settings}
        self.store = DeferredStore(self.inner, DeferredSettings(**values), self.metrics)

    def metric(self, name: str, **labels: str) -> float:
        """What Prometheus would be told."""
        value = self.metrics.registry.get_sample_value(f"runwire_store_{name}", labels)
        assert value is not None
        return value

    async def begun(self, name: str = "r", session: str = "s") -> Run:
        """A run of that session, with its first event."""
        return await begun(self.store, name, session)

    async def stored(self, name: str = "r") -> list[int]:
        """The sequences that are durable."""
        return [event.sequence for event in self.inner._logs[RunKey("app", name)].events]


@asynccontextmanager
async def bench_with(**settings: Any) -> AsyncIterator[Bench]:
    """A bench that is closed afterwards, and leaves no task."""
    bench = Bench(**settings)
    before = asyncio.all_tasks()
    try:
        yield bench
    finally:
        bench.inner.is_down = False
        bench.inner.gate.set()
        await bench.store.close()
        assert asyncio.all_tasks() <= before


async def begun(store: Store, name: str = "r", session: str = "s", app: str = "app") -> Run:
    """A claimed run with one event."""
    key = SessionKey(app, "ann", session)
    await store.get_or_create_session(key, {}, NOW)
    values: dict[str, Any] = {"agent_name": "a", "state": RunState.QUEUED, "create_time": NOW, "owner": ANN}
    await store.create_run(Run(key=RunKey(app, name), session=key, **values))
    run = await store.claim_run(RunKey(app, name), ANN, attempt=0, now=NOW)
    assert run is not None
    return await add(store, run)


async def add(store: Store, run: Run, **fields: Any) -> Run:
    """Append one more event, a message of the session. Return the run as it is then."""
    write = next_write(run, **fields)
    await store.append(write)
    return write.run


def next_write(run: Run, **fields: Any) -> Append:
    """An append of one message."""
    event = _event(run, 1, ev.MessagePayload("m", Message(Role.ASSISTANT, str(run.last_sequence + 1))))
    following = replace(run, last_sequence=event.sequence, last_event_time=NOW)
    return Append(run=following, after=run.last_sequence, events=(event,), session_events=(event,), **fields)


def last_write(run: Run, outcome: Outcome = Outcome.COMPLETED) -> Append:
    """The append that ends the run: a message, also in the session, and the completion."""
    said = _event(run, 1, ev.MessagePayload("end", Message(Role.ASSISTANT, "end")))
    done = _event(run, 2, ev.Completion(outcome, "stop"))
    following = replace(
        run,
        last_sequence=done.sequence,
        last_event_time=NOW,
        end_time=NOW,
        state=outcome.state,
        outcome=outcome,
    )
    return Append(run=following, after=run.last_sequence, events=(said, done), session_events=(said,))


def _event(run: Run, place: int, payload: ev.DurablePayload) -> ev.Event:
    number = run.last_sequence + place
    return ev.Event(
        request_id=run.key.request_id,
        sequence=number,
        create_time=NOW,
        author="a",
        payload=payload,
        id=f"{run.key.request_id}-{run.attempt}-{type(payload).__name__}-{number}",
        attempt=run.attempt,
    )
