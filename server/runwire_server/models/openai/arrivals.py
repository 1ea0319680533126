"""The bytes of an answer at the moment they arrive.

With a task that waits for each read, every token costs a future and a task that wakes up. So the connection itself
calls whoever wants the bytes.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from runwire_server.models.openai.chunks import ChunkReader
from runwire_server.models.openai.rests import Rests
from runwire_server.models.openai.silence import Silence

# How long the end of the body may come after [DONE]. When it comes, the connection can be used again.
_LINGER_SECONDS = 0.05
# What may come of a body before somebody wants it.
_EARLY_BYTES_MAX = 65_536
_HEAD_BYTES_MAX = 65_536


class _TellingProtocol(ResponseHandler):
    """A connection that gives the bodies of streamed answers to a listener at once.

    aiohttp does everything but that: it connects, sends, reads heads, and what is not a plain chunk of a 200 answer.
    Its own reader costs 3 µs a chunk in bursts, and a tenth of a paced token (measured).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, rests: Rests) -> None:
        super().__init__(loop)
        self._rests = rests
        self._rest: asyncio.TimerHandle | None = None
        self._listener: Arrivals | None = None
        # The head of the answer that is to come; None: it has come.
        self._head: bytes | None = None
        self._chunks: ChunkReader | None = None
        self._early: list[bytes] = []
        self._early_bytes = 0

    def set_response_params(self, *args: Any, **options: Any) -> None:
        super().set_response_params(*args, **options)
        self._head, self._chunks, self._early, self._early_bytes = b"", None, [], 0

    def listen(self, listener: "Arrivals") -> None:
        """Give it all that comes, and what came before."""
        self._listener = listener
        early, self._early = b"".join(self._early), []
        if len(early) > _EARLY_BYTES_MAX:
            self.resume_reading()
        if self._chunks is not None and early:
            self._take(self._chunks, early)

    def leave(self) -> None:
        """Forget the listener."""
        self._listener = None
        if self._rest is not None:
            self._rest.cancel()
            self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._chunks is not None:
            self._take(self._chunks, data)
        elif self._head is not None:
            self._take_head(self._head + data)
        else:
            self._pass_on(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._listener is not None:
            self._listener.lose()

    def _take_head(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 and len(data) < _HEAD_BYTES_MAX:
            self._head = data
            return
        self._head = None
        if not _is_streamed(data[:end]):
            self._pass_on(data)
            return
        self._pass_on(data[:end])
        self._chunks = ChunkReader()
        if len(data) > end:
            self._take(self._chunks, data[end:])

    def _take(self, chunks: ChunkReader, data: bytes) -> None:
        if self._listener is None:
            # The end, too: with it aiohttp would take the answer for read.
            self._early.append(data)
            self._early_bytes += len(data)
            if self._early_bytes > _EARLY_BYTES_MAX:
                self.pause_reading()
            return
        content, rest = chunks.feed(data)
        if content:
            self._listener.take(content)
            if (seconds := self._rests.read()) and not rest and not self._listener.is_through:
                self._pause(seconds)
        if rest:
            # aiohttp has seen no chunk at all, so it takes this for the next one.
            self._chunks = None
            self._pass_on(rest)

    def _pause(self, seconds: float) -> None:
        transport = self.transport
        if self._rest is None and transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._rest = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.resume_reading()

    def _pass_on(self, data: bytes) -> None:
        super().data_received(data)
        if self._listener is not None:
            self._listener.look()


def _is_streamed(head: bytes) -> bool:
    """Whether plain chunks may follow."""
    fields = head.lower()
    return (
        head.startswith(b"HTTP/1.1 200")
        and b"\r\ntransfer-encoding: chunked\r\n" in fields
        and b"\r\ncontent-encoding:" not in fields
    )


class TellingConnector(aiohttp.TCPConnector):
    """Makes such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_TellingProtocol, loop=self._loop, rests=Rests())  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose head has come. `protocol` is the connection that brings the rest; None: all is here.

    `close` cuts a connection that has not brought everything; one that has is used again.
    """

    status: int
    headers: Mapping[str, str]
    content: aiohttp.StreamReader
    protocol: ResponseHandler | None
    close: Callable[[], None]


class Arrivals:
    """Gives the body of an answer to `take` as it arrives, until `take` returns True. See Endpoint.read."""

    def __init__(
        self,
        answer: Answer,
        take: Callable[[bytes], bool],
        *,
        deadline: float,
        idle_seconds: float,
    ) -> None:
        self._content = answer.content
        protocol = answer.protocol
        self._protocol = protocol if isinstance(protocol, _TellingProtocol) else None
        self._take = take
        self._idle_seconds = idle_seconds
        # Whether `take` has had enough.
        self.is_through = False
        self._is_looking = False
        self._has_more = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._silence = Silence(self._fail, deadline)

    async def whole(self) -> None:
        """Wait until the body has ended, or `take` has had enough.

        Raises: what `take` raises; TimeoutError for a server that is silent for too long; what aiohttp does.
        """
        try:
            if self._protocol is not None:
                self._protocol.listen(self)
            self.look()
            await self._ended
            if not self._content.is_eof():
                await self._linger()
        finally:
            self._silence.close()
            if self._protocol is not None:
                self._protocol.leave()
            if self._ended.done() and not self._ended.cancelled():
                # Who was cancelled just then does not hear of it, which asyncio would complain of.
                self._ended.exception()

    def take(self, data: bytes) -> None:
        """Take bytes of the body, from the connection."""
        if self.is_through or self._ended.done():
            return
        self._silence.begin(self._idle_seconds)
        try:
            self.is_through = self._take(data)
        except Exception as failure:  # noqa: BLE001 -- it belongs to the task that waits, not to the connection
            self._fail(failure)
        if self.is_through and not self._ended.done():
            self._ended.set_result(None)

    def look(self) -> None:
        """Look what aiohttp has: bytes of the body, its end, or an error."""
        self._has_more = True
        if self._is_looking:
            return  # taking bytes lets the connection go on, which may bring more of them at once
        self._is_looking = True
        content = self._content
        try:
            while self._has_more:
                self._has_more = False
                if data := content.read_nowait():
                    self.take(data)
            if content.is_eof() and not self._ended.done():
                self._ended.set_result(None)
        except Exception as failure:  # noqa: BLE001 -- see take
            self._fail(failure)
        finally:
            self._is_looking = False

    def lose(self) -> None:
        """Hear that the connection is lost."""
        self.look()
        # One that was closed at this end brings no error.
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
