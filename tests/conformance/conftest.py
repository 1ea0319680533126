"""The stores that the conformance suite runs over. A new adapter adds a parameter, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store


class Clock:
    """The store's clock, in seconds, moved by tests."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture(params=["memory:", "sqlite:{folder}/store.db"], ids=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    """An empty store."""
    async with open_store(str(request.param).format(folder=tmp_path), clock=clock) as opened:
        yield opened
