"""Group commit: what arrives while one batch is being written goes into the next, together.

Each caller still waits for its own item to be durable. On a store a round trip away this is 3 to 20 times cheaper
than a transaction each (notes/performance.md §3).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from runwire_server.domain.errors import UnavailableError

T = TypeVar("T")
A = TypeVar("A")
BATCH_MAX = 500
WAITING_MAX = 10_000


class GroupCommit(Generic[T, A]):
    """Batches items for `write`, one batch at a time, in order.

    `write` returns for each item its answer, or the exception that refused it; when it raises, all of the batch fail
    with that, each with an exception of its own. More than `waiting_max` items at once are refused.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[A | Exception]]],
        *,
        batch_max: int = BATCH_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._write = write
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._waiting: list[tuple[T, asyncio.Future[A]]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    async def submit(self, item: T) -> A:
        """Return the answer when the item is durable. It is written also when the caller is cancelled meanwhile.

        Raises: what `write` says of this item, UnavailableError.
        """
        if self._is_closing:
            raise UnavailableError("the store is closed")
        if len(self._waiting) >= self._waiting_max:
            raise UnavailableError(f"more than {self._waiting_max} writes are waiting")
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="group-commit")  # noqa: TID251 -- close awaits it
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._batch_max], self._waiting[self._batch_max :]
            answers: Sequence[A | Exception]
            try:
                answers = await self._write([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 -- boundary: the writer outlives any write
                answers = [_copy(error) for _ in batch]
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
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
