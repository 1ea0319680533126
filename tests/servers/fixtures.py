"""What conftest.py takes over: the fixture of fresh places, and the end of the servers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from servers.shared import end_shared, fresh_url


@pytest.fixture
def fresh_store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Makes the URL of a new, empty place for a store of a kind (servers.shared.STORES): another with each call."""
    with ExitStack() as stack:

        def make(kind: str) -> str:
            folder: Path = tmp_path_factory.mktemp(kind) if kind == "sqlite" else Path()
            return stack.enter_context(fresh_url(kind, folder))

        yield make


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """End the servers."""
    end_shared()
