"""Watches a process's memory while something else is waited for."""

import threading
from types import TracebackType
from typing import Self

from benchmarks.service.processes import Process

_INTERVAL_SECONDS = 1.0
_END_SECONDS = 5.0


class Watch:
    """Notes the most memory that a process has while the context lasts."""

    def __init__(self, process: Process) -> None:
        self.rss_most = 0
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(_INTERVAL_SECONDS):
            self.rss_most = max(self.rss_most, self._process.rss_bytes())

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have a last look."""
        self._over.set()
        self._thread.join(_END_SECONDS)
