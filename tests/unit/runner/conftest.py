"""A runner over the memory store, without transport."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from runwire_server.agents.agent import Agent
from runwire_server.domain.content import Message, Role
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId
from runwire_server.domain.runs import RunInput, RunOptions
from runwire_server.domain.streams import StreamOptions
from runwire_server.runner.catalog import Catalog, ServedApp
from runwire_server.runner.follow import Follower
from runwire_server.runner.lifecycle import Lifecycle
from runwire_server.runner.requests import StartRequest
from runwire_server.runner.runner import Runner, Started
from runwire_server.runner.settings import RunnerSettings
from runwire_server.runner.supervisor import Supervisor
from runwire_server.runner.watching import Watching
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store


class Bench:
    """A runner, its store, and shorthands for using them."""

    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self.store = store
        self.supervisor = supervisor
        self.runner: Runner
        self.watching: Watching

    def serve(self, *agents: Agent, **settings: Any) -> Runner:
        """Make the runner, with these agents in app `app`."""
        catalog = Catalog([ServedApp("app", {agent.name: agent for agent in agents}, agents[0].name)])
        values: dict[str, Any] = {"reattach_grace_seconds": 0.2, "cancel_grace_seconds": 0.2, **settings}
        self.runner = Runner(
            self.store,
            catalog,
            Lifecycle(catalog.agents),
            self.supervisor,
            RunnerSettings(replica=ReplicaId("here"), clock=lambda: datetime.now(UTC), **values),
        )
        self.watching = Watching(self.store, self.runner)
        return self.runner

    async def start(self, text: str = "hi", *, session: str = "s", **fields: Any) -> Started:
        """Start a run of user u."""
        options = RunOptions(**fields.pop("options", {}))
        run_input = RunInput(Message(Role.USER, text), options=options, **fields.pop("input", {}))
        return await self.runner.start(
            StartRequest(user_id="u", session_id=session, input=run_input, **fields)
        )

    async def events(self, started: Started, after: int = 0, **options: Any) -> list[Event]:
        """Follow the run to its end."""
        async with asyncio.timeout(10):
            follower = await self.watching.follow(
                started.run.key, after=after, options=StreamOptions(**options)
            )
            if not after:
                follower = self.watching.follow_started(started, StreamOptions(**options))
            events = [event async for event in each(follower)]
        for before, event in itertools.pairwise(events):
            is_durable = not event.is_partial and not event.object.startswith("stream.")
            assert event.sequence == before.sequence + is_durable, event
        return events

    async def run(self, text: str = "hi", **fields: Any) -> list[Event]:
        """Start a run and follow it to its end."""
        return await self.events(await self.start(text, **fields))


async def each(follower: Follower) -> AsyncGenerator[Event, None]:
    """Yield a follower's events one by one."""
    with follower:
        while events := await follower.next():
            for event in events:
                yield event


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """An empty bench."""
    async with open_store("memory:") as store, Supervisor() as supervisor:
        await store.renew_lease(ReplicaId("here"), ttl_seconds=3600)
        yield Bench(store, supervisor)


def objects(events: Sequence[Event]) -> list[str]:
    """The objects of the durable events."""
    return [e.object for e in events if not e.is_partial and not e.object.startswith("stream.")]
