"""Connections to one model server, by aiohttp: it connects, pools, and reads heads and errors.

What its session does around a request costs more than to send it and to read the answer's head (docs/performance.md).
So a request is written here, by what aiohttp's session uses itself, which is left with what is rare: proxies and
redirects.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from yarl import URL

from runwire_server.models.openai.arrivals import Answer, TellingConnector

# A streaming answer holds its connection: this many can be under way at once.
_CONNECTIONS_MAX = 4096
_IDLE_SECONDS = 60.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SWITCHING = 101
_MOVED_FOR_GOOD = frozenset({301, 308})


class Connections:
    """Sends requests to one URL, over connections that are used again. Must be used in one event loop only.

    A proxy that the environment names for the server (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) is used.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, connect_seconds: float) -> None:
        self._url = URL(url)
        self._headers = headers
        self._proxy = _proxy_of(url)
        # All other waits are bounded by the caller.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        # Reads the certificates that are trusted, which takes a while.
        self._tls = ssl.create_default_context()
        self._pool: _Pool | None = None
        self._is_plain = self._proxy is None

    async def post(self, body: bytes) -> Answer:
        """Send a request and return the answer when its head has come. Follows redirects."""
        if self._pool is None:
            self._pool = _Pool(self._url, self._headers, self._tls)
        if self._is_plain:
            answer = await self._pool.post(body, self._timeout)
            if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                return answer
            answer.close()
            self._is_plain = answer.status not in _MOVED_FOR_GOOD
        response = await self._pool.session.post(
            self._url, headers=self._headers, data=body, timeout=self._timeout, proxy=self._proxy
        )
        protocol = response.connection.protocol if response.connection is not None else None
        return Answer(response.status, response.headers, response.content, protocol, response.close)

    async def aclose(self) -> None:
        """Close all connections. Idempotent."""
        if self._pool is not None:
            await self._pool.session.close()


class _Pool:
    """aiohttp's connections, and the request that each of them gets."""

    def __init__(self, url: URL, headers: Mapping[str, str], tls: ssl.SSLContext) -> None:
        self._connector = TellingConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_IDLE_SECONDS, ssl=tls)
        # Cookies of one user's request are none of another's.
        self.session = aiohttp.ClientSession(connector=self._connector, cookie_jar=aiohttp.DummyCookieJar())
        self._request = aiohttp.ClientRequest(
            "POST", url, headers=headers, loop=asyncio.get_running_loop(), session=self.session
        )
        fields = [(name, value) for name, value in self._request.headers.items() if name != "Content-Length"]
        lines = [
            f"POST {self._request.url.raw_path_qs} HTTP/1.1",
            *(f"{name}: {value}" for name, value in fields),
        ]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()

    async def post(self, body: bytes, timeout: aiohttp.ClientTimeout) -> Answer:
        """Send the request, and return the answer when its head has come.

        The transport holds what of the body the server has not taken yet; a session's window bounds it.
        """
        connection = await self._connector.connect(self._request, traces=[], timeout=timeout)
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            connection.close()
            raise aiohttp.ClientConnectionResetError("the connection was lost")
        try:
            protocol.set_response_params(read_until_eof=True)
            transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != _SWITCHING:
                message, payload = await protocol.read()
        except HttpProcessingError as error:
            _cut(connection)
            raise aiohttp.ClientPayloadError("the answer is not HTTP") from error
        except BaseException:
            _cut(connection)
            raise
        # Called at once when all is here. A connection that was given back is not cut any more.
        payload.on_eof(partial(_give_back, connection))
        return Answer(message.code, message.headers, payload, connection.protocol, partial(_cut, connection))


def _give_back(connection: Connection) -> None:
    """Let the connection be used again, unless its server answered before it took all of the request."""
    if _is_unsent(connection):
        _cut(connection)
    else:
        connection.release()


def _cut(connection: Connection) -> None:
    """Close the connection. What was not sent is dropped: a server that reads nothing would keep it for ever."""
    if connection.transport is not None and _is_unsent(connection):
        connection.transport.abort()
    connection.close()


def _is_unsent(connection: Connection) -> bool:
    return connection.transport is not None and connection.transport.get_write_buffer_size() > 0


def _proxy_of(url: str) -> str | None:
    address = urlsplit(url)
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    if not found or proxy_bypass(address.hostname or ""):
        return None
    return found if "://" in found else f"http://{found}"
