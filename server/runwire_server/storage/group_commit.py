"""Group commit: what arrives while one batch is being written goes into the next, together.

Each caller still waits for its own item to be durable. On a store a round trip away this is 3 to 20 times cheaper
than a transaction each (notes/performance.md §3).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from runwire_server.domain.errors import UnavailableError

T = TypeVar("T")
BATCH_MAX = 500
WAITING_MAX = 10_000


class GroupCommit(Generic[T]):
    """Batches items for `write`, one batch at a time, in order.

    `write` returns for each item what refused it, or None; when it raises, all of the batch fail with that, each with
    an exception of its own. More than `waiting_max` items at once are refused.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[Exception | None]]],
        *,
        batch_max: int = BATCH_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._write = write
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    async def submit(self, item: T) -> None:
        """Return when the item is durable. It is written also when the caller is cancelled meanwhile.

        Raises: what `write` says of this item, UnavailableError.
        """
        if self._is_closing:
            raise UnavailableError("the store is closed")
        if len(self._waiting) >= self._waiting_max:
            raise UnavailableError(f"more than {self._waiting_max} writes are waiting")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="group-commit")  # noqa: TID251 -- close awaits it
        await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._batch_max], self._waiting[self._batch_max :]
            refusals: Sequence[Exception | None]
            try:
                refusals = await self._write([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 -- boundary: the writer outlives any write
                refusals = [_copy(error) for _ in batch]
            for (_, future), refusal in zip(batch, refusals, strict=True):
                if future.done():
                    continue
                if refusal is None:
                    future.set_result(None)
                else:
                    future.set_exception(refusal)
        self._task = None

    async def close(self) -> None:
        """Finish what waits. Idempotent."""
        self._is_closing = True
        if self._task is not None:
            await asyncio.wait({self._task})


def _copy(error: Exception) -> Exception:
    """Return another exception like this one: one that several tasks raise would collect the tracebacks of all."""
    try:
        made = type(error)(*error.args)
    except TypeError:
        made = UnavailableError("the store cannot be used at the moment")
    made.__cause__ = error.__cause__ or error
    return made
