"""The connection that all calls of a client go through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from importlib.resources import files
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from runwire.errors import CallError

DEFAULT_TARGET = "127.0.0.1:50051"
T = TypeVar("T")

_OPTIONS = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Repeats calls that may be repeated when the server is away for a moment.
    ("grpc.service_config", files("runwire").joinpath("service_config.json").read_text(encoding="utf-8")),
)


class Calls:
    """A connection to a server, and the names that calls use which name none."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        app_name: str = "",
        user_id: str = "",
        timeout_seconds: float = 30.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.app_name = app_name
        self.user_id = user_id
        self._timeout = timeout_seconds
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, options=_OPTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent."""
        await self._channel.close()

    async def _call(self, method: Any, request: Any, extra_seconds: float = 0.0) -> Any:
        return await _translated(method(request, timeout=self._timeout + extra_seconds))

    async def _pages(self, method: Any, request: Any) -> AsyncGenerator[Any, None]:
        while True:
            page = await self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


async def _translated(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise CallError(error) from None
