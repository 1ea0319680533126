"""A bound on how long a server may be silent, without a timer for each read."""

import asyncio
from collections.abc import Callable


class Silence:
    """Calls `fail` with a TimeoutError when what is waited for has not come by `deadline`, in the loop's time.

    `begin` is called for every read of every stream, so it only takes a note: the one timer looks at that when it is
    due, and goes off again when the silence that it was set for is over.
    """

    def __init__(self, fail: Callable[[Exception], None], deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._fail = fail
        self._deadline = deadline
        self._seconds = 0.0
        self._timer = self._loop.call_at(deadline, self._look)

    def begin(self, seconds: float) -> None:
        """Something came: wait from now on, for that long at the most."""
        self._deadline = self._loop.time() + seconds
        if seconds != self._seconds:
            # Shorter than the one before, perhaps: its timer would come late.
            self._seconds = seconds
            self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._look)

    def close(self) -> None:
        """Wait no longer, and let go of whoever would be told: those who hold each other burden the collector."""
        self._timer.cancel()
        self._fail = _tell_nobody

    def _look(self) -> None:
        if self._deadline <= self._loop.time():
            self._fail(TimeoutError("the server is silent"))
        else:
            self._timer = self._loop.call_at(self._deadline, self._look)


def _tell_nobody(error: Exception) -> None:
    pass
