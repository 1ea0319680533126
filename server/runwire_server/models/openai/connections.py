"""Connections to one model server, by aiohttp: it reads an answer at a third of httpx's cost."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from runwire_server.models.openai.arrivals import TellingConnector

# A streaming answer holds its connection: this many can be under way at once.
_CONNECTIONS_MAX = 4096
_IDLE_SECONDS = 60.0


class Connections:
    """Sends requests, over connections that are used again. Must be used in one event loop only.

    A proxy that the environment names for the server (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) is used.
    """

    def __init__(self, base_url: str, *, connect_seconds: float) -> None:
        self._proxy = _proxy_of(base_url)
        # All other waits are bounded by the caller.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        # Reads the certificates that are trusted, which takes a while.
        self._tls = ssl.create_default_context()
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> aiohttp.ClientResponse:
        """Send a request and return the answer when its head has come. Follows redirects."""
        if self._session is None:
            connector = TellingConnector(
                limit=_CONNECTIONS_MAX, keepalive_timeout=_IDLE_SECONDS, ssl=self._tls
            )
            # Cookies of one user's request are none of another's.
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return await self._session.post(
            url, headers=headers, data=body, timeout=self._timeout, proxy=self._proxy
        )

    async def aclose(self) -> None:
        """Close all connections. Idempotent."""
        if self._session is not None:
            await self._session.close()


def _proxy_of(url: str) -> str | None:
    address = urlsplit(url)
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    if not found or proxy_bypass(address.hostname or ""):
        return None
    return found if "://" in found else f"http://{found}"
