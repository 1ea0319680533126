"""A bound on how long a server may be silent, without a timer for each read."""

import asyncio
from collections.abc import Callable
from typing import Self


class Silence:
    """Calls `fail` with a TimeoutError when what is waited for has not come by `deadline`, in the loop's time.

    `end` and `begin` are called for every read of every stream, so they only take notes: the one timer looks at
    these when it is due, and goes off again when the silence that it was set for is over.
    """

    def __init__(self, fail: Callable[[Exception], None], deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._fail = fail
        self._deadline: float | None = deadline
        self._seconds = max(deadline - self._loop.time(), 0.01)
        self._timer = self._loop.call_at(deadline, self._look)

    def begin(self, seconds: float) -> None:
        """Wait from now on, for that long at the most."""
        self._deadline = self._loop.time() + seconds
        if seconds != self._seconds:
            # Shorter than the one before, perhaps: its timer would come late.
            self._seconds = seconds
            self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._look)

    def end(self) -> None:
        """Stop waiting."""
        self._deadline = None

    def _look(self) -> None:
        now = self._loop.time()
        if self._deadline is not None and self._deadline <= now:
            self._fail(TimeoutError("the server is silent"))
        else:
            # While nobody waits, the next silence lasts for its whole time at least.
            self._timer = self._loop.call_at(self._deadline or now + self._seconds, self._look)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
