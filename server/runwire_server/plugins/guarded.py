"""Call hooks of other people's code, so that a bad one costs no more than itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

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

    Raises: HookFailedError for anything but `passes` and a cancellation of whoever called.
    """
    try:
        async with asyncio.timeout(seconds_max):
            return await hook(*given)
    except passes:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # it is the caller that was cancelled
        raise failed(name, RuntimeError("it cancelled itself")) from error
    except Exception as error:
        raise failed(name, error) from error
    except BaseException as error:  # noqa: BLE001 -- a guard
        # SystemExit and the like would end the server; a hook may end no more than itself.
        raise failed(name, RuntimeError(f"it raised {type(error).__name__}")) from None


def call_now(name: str, hook: Callable[..., Any], *given: Any) -> Any:
    """Call a hook that does not wait, and return what it returned. Raises: HookFailedError."""
    try:
        return hook(*given)
    except Exception as error:
        raise failed(name, error) from error
    except BaseException as error:  # noqa: BLE001 -- a guard: nothing waits here, so nobody was cancelled
        raise failed(name, RuntimeError(f"it raised {type(error).__name__}")) from None


def failed(name: str, error: Exception) -> HookFailedError:
    """Log why a hook failed, and return what its caller raises."""
    error_id = uuid4().hex[:12]
    _logger.error("hook %s failed (error %s)", name, error_id, exc_info=error)
    return HookFailedError(error_id)
