"""What a replica does beside its runs goes on, whatever fails in it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from runwire_server.domain.errors import LimitExceededError, UnavailableError
from runwire_server.domain.ids import ReplicaId
from runwire_server.runner.keeper import Keeper, KeeperSettings


class Cleaned:
    """A store whose clean_up does as it is told: counts, errors, or None to wait for ever."""

    def __init__(self, store: Any, *turns: int | Exception | None) -> None:
        self._store = store
        self._turns = list(turns)
        self.calls = 0
        self.leases = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        self.leases += 1

    async def clean_up(self, *, limit: int) -> int:
        self.calls += 1
        turn = self._turns.pop(0) if self._turns else 0
        if turn is None:
            await asyncio.Event().wait()
        if isinstance(turn, Exception):
            raise turn
        assert isinstance(turn, int)
        return turn


async def keep(bench: Any, store: Cleaned, until: Callable[[], bool]) -> None:
    settings = KeeperSettings(
        replica=ReplicaId("here"),
        clock=lambda: datetime.now(UTC),
        lease_ttl_seconds=0.03,
        cleanup_interval_seconds=0.01,
    )
    await Keeper(store, bench.runner, bench.supervisor, settings).start()  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        while not until():
            await asyncio.sleep(0.005)


@pytest.fixture
def quiet_bench(bench: Any) -> Any:
    from runwire_server.agents.llm import LlmAgent
    from runwire_server.models.scripted import ScriptedModel

    bench.serve(LlmAgent("agent", model=ScriptedModel([[]])))
    return bench


async def test_a_full_batch_is_followed_by_the_next(
    quiet_bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = Cleaned(quiet_bench.store, 100, 250, 3)

    with caplog.at_level(logging.INFO):
        await keep(quiet_bench, store, lambda: store.calls >= 4)

    assert "cleaned up 353 sessions" in caplog.text


async def test_a_failure_is_logged_and_tried_again(
    quiet_bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = Cleaned(
        quiet_bench.store, UnavailableError("down"), LimitExceededError("full"), KeyError("bug"), 0
    )

    await keep(quiet_bench, store, lambda: store.calls >= 5)

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "ERROR"]


async def test_the_lease_does_not_wait_for_the_cleaning(quiet_bench: Any) -> None:
    store = Cleaned(quiet_bench.store, None)

    await keep(quiet_bench, store, lambda: store.calls == 1 and store.leases > 5)
