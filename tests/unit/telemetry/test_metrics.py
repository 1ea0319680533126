"""Metrics: what is shown, and where."""

import asyncio
import threading
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from runwire_server.domain.errors import InvalidRequestError, UnavailableError
from runwire_server.telemetry.metrics import Metrics, serve_metrics


async def read(address: str) -> str:
    def fetch() -> str:
        with urlopen(f"http://{address}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(fetch)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_metrics_are_served_for_the_time_of_the_block(host: str) -> None:
    metrics = Metrics()
    oldest = time.monotonic() - 2
    metrics.watch_queue("0", lambda: 7, lambda: oldest)
    metrics.watch_queue("1", lambda: 0, lambda: None)
    metrics.writes_lost.inc(3)
    async with serve_metrics(f"{host}:0", metrics) as address:
        lines = (await read(address)).splitlines()

    assert 'runwire_store_queue_depth{worker="0"} 7.0' in lines
    assert 'runwire_store_queue_depth{worker="1"} 0.0' in lines
    assert "runwire_store_writes_lost_total 3.0" in lines
    assert "runwire_store_writes_retried_total 0.0" in lines
    (lag,) = [line for line in lines if line.startswith("runwire_store_queue_lag_seconds ")]
    assert 2 <= float(lag.split()[1]) < 30
    with pytest.raises(URLError):
        await read(address)
    assert not any("serve_forever" in thread.name for thread in threading.enumerate())


async def test_two_servers_do_not_share_metrics() -> None:
    one, two = Metrics(), Metrics()
    one.writes_lost.inc()

    assert two.registry.get_sample_value("runwire_store_writes_lost_total") == 0


@pytest.mark.parametrize("listen", ["9090", ":9090", "host:", "host:x", "host:70000"])
async def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(InvalidRequestError):
        async with serve_metrics(listen, Metrics()):
            pass


async def test_an_address_in_use_is_an_error() -> None:
    async with serve_metrics("127.0.0.1:0", Metrics()) as address:
        with pytest.raises(UnavailableError):
            async with serve_metrics(address, Metrics()):
                pass


async def test_a_host_that_is_none_is_an_error() -> None:
    with pytest.raises(UnavailableError):
        async with serve_metrics("no-such-host.invalid:0", Metrics()):
            pass
