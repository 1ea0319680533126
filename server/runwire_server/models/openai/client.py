"""A model behind the chat-completions API: streams, and retries before the first token."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

from runwire_server.domain.errors import ModelError
from runwire_server.domain.runs import RunError
from runwire_server.models.model import Chunk, ModelRequest, RetryChunk
from runwire_server.models.openai.answer import AnswerReader
from runwire_server.models.openai.body import BodyReader
from runwire_server.models.openai.endpoint import Endpoint, Timeouts
from runwire_server.models.openai.errors import RefusedError
from runwire_server.models.openai.wire import request_body

_BACKOFF_SECONDS_FIRST = 0.5
_BACKOFF_SECONDS_MAX = 8.0
# A server that wants a longer pause gets no second try: a run should not hang on it.
RETRY_AFTER_SECONDS_MAX = 30.0
# How long the end of the body may come after [DONE]. When it comes, the connection can be used again.
_LINGER_SECONDS = 0.05
_LINGER_READS_MAX = 8


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

    async def stream(self, request: ModelRequest) -> AsyncGenerator[list[Chunk], None]:
        """Yield the answer. See models.model.Model, whose codes MODEL_OUTPUT_TOO_LARGE joins: over 2 Mi
        characters.

        A retryable failure before the first token is tried again; each further try is told by a RetryChunk
        first.
        """
        body = request_body(self._name, request, max_tokens_field=self._max_tokens_field)
        failed = 0
        while True:
            is_started = False
            try:
                async with aclosing(self._try(body, is_streamed=request.stream)) as answer:
                    async for chunks in answer:
                        is_started = True
                        yield chunks
            except ModelError as error:
                failed += 1
                delay = self._delay_seconds(failed, error)
                if is_started or not error.retryable or failed > self._retries_max or delay is None:
                    raise
                shown = RunError(error.type, str(error), error.code, retryable=True)
            else:
                return
            yield [RetryChunk(failed, shown, delay)]
            await self._sleep(delay)

    async def _try(self, body: Mapping[str, Any], *, is_streamed: bool) -> AsyncGenerator[list[Chunk], None]:
        """Yield the answer of one request; all at once, when it was not to be streamed."""
        if is_streamed:
            async with aclosing(self._read(body, self._streamed)) as answer:
                async for chunks in answer:
                    yield chunks
            return
        held: list[Chunk] = []
        async with aclosing(self._read(body, self._whole)) as answer:
            async for chunks in answer:
                held.extend(chunks)
        yield held

    async def _read(self, body: Mapping[str, Any], timeouts: Timeouts) -> AsyncGenerator[list[Chunk], None]:
        incoming = BodyReader()
        reader = AnswerReader(secret=self._api_key)
        async with aclosing(self._endpoint.reads(body, timeouts)) as reads:
            async for data in reads:
                chunks, error = reader.read(incoming.take(data))
                if error is None and incoming.is_done:
                    chunks.extend(reader.end(is_done=True))
                if chunks:
                    yield chunks
                if error is not None:
                    raise error
                if incoming.is_done:
                    await _linger(reads)
                    return
        chunks, error = reader.read(incoming.end())
        if error is not None:
            raise error
        yield [*chunks, *reader.end(is_done=incoming.is_done)]

    def _delay_seconds(self, failed: int, error: ModelError) -> float | None:
        """Return how long to wait before the next try; None when the server wants too long a pause."""
        backoff = min(_BACKOFF_SECONDS_FIRST * 2.0 ** (failed - 1), _BACKOFF_SECONDS_MAX)
        backoff *= 1 + self._jitter() / 2
        if not isinstance(error, RefusedError):
            return backoff
        wanted = error.retry_after_seconds
        return max(backoff, wanted) if wanted <= RETRY_AFTER_SECONDS_MAX else None


async def _linger(reads: AsyncGenerator[bytes, None]) -> None:
    """Read the end of the body, so that the connection can be used again, unless the server keeps it open."""
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            for _ in range(_LINGER_READS_MAX):
                await anext(reads)
    except (StopAsyncIteration, TimeoutError, ModelError):
        return
