"""A model that replays fixed turns: for tests and load tests."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from runwire_server.models.model import Chunk, ModelRequest

Turn = Sequence[Chunk] | Exception


class ScriptedModel:
    """Replays its turns in order, the last one again and again. A turn that is an exception is raised.

    `pause` is awaited before each chunk. `requests` are those it got.
    """

    name = "scripted"

    def __init__(
        self, turns: Sequence[Turn], *, pause: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._turns = list(turns)
        self._pause = pause
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Chunk], None]:
        """Yield the next turn, chunk by chunk. See models.model.Model."""
        turn = self._turns[min(len(self.requests), len(self._turns) - 1)]
        self.requests.append(request)
        if isinstance(turn, Exception):
            raise turn
        for chunk in turn:
            if self._pause is not None:
                await self._pause()
            yield [chunk]
