"""The connection to an OpenAI-compatible server: request JSON out, bytes in, and every failure a ModelError.

The openai package builds, authenticates and sends the request. Its typed stream costs 15 times what reading
the bytes ourselves does (notes/performance.md §2), so only its raw response is used.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runwire_server.domain.errors import ModelError
from runwire_server.models.openai.errors import RefusedError, retry_after_seconds, status_error

if TYPE_CHECKING:
    import httpx2
    from openai import APIStatusError, AsyncOpenAI

    from runwire_server.models.openai.arrivals import Arrivals

# The openai package's word for: leave the body to me.
_UNREAD = {"X-Stainless-Raw-Response": "stream"}
BASE_URL_DEFAULT = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds: for the answer's first byte, and for each next one."""

    first_byte_seconds: float
    idle_seconds: float


class Endpoint:
    """One server and one key. Opens its connections at first use; must then be used in that event loop only.

    Raises: ValueError for a base URL or a key that no request could be made with. The key is not shown.
    """

    def __init__(self, *, api_key: str, base_url: str | None, connect_seconds: float) -> None:
        self.base_url = base_url or BASE_URL_DEFAULT
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError(f"the model server's base URL {self.base_url!r} is not an http or https URL")
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError(
                "the model server's API key must be printable ASCII without spaces, and not empty"
            )
        self._api_key = api_key
        self._connect_seconds = connect_seconds
        self._client: AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> "AsyncOpenAI":
        """Return the client, after making it in a thread: importing openai takes most of a second."""
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._make_client)
        return self._client

    async def aclose(self) -> None:
        """Close all connections. Answers under way fail. Closing twice does nothing."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def read(self, body: Mapping[str, Any], timeouts: Timeouts, take: Callable[[bytes], bool]) -> None:
        """Send the request, and give `take` the answer's body as it comes, until that ends, or `take` says that it is
        through.

        `take` is called by whatever reads the connection, not in the caller's task.

        Raises: what `take` raises. ModelError, and nothing else; RefusedError when the server says when to try again.
        """
        client = await self.open()
        deadline = asyncio.get_running_loop().time() + timeouts.first_byte_seconds
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._send(client, body)
            async with aclosing(response):
                await _arrivals(response, take, deadline, timeouts.idle_seconds).whole()
        except _driver_errors() as error:
            raise _translated(error, self._api_key) from error

    async def _send(self, client: "AsyncOpenAI", body: Mapping[str, Any]) -> "httpx2.Response":
        """Send the request, and return the answer with its body still to be read.

        The library's own method for it walks through all messages by type first, in every request.
        """
        import httpx2

        try:
            return await client.post(
                "/chat/completions", body=body, cast_to=httpx2.Response, options={"headers": _UNREAD}
            )
        except (TypeError, ValueError) as error:
            raise ModelError("the request cannot be written as JSON", "MODEL_REJECTED") from error

    def _make_client(self) -> "AsyncOpenAI":
        import httpx2
        import openai

        from runwire_server.models.openai.connections import Connections

        connections = Connections(self.base_url, connect_seconds=self._connect_seconds)
        return openai.AsyncOpenAI(
            api_key=self._api_key,
            base_url=self.base_url,
            max_retries=0,
            # All waits are bounded here, and by the connections.
            timeout=None,
            http_client=httpx2.AsyncClient(transport=connections, follow_redirects=True),
            # Compressed, a stream of small chunks costs more than it saves.
            default_headers={"accept-encoding": "identity"},
        )


def _arrivals(
    response: "httpx2.Response", take: Callable[[bytes], bool], deadline: float, idle_seconds: float
) -> "Arrivals":
    # Imports aiohttp, as a last thing before the first request.
    from runwire_server.models.openai.arrivals import Arrivals
    from runwire_server.models.openai.connections import aiohttp_response

    return Arrivals(aiohttp_response(response), take, deadline=deadline, idle_seconds=idle_seconds)


def _driver_errors() -> tuple[type[Exception], ...]:
    import aiohttp
    import httpx2
    import openai

    ours = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)
    return (*ours, aiohttp.ClientError, OSError)


def _translated(error: Exception, secret: str) -> ModelError:
    """Return what a failure of the openai package, of its HTTP client or of the network means here."""
    import aiohttp
    import httpx2
    import openai

    match error:
        case openai.APIStatusError():
            return _refusal(error, secret)
        case TimeoutError() | openai.APITimeoutError() | httpx2.TimeoutException():
            return ModelError("the model server did not answer in time", "MODEL_TIMEOUT", retryable=True)
        case openai.APIConnectionError() | httpx2.ConnectError():
            return ModelError("the model server cannot be reached", "MODEL_UNAVAILABLE", retryable=True)
        case aiohttp.ClientPayloadError(__cause__=aiohttp.http_exceptions.ContentEncodingError()):
            return ModelError("the model server's answer cannot be understood", "MODEL_BAD_RESPONSE")
        case httpx2.DecodingError() | httpx2.InvalidURL() | openai.OpenAIError():
            return ModelError("the model server's answer cannot be understood", "MODEL_BAD_RESPONSE")
        case _:
            return ModelError(
                "the connection to the model server ended in the middle of the answer",
                "MODEL_DISCONNECTED",
                retryable=True,
            )


def _refusal(error: "APIStatusError", secret: str) -> ModelError:
    refusal = status_error(error.status_code, error.body, secret=secret)
    seconds = retry_after_seconds(error.response.headers, datetime.now(UTC))
    return refusal if seconds is None else RefusedError(refusal, seconds)
