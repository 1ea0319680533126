"""Ctrl-C while a run is shown: the first cancels the run, the second leaves it."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from runwire.errors import CallError
from runwire.run import RunStream


@asynccontextmanager
async def interruptible(stream: RunStream) -> AsyncGenerator[None, None]:
    """Cancel the run at the first Ctrl-C in the block, and the block's task at the second."""
    loop = asyncio.get_running_loop()
    reading = asyncio.current_task()
    interrupted = asyncio.Event()

    async def watch() -> None:
        await interrupted.wait()
        interrupted.clear()
        try:
            await stream.cancel("interrupted at the command line")
        except CallError:
            interrupted.set()  # nothing to cancel there: leave
        await interrupted.wait()
        if reading is not None:
            reading.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupted.set)
    watching = asyncio.ensure_future(watch())  # noqa: TID251 -- ended below
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        watching.cancel()
        await asyncio.wait({watching})
