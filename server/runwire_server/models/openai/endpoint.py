"""The connection to an OpenAI-compatible server: request JSON out, bytes in, and every failure a ModelError.

The openai package says what a request looks like: where it goes, how it is authenticated, what its head holds. That
is asked once; every request after that has only a body of its own. Through the package each would cost four times as
much, and its typed stream 15 times what reading the bytes ourselves does (docs/performance.md).
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runwire_server.domain.errors import ModelError
from runwire_server.models.openai.errors import RefusedError, retry_after_seconds, status_error

if TYPE_CHECKING:
    from runwire_server.models.openai.arrivals import Answer
    from runwire_server.models.openai.connections import Connections

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
BASE_URL_DEFAULT = "https://api.openai.com/v1"
_ERROR_BYTES_MAX = 65_536
_FIELD = re.compile(r"[\t\x20-\x7e]*")


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
        if address.scheme not in {"http", "https"} or not address.hostname or address.port == 0:
            raise ValueError(f"the model server's base URL {self.base_url!r} is not an http or https URL")
        if address.username is not None:
            raise ValueError(
                "the model server's base URL must not have a user or a password: the key is given apart"
            )
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError(
                "the model server's API key must be printable ASCII without spaces, and not empty"
            )
        self._api_key = api_key
        self._connect_seconds = connect_seconds
        self._connections: Connections | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> "Connections":
        """Make what requests need, in a thread: importing openai and aiohttp takes most of a second."""
        if self._connections is None:
            async with self._opening:
                if self._connections is None:
                    self._connections = await asyncio.to_thread(self._make_connections)
        return self._connections

    async def aclose(self) -> None:
        """Close all connections. Answers under way fail. Closing twice does nothing."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.aclose()

    async def read(self, body: Mapping[str, Any], timeouts: Timeouts, take: Callable[[bytes], bool]) -> None:
        """Send the request, and give `take` the answer's body as it comes, until that ends, or `take` says that it is
        through.

        `take` is called by whatever reads the connection, not in the caller's task.

        Raises: what `take` raises. ModelError, and nothing else; RefusedError when the server says when to try again.
        """
        connections = await self.open()
        deadline = asyncio.get_running_loop().time() + timeouts.first_byte_seconds
        answer = await self._send(connections, body, deadline)
        from runwire_server.models.openai.arrivals import Arrivals

        try:
            arrivals = Arrivals(answer, take, deadline=deadline, idle_seconds=timeouts.idle_seconds)
            await arrivals.whole()
        except _driver_errors() as error:
            raise _broken(error) from error
        finally:
            # One that was read to its end goes back to be used again; any other is cut.
            answer.close()

    async def _send(self, connections: "Connections", body: Mapping[str, Any], deadline: float) -> "Answer":
        """Send the request, and return the answer with its body still to be read."""
        try:
            data = _encode(body).encode()
        except (TypeError, ValueError) as error:
            raise ModelError("the request cannot be written as JSON", "MODEL_REJECTED") from error
        try:
            async with asyncio.timeout_at(deadline):
                answer = await connections.post(data)
                if 200 <= answer.status < 300:
                    return answer
                try:
                    raise _refusal(answer, await _error_body(answer), self._api_key)
                finally:
                    answer.close()
        except _driver_errors() as error:
            raise _unsent(error) from error

    def _make_connections(self) -> "Connections":
        import httpx2
        import openai

        from runwire_server.models.openai.connections import Connections

        sent: list[httpx2.Request] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            sent.append(request)
            return httpx2.Response(200, json={})

        with openai.OpenAI(
            api_key=self._api_key,
            base_url=self.base_url,
            # Compressed, a stream of small chunks costs more than it saves.
            default_headers={"accept-encoding": "identity"},
            http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        ) as client:
            client.post("/chat/completions", body={}, cast_to=httpx2.Response)
        (request,) = sent
        # These are aiohttp's to say.
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in {"host", "content-length", "connection"}
        }
        for name, value in headers.items():
            if not _FIELD.fullmatch(value):
                # The environment has a say in them: OPENAI_ORG_ID.
                raise ModelError(f"the request's header {name} must be printable ASCII", "MODEL_REJECTED")
        return Connections(str(request.url), headers, connect_seconds=self._connect_seconds)


def _driver_errors() -> tuple[type[Exception], ...]:
    import aiohttp

    return (aiohttp.ClientError, OSError)


def _unsent(error: Exception) -> ModelError:
    """Return what a failure before the head of the answer means here."""
    import aiohttp

    match error:
        case TimeoutError():
            return _late()
        case aiohttp.InvalidURL():
            return ModelError("the model server's answer cannot be understood", "MODEL_BAD_RESPONSE")
        case _:
            return ModelError("the model server cannot be reached", "MODEL_UNAVAILABLE", retryable=True)


def _broken(error: Exception) -> ModelError:
    """Return what a failure in the body means here."""
    import aiohttp

    match error:
        case TimeoutError():
            return _late()
        case aiohttp.ClientPayloadError(__cause__=aiohttp.http_exceptions.ContentEncodingError()):
            return ModelError("the model server's answer cannot be understood", "MODEL_BAD_RESPONSE")
        case _:
            return ModelError(
                "the connection to the model server ended in the middle of the answer",
                "MODEL_DISCONNECTED",
                retryable=True,
            )


def _late() -> ModelError:
    return ModelError("the model server did not answer in time", "MODEL_TIMEOUT", retryable=True)


async def _error_body(answer: "Answer") -> Any:
    """Return what an answer that is no answer holds: parsed JSON, or text; as far as it comes."""
    data = b""
    with suppress(*_driver_errors()):
        while len(data) < _ERROR_BYTES_MAX and (piece := await answer.content.readany()):
            data += piece
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _refusal(answer: "Answer", body: Any, secret: str) -> ModelError:
    refusal = status_error(answer.status, body, secret=secret)
    seconds = retry_after_seconds(answer.headers, datetime.now(UTC))
    return refusal if seconds is None else RefusedError(refusal, seconds)
