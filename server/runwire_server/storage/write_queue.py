"""A bounded queue of appends, and the one worker that writes them: each session's in order, many sessions at once."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from itertools import islice

from runwire_server.domain.errors import NoRoomError
from runwire_server.domain.ids import SessionKey
from runwire_server.storage.port import Append

# So many sessions are written at once, so that the store can commit them together.
ROUND_MAX = 100


class QueuedWrite:
    """An append that was accepted. `done` is resolved when it is written or given up; it never has an exception."""

    __slots__ = ("accepted_at", "done", "write")

    def __init__(self, write: Append) -> None:
        self.write = write
        self.accepted_at = time.monotonic()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class WriteQueue:
    """What `settle` is given was accepted in this order, session by session. `settle` never raises.

    `depth` and `oldest_at` (time.monotonic) may be read from any thread.
    """

    def __init__(
        self, name: str, settle: Callable[[QueuedWrite], Awaitable[None]], *, depth_max: int
    ) -> None:
        self.name = name
        self.depth = 0
        self.oldest_at: float | None = None
        self._settle = settle
        self._depth_max = depth_max
        self._room = asyncio.Semaphore(depth_max)
        self._lanes: dict[SessionKey, deque[QueuedWrite]] = {}
        self._unsettled: OrderedDict[QueuedWrite, None] = OrderedDict()
        self._news = asyncio.Event()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None

    async def reserve(self, timeout_seconds: float) -> None:
        """Wait for room for one write: `add` or `give_back` follows. Raises: NoRoomError."""
        if not self._room.locked():
            await self._room.acquire()  # at once
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._room.acquire()
        except TimeoutError:
            raise NoRoomError(
                f"the store is behind: {self._depth_max} writes wait, and none was written in time"
            ) from None

    def give_back(self) -> None:
        """Undo `reserve`."""
        self._room.release()

    def add(self, item: QueuedWrite) -> None:
        """Queue a write for which there is room."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"write-queue-{self.name}")  # noqa: TID251 -- close awaits it
        self._lanes.setdefault(item.write.run.session, deque()).append(item)
        self._unsettled[item] = None
        self._measure()
        self._news.set()

    async def _work(self) -> None:
        while self._lanes or not self._is_closing:
            if not self._lanes:
                self._news.clear()
                await self._news.wait()
                continue
            batch = self._next_round()
            if len(batch) == 1:
                await self._finish(batch[0])
            else:
                await asyncio.gather(*map(self._finish, batch))

    def _next_round(self) -> list[QueuedWrite]:
        """Take the first write of each session. A session that has more goes to the end of the line."""
        batch = []
        for key in list(islice(self._lanes, ROUND_MAX)):
            lane = self._lanes.pop(key)
            batch.append(lane.popleft())
            if lane:
                self._lanes[key] = lane
        return batch

    async def _finish(self, item: QueuedWrite) -> None:
        await self._settle(item)
        self._forget(item)

    def _forget(self, item: QueuedWrite) -> None:
        del self._unsettled[item]
        self._measure()
        self._room.release()
        item.done.set_result(None)

    def _measure(self) -> None:
        self.depth = len(self._unsettled)
        first = next(iter(self._unsettled), None)
        self.oldest_at = None if first is None else first.accepted_at

    def unsettled(self) -> list[QueuedWrite]:
        """Return what is not settled, oldest first."""
        return list(self._unsettled)

    async def close(self) -> list[QueuedWrite]:
        """Stop working now. Return what was left unwritten, or may be."""
        self._is_closing = True
        self._news.set()
        if self._task is not None:
            if self._unsettled:
                self._task.cancel()
            await asyncio.wait({self._task})
        left = self.unsettled()
        self._lanes.clear()
        for item in left:
            self._forget(item)
        return left
