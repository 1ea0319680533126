"""The stores that the conformance suite runs over. A new adapter adds a parameter, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.fronts import FRONTS, open_fronted
from runwire_server.domain.retention import Retention
from runwire_server.storage.port import Store
from servers.shared import STORES, empty_url

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OpenWith = Callable[..., Awaitable[Store]]


class Clock:
    """The store's clock, in seconds, moved by tests."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still, at NOW."""
    return Clock()


@pytest.fixture(params=[*STORES, *FRONTS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store."""
    front = f"{request.param}+" if request.param in FRONTS else ""
    with empty_url("memory" if front else request.param, tmp_path) as made:
        yield front + made


@pytest.fixture
async def open_with(url: str, clock: Clock) -> AsyncIterator[OpenWith]:
    """Opens the store with a retention of these fields."""
    async with AsyncExitStack() as stack:

        async def make(**fields: Any) -> Store:
            opening = open_fronted(url, retention=Retention(**fields), clock=clock)
            return await stack.enter_async_context(opening)

        yield make


@pytest.fixture
async def store(open_with: OpenWith) -> Store:
    """An empty store that keeps everything as by default."""
    return await open_with()
