"""What wakes one follower of a live run."""

import asyncio
from typing import Self

from runwire_server.runner.tail import Tail


class Bell:
    """Wakes one follower, and knows when it is time for a heartbeat.

    Waiting is done for every delta, so it costs a future, and no timer: the one there is goes off again when what it
    was set for has moved.
    """

    def __init__(self, heartbeat_seconds: float) -> None:
        self._heartbeat = heartbeat_seconds
        self._loop = asyncio.get_running_loop()
        self._tail: Tail | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Whether it has rung since this was made False; also while nobody waited.
        self.is_rung = False
        self._due_time = self._loop.time() + heartbeat_seconds

    def __enter__(self) -> Self:
        self._timer = self._loop.call_at(self._due_time, self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self.listen(None)
        if self._timer is not None:
            self._timer.cancel()

    def listen(self, tail: Tail | None) -> None:
        """Be woken by that one from now on."""
        if tail is not self._tail:
            if self._tail is not None:
                self._tail.untell(self._wake)
            if tail is not None:
                tail.tell(self._wake)
            self._tail = tail

    def rang(self) -> None:
        """Say that the reader got something: the next heartbeat is a whole interval away."""
        self._due_time = self._loop.time() + self._heartbeat

    async def wait(self) -> bool:
        """Wait until there is something to look at. Return False when it is time for a heartbeat."""
        if not self.is_rung and self._due_time > self._loop.time():
            await self.ring()
        self.is_rung = False
        return self._due_time > self._loop.time()

    def ring(self) -> asyncio.Future[None]:
        """Return what is done at the next ring. For one who knows that it has not rung."""
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        self.is_rung = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _look(self) -> None:
        now = self._loop.time()
        is_due = self._due_time <= now
        if is_due:
            self._wake()
        self._timer = self._loop.call_at(now + self._heartbeat if is_due else self._due_time, self._look)
