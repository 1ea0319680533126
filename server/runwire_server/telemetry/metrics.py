"""What an operator measures, in the format of Prometheus. One registry a server: two can live in one process."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, start_wsgi_server

from runwire_server.domain.errors import InvalidRequestError, UnavailableError


class Metrics:
    """All metrics of one server. Counters are bound once; gauges are read when someone asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._depth = Gauge(
            "runwire_store_queue_depth",
            "Writes that were accepted and are not durable yet.",
            ["worker"],
            registry=self.registry,
        )
        lag = Gauge(
            "runwire_store_queue_lag_seconds",
            "How long the oldest of them has waited.",
            registry=self.registry,
        )
        self._oldest: list[Callable[[], float | None]] = []
        lag.set_function(self._lag)
        self.writes_retried = Counter(
            "runwire_store_writes_retried",
            "Tries to write what was accepted that failed and were repeated.",
            registry=self.registry,
        )
        self.writes_lost = Counter(
            "runwire_store_writes_lost",
            "Writes that were accepted and given up.",
            registry=self.registry,
        )

        self._plugin_failures = Counter(
            "runwire_plugin_failures",
            "Hooks of plugins that raised, took too long, or returned what they must not.",
            ["plugin", "hook"],
            registry=self.registry,
        )

    def count_plugin_failure(self, plugin: str, hook: str) -> None:
        """Count a hook that failed."""
        self._plugin_failures.labels(plugin, hook).inc()

    def watch_queue(
        self, worker: str, depth: Callable[[], int], oldest_at: Callable[[], float | None]
    ) -> None:
        """Show a queue. Both functions are called from another thread; `oldest_at` is by time.monotonic."""
        self._depth.labels(worker).set_function(depth)
        self._oldest.append(oldest_at)

    def _lag(self) -> float:
        now = time.monotonic()
        waiting = [at for oldest_at in self._oldest if (at := oldest_at()) is not None]
        return max(now - min(waiting), 0.0) if waiting else 0.0


@asynccontextmanager
async def serve_metrics(listen: str, metrics: Metrics) -> AsyncGenerator[str, None]:
    """Answer GET /metrics on HOST:PORT, in a thread, for the time of the block. Yield where, with the real port.

    Raises: InvalidRequestError (field metrics_listen), UnavailableError when the address cannot be had.
    """
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise InvalidRequestError.of("metrics_listen", f"is {listen[:100]!r}, not HOST:PORT")
    try:
        server, thread = await asyncio.to_thread(
            start_wsgi_server, int(port), host, registry=metrics.registry
        )
    except OSError as error:
        raise UnavailableError(f"cannot serve metrics on {listen}: {error.strerror or error}") from error
    try:
        yield f"{listen.rpartition(':')[0]}:{server.server_port}"
    finally:
        await asyncio.to_thread(server.shutdown)
        await asyncio.to_thread(thread.join)
        server.server_close()
