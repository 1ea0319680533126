"""Call hooks of other people's code, so that a bad one costs no more than itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from runwire_server.domain.ids import new_id

_logger = logging.getLogger(__name__)
HOOK_SECONDS_MAX = 10.0


class HookFailedError(Exception):
    """A hook raised, took too long, or returned what it must not. The log has the details under `error_id`."""

    def __init__(self, error_id: str) -> None:
        super().__init__(error_id)
        self.error_id = error_id


async def call_hook(
    name: str,
    hook: Callable[..., Awaitable[Any]],
    *given: Any,
    passes: tuple[type[BaseException], ...] = (),
    seconds_max: float = HOOK_SECONDS_MAX,
) -> Any:
    """Await a hook for a bounded time, and return what it returned.

    Whoever called is cancelled when someone wants that, even if the hook swallows it.
    Raises: HookFailedError for anything but `passes` and a cancellation of whoever called.
    """
    task = asyncio.current_task()
    cancels = _cancels(task)
    try:
        async with asyncio.timeout(seconds_max) as deadline:
            made = await hook(*given)
    except BaseException as error:
        if _is_of_caller(error, task):
            raise
        if _cancels(task) > cancels:
            raise asyncio.CancelledError from error
        if isinstance(error, passes):
            raise
        # SystemExit and its like would end the server; a hook may end no more than itself.
        raise failed(name, error) from error
    if _cancels(task) > cancels:
        raise asyncio.CancelledError
    if deadline.expired():
        raise failed(name, TimeoutError(f"took longer than {seconds_max:g} seconds"))
    return made


def call_quick_hook(hook: Callable[..., Any], *given: Any) -> Any:
    """Return what a plain function returned. Raises: Exception for whatever it raised; the caller logs it."""
    try:
        return hook(*given)
    except Exception:
        raise
    except BaseException as error:
        # Nobody cancels or ends anything in the middle of a plain function: that comes from the hook, too.
        raise RuntimeError(f"it raised {type(error).__name__}") from error


def failed(name: str, error: BaseException) -> HookFailedError:
    """Log why a hook failed, and return what its caller raises."""
    error_id = new_id()[:12]
    _logger.error("hook %s failed (error %s)", name, error_id, exc_info=error)
    return HookFailedError(error_id)


def _is_of_caller(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    match error:
        case asyncio.CancelledError():
            return _cancels(task) > 0  # else the hook raised it itself
        case GeneratorExit():
            return _running_task() is not task  # someone throws the waiting coroutine away
        case _:
            return False


def _cancels(task: asyncio.Task[Any] | None) -> int:
    return task.cancelling() if task is not None else 0


def _running_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs any more
        return None
