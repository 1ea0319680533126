"""The bytes of an answer at the moment they arrive.

With a task that waits for each read, every token costs a future and a task that wakes up. So the connection itself
calls whoever wants the bytes.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from runwire_server.models.openai.silence import Silence

# How long the end of the body may come after [DONE]. When it comes, the connection can be used again.
_LINGER_SECONDS = 0.05


class _TellingHandler(ResponseHandler):
    """A connection that says when something has come, or it was lost."""

    on_news: Callable[[], None] | None = None
    on_lost: Callable[[], None] | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.on_news is not None:
            self.on_news()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()


class TellingConnector(aiohttp.TCPConnector):
    """Makes such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_TellingHandler, loop=self._loop)  # type: ignore[assignment]


class Arrivals:
    """Gives the body of an answer to `take` as it arrives, until `take` returns True. See Endpoint.read."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        take: Callable[[bytes], bool],
        *,
        deadline: float,
        idle_seconds: float,
    ) -> None:
        self._content = response.content
        # An answer that is all here has no connection any more.
        connection = response.connection
        protocol = connection.protocol if connection is not None else None
        self._handler = protocol if isinstance(protocol, _TellingHandler) else None
        self._take = take
        self._idle_seconds = idle_seconds
        self._is_through = False
        self._is_looking = False
        self._has_more = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._silence = Silence(self._fail, deadline)

    async def whole(self) -> None:
        """Wait until the body has ended, or `take` has had enough.

        Raises: what `take` raises; TimeoutError for a server that is silent for too long; what aiohttp does.
        """
        if self._handler is not None:
            self._handler.on_news, self._handler.on_lost = self._look, self._lose
        try:
            self._look()
            await self._ended
            if not self._content.is_eof():
                await self._linger()
        finally:
            self._silence.close()
            if self._handler is not None:
                self._handler.on_news = self._handler.on_lost = None

    def _look(self) -> None:
        self._has_more = True
        if self._is_looking:
            return  # taking bytes lets the connection go on, which may bring more of them at once
        self._is_looking = True
        content = self._content
        try:
            while self._has_more:
                self._has_more = False
                data = content.read_nowait()
                if data and not self._is_through and not self._ended.done():
                    self._silence.begin(self._idle_seconds)
                    self._is_through = self._take(data)
            if (self._is_through or content.is_eof()) and not self._ended.done():
                self._ended.set_result(None)
        except Exception as failure:  # noqa: BLE001 -- it belongs to the task that waits, not to the connection
            self._fail(failure)
        finally:
            self._is_looking = False

    def _lose(self) -> None:
        self._look()
        # A connection that was closed at this end brings no error.
        self._fail(aiohttp.ClientConnectionError("the connection was closed"))

    def _fail(self, error: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    async def _linger(self) -> None:
        """Wait for the end of the body, so that the connection can be used again, unless the server keeps it open."""
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._content.wait_eof()
        except (TimeoutError, aiohttp.ClientError, RuntimeError):
            return
