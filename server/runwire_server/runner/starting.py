"""Runs that are being started: they are in the store, perhaps, and not at work yet."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from runwire_server.domain.ids import RunKey


class Starting:
    """The runs that calls of this process are at just now, some of them several."""

    def __init__(self) -> None:
        self._calls: Counter[RunKey] = Counter()

    def __contains__(self, key: RunKey) -> bool:
        return key in self._calls

    @contextmanager
    def at(self, key: RunKey) -> Iterator[None]:
        """Be at it for the time of the block."""
        self._calls[key] += 1
        try:
            yield
        finally:
            self._calls[key] -= 1
            if not self._calls[key]:
                del self._calls[key]
