"""How much of the event loop's time a database may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_LONG_SECONDS = 0.01
_AVOID_FACTOR = 20


class LoopTime:
    """What is done in the loop because it is quick, and not when it turns out not to be.

    After work that took more than 10 ms, `is_scarce` is true for 20 times as long: of waits for a slow disk that are
    longer than that, the loop has at most a twentieth of its time.
    """

    def __init__(self) -> None:
        self._short_until = 0.0

    @property
    def is_scarce(self) -> bool:
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
