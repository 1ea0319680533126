"""How much of the event loop's time a database may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_LONG_SECONDS = 0.05
_AVOID_FACTOR = 20


class LoopTime:
    """What is done in the loop because it is quick, and not when it turns out not to be.

    After work that took more than 50 ms, `is_short` is true for 20 times as long: whatever the disk does, at most a
    twentieth of the loop's time goes into waiting for it.
    """

    def __init__(self) -> None:
        self._short_until = 0.0

    @property
    def is_short(self) -> bool:
        """Whether work should be done elsewhere."""
        return self._short_until > time.monotonic()

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Measure the work of the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            if now - began > _LONG_SECONDS:
                self._short_until = now + (now - began) * _AVOID_FACTOR
