"""A model behind the chat-completions API: streams, and retries before the first token."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from runwire_server.domain.errors import ModelError
from runwire_server.domain.runs import RunError
from runwire_server.models.model import Chunk, ModelRequest, RetryChunk, Sink
from runwire_server.models.openai.answer import AnswerReader
from runwire_server.models.openai.body import BodyReader
from runwire_server.models.openai.endpoint import Endpoint, Timeouts
from runwire_server.models.openai.errors import RefusedError
from runwire_server.models.openai.plain import plain_read
from runwire_server.models.openai.wire import request_body

_BACKOFF_SECONDS_FIRST = 0.5
_BACKOFF_SECONDS_MAX = 8.0
# A server that wants a longer pause gets no second try: a run should not hang on it.
RETRY_AFTER_SECONDS_MAX = 30.0
# From here on a read is worth taking apart.
_BURST_BYTES = 2048


class OpenAIModel:
    """A model of an OpenAI-compatible server. Nothing is imported or opened before the first use or
    `warm_up`.

    `idle_timeout_seconds` bounds each silence of the server; `first_byte_timeout_seconds` the first one, the
    same if it is None; `whole_timeout_seconds` the one before an answer that is not streamed. `retries_max`
    tries follow a failed one, after a pause of `sleep`; `jitter` returns 0 to 1.

    Raises: ValueError for a base URL or a key that no request could be made with.
    """

    def __init__(  # noqa: PLR0913 -- settings, all given by name
        self,
        name: str,
        *,
        api_key: str,
        base_url: str | None = None,
        connect_timeout_seconds: float = 10.0,
        first_byte_timeout_seconds: float | None = None,
        idle_timeout_seconds: float = 60.0,
        whole_timeout_seconds: float = 600.0,
        retries_max: int = 2,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._api_key = api_key
        self._endpoint = Endpoint(api_key=api_key, base_url=base_url, connect_seconds=connect_timeout_seconds)
        self._streamed = Timeouts(
            first_byte_seconds=first_byte_timeout_seconds or idle_timeout_seconds,
            idle_seconds=idle_timeout_seconds,
        )
        self._whole = Timeouts(
            first_byte_seconds=max(whole_timeout_seconds, self._streamed.first_byte_seconds),
            idle_seconds=idle_timeout_seconds,
        )
        host = urlsplit(self._endpoint.base_url).hostname or ""
        self._max_tokens_field = "max_completion_tokens" if host == "api.openai.com" else "max_tokens"
        self._retries_max = retries_max
        self._sleep = sleep
        self._jitter = jitter

    @property
    def name(self) -> str:
        """How the provider calls the model."""
        return self._name

    async def warm_up(self) -> None:
        """Import and make what the first request needs, in a thread. Sends nothing. Optional; idempotent."""
        await self._endpoint.open()

    async def aclose(self) -> None:
        """Close all connections. Answers under way fail. Idempotent."""
        await self._endpoint.aclose()

    async def stream(self, request: ModelRequest, sink: Sink) -> None:
        """Give the answer to the sink. See models.model.Model, whose codes MODEL_OUTPUT_TOO_LARGE joins: over 2 Mi
        characters.

        A retryable failure before the first token is tried again; the sink hears of each further try first.
        """
        body = request_body(self._name, request, max_tokens_field=self._max_tokens_field)
        failed = 0
        while True:
            answer = _Answer(sink, AnswerReader(secret=self._api_key), is_whole=not request.stream)
            try:
                await self._endpoint.read(
                    body, self._streamed if request.stream else self._whole, answer.take
                )
                answer.end()
            except ModelError as error:
                failed += 1
                delay = self._delay_seconds(failed, error)
                if answer.is_shown or not error.retryable or failed > self._retries_max or delay is None:
                    raise
                shown = RunError(error.type, str(error), error.code, retryable=True)
            else:
                return
            await sink.retry(RetryChunk(failed, shown, delay))
            await self._sleep(delay)

    def _delay_seconds(self, failed: int, error: ModelError) -> float | None:
        """Return how long to wait before the next try; None when the server wants too long a pause."""
        backoff = min(_BACKOFF_SECONDS_FIRST * 2.0 ** (failed - 1), _BACKOFF_SECONDS_MAX)
        backoff *= 1 + self._jitter() / 2
        if not isinstance(error, RefusedError):
            return backoff
        wanted = error.retry_after_seconds
        return max(backoff, wanted) if wanted <= RETRY_AFTER_SECONDS_MAX else None


class _Answer:
    """From the bytes of one answer to the sink; all at once, when it was not to be streamed."""

    def __init__(self, sink: Sink, reader: AnswerReader, *, is_whole: bool) -> None:
        self.is_shown = False
        self._sink = sink
        self._reader = reader
        self._incoming = BodyReader()
        # Whether the next bytes may be read without looking at what they do not hold.
        self._is_plain = False
        self._held: list[Chunk] | None = [] if is_whole else None

    def take(self, data: bytes) -> bool:
        """Take what the connection brought. Return whether the answer is through. Raises: ModelError."""
        if self._took_plain(data):
            return False
        if len(data) < _BURST_BYTES:
            return self._take_any(data)
        first, middle, last = _in_three(data)
        if self._take_any(first) or (not self._took_plain(middle) and self._take_any(middle)):
            return True
        return self._take_any(last)

    def _took_plain(self, data: bytes) -> bool:
        """Take whole events that hold text and nothing else, all at once. Return whether they do."""
        if not self._is_plain or (texts := plain_read(data)) is None:
            return False
        self._give(self._reader.take_texts(*texts))
        return True

    def _take_any(self, data: bytes) -> bool:
        incoming = self._incoming
        self._read(incoming.take(data))
        if incoming.is_done:
            self._give(self._reader.end(is_done=True))
        self._is_plain = self._reader.has_names and incoming.is_between_events
        return incoming.is_done

    def end(self) -> None:
        """Take the end of the body. Raises: ModelError."""
        if not self._incoming.is_done:
            self._read(self._incoming.end())
            self._give(self._reader.end(is_done=self._incoming.is_done))
        if self._held:
            self._sink.take(self._held)

    def _read(self, payloads: list[bytes]) -> None:
        chunks, error = self._reader.read(payloads)
        # What came before it counts, however the network has cut the bytes.
        self._give(chunks)
        if error is not None:
            raise error

    def _give(self, chunks: list[Chunk]) -> None:
        if self._held is not None:
            self._held.extend(chunks)
        elif chunks:
            self.is_shown = True
            self._sink.take(chunks)


def _in_three(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Take a read of many events apart, so that there is nothing but text in the middle of it, as a rule.

    Its first event may be half of one, or the answer's first, which has its names. The last three may say how the
    answer ended, what it cost, and [DONE]. Where it is cut makes no difference to what is read.
    """
    begin = data.find(b"\n\n") + 2
    end = len(data)
    for _ in range(4):
        end = data.rfind(b"\n\n", begin, end)
        if end < 0:
            return data, b"", b""
    return data[:begin], data[begin : end + 2], data[end + 2 :]
