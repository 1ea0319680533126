"""A model that replays fixed turns: for tests and load tests."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from runwire_server.models.model import Chunk, ModelRequest, RetryChunk, Sink

# Without a pause it never waits, and must not keep the loop from everyone else.
_CHUNKS_PER_TURN = 32
Turn = Sequence[Chunk | RetryChunk] | Exception


class ScriptedModel:
    """Replays its turns in order, the last one again and again. A turn that is an exception is raised.

    `pause` is awaited before each chunk. `requests` are those it got. A turn may leave out its EndChunk, to
    be an answer that is cut. Raises: ValueError without any turns.
    """

    name = "scripted"

    def __init__(self, turns: Sequence[Turn], *, pause: Callable[[], Awaitable[None]] | None = None) -> None:
        if not turns:
            raise ValueError("a scripted model needs a turn to replay")
        self._turns = list(turns)
        self._pause = pause
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest, sink: Sink) -> None:
        """Give the next turn, chunk by chunk; all at once when it is not to be streamed."""
        turn = self._turns[min(len(self.requests), len(self._turns) - 1)]
        self.requests.append(request)
        if isinstance(turn, Exception):
            raise turn
        held: list[Chunk] = []
        for number, chunk in enumerate(turn, 1):
            if self._pause is not None:
                await self._pause()
            if isinstance(chunk, RetryChunk):
                await sink.retry(chunk)
            elif request.stream:
                sink.take([chunk])
            else:
                held.append(chunk)
            if number % _CHUNKS_PER_TURN == 0:
                await asyncio.sleep(0)
        if held:
            sink.take(held)
