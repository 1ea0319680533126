"""Ctrl-C while a run is shown: the first cancels the run, the second leaves it."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from runwire.errors import CallError
from runwire.run import RunStream
from runwire_server.cli.failures import EXIT_CANCELLED, CommandError


class LeftError(CommandError):
    """The person left the run before its end."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"left the run before its end: runwire attach {request_id}", EXIT_CANCELLED)


@asynccontextmanager
async def interruptible(
    stream: RunStream, reason: str, on_cancel: Callable[[], None] | None = None
) -> AsyncGenerator[Callable[[], None], None]:
    """Cancel the run at the first Ctrl-C in the block, and leave the block at the second.

    What it yields does as Ctrl-C does. `on_cancel` is called at each. The handler of SIGINT is none afterwards.

    Raises: LeftError.
    """
    loop = asyncio.get_running_loop()
    reading = asyncio.current_task()
    interrupted = asyncio.Event()
    has_left = False

    async def watch() -> None:
        nonlocal has_left
        await interrupted.wait()
        interrupted.clear()
        try:
            await stream.cancel(reason)
        except CallError:
            interrupted.set()  # nothing can be cancelled there: leave
        await interrupted.wait()
        if reading is not None:
            has_left = True
            reading.cancel()

    def interrupt() -> None:
        interrupted.set()
        if on_cancel is not None:
            on_cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    watching = asyncio.ensure_future(watch())  # noqa: TID251 -- ended below
    try:
        yield interrupt
    except asyncio.CancelledError:
        if has_left and reading is not None and reading.uncancel() == 0:
            raise LeftError(stream.request_id) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        watching.cancel()
        await asyncio.wait({watching})
