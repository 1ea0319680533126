"""A scripted server in a thread, for commands that bring their own event loop."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from unit.client.scripted_server import ScriptedRunner, ScriptedSessions, serving


@contextmanager
def beside(runner: ScriptedRunner, sessions: ScriptedSessions | None = None) -> Generator[str, None, None]:
    """Serve in a thread, and yield the address."""
    started, stopped = threading.Event(), asyncio.Event()
    found: list[object] = []

    async def serve() -> None:
        async with serving(runner, sessions) as address:
            found.extend([address, asyncio.get_running_loop()])
            started.set()
            await stopped.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    address, loop = found
    assert isinstance(loop, asyncio.AbstractEventLoop)
    try:
        yield str(address)
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
