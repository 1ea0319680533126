"""Own every task of this process's runs. The only place that makes tasks."""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_logger = logging.getLogger(__name__)
_CLOSE_SECONDS = 10.0


class Supervisor:
    """Use as `async with`; leaving cancels what still runs, and waits for it for a bounded time."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def task_count(self) -> int:
        """How many tasks are alive."""
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
            for task in left:
                _logger.error("task %s ignores its cancellation; left behind", task.get_name())

    def spawn(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task. Its exception belongs to whoever awaits it; one that nobody awaits is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Await work that goes on to its end even when the caller is cancelled."""
        task = self.spawn(name, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.warning("task %s failed after its caller had left", task.get_name(), exc_info=error)
