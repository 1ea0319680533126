"""How requests of the openai package travel: aiohttp, which reads an answer at a third of httpx's cost."""

import ssl
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

from runwire_server.models.openai.arrivals import TellingConnector

# A streaming answer holds its connection: this many can be under way at once.
_CONNECTIONS_MAX = 4096
_IDLE_SECONDS = 60.0
_RESPONSE = "runwire_response"


class Connections(httpx2.AsyncBaseTransport):
    """Sends requests to one base URL, over connections that are used again.

    A proxy that the environment names for the URL (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) is used.
    """

    def __init__(self, base_url: str, *, connect_seconds: float) -> None:
        self._proxy = _proxy_of(httpx2.URL(base_url))
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        self._tls: ssl.SSLContext | bool = (
            httpx2.create_ssl_context() if httpx2.URL(base_url).scheme == "https" else True
        )
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it. See httpx2.AsyncBaseTransport. Raises: httpx2.TransportError."""
        if self._session is None:
            connector = TellingConnector(
                limit=_CONNECTIONS_MAX, keepalive_timeout=_IDLE_SECONDS, ssl=self._tls
            )
            # Cookies of one user's request are none of another's.
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        try:
            response = await self._session.request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=await request.aread(),
                allow_redirects=False,
                timeout=self._timeout,
                proxy=self._proxy,
            )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise httpx2.ConnectError(str(error)) from error
        except aiohttp.ClientError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error
        # What aiohttp has decoded must not be decoded again.
        headers = [pair for pair in response.raw_headers if pair[0].lower() != b"content-encoding"]
        return httpx2.Response(
            response.status,
            headers=headers,
            stream=_Body(response),
            request=request,
            extensions={_RESPONSE: response},
        )

    async def aclose(self) -> None:
        """Close all connections. Idempotent."""
        if self._session is not None:
            await self._session.close()


class _Body(httpx2.AsyncByteStream):
    """The body for the openai package itself, which reads that of an error."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> Any:
        try:
            async for data in self._response.content.iter_any():
                yield data
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        # One that was read to its end goes back to be used again; any other is cut.
        self._response.close()


def aiohttp_response(response: httpx2.Response) -> aiohttp.ClientResponse:
    """Return the answer as it is below the openai package."""
    return cast("aiohttp.ClientResponse", response.extensions[_RESPONSE])


def _proxy_of(url: httpx2.URL) -> str | None:
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or proxy_bypass(url.host):
        return None
    return found if "://" in found else f"http://{found}"
