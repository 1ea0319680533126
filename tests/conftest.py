"""Fixtures that every suite shares. pytest-grpc's fixture names, over a real grpc.aio server (notes/grpc.md §5)."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from blockbuster import BlockBuster, blockbuster_ctx

# Imported where it is chosen, which blocks for a moment at a server's start. That is no fault in a test.
import runwire_server.storage.redis.open_redis
import runwire_server.storage.sql.open_sql  # noqa: F401
from servers.fixtures import fresh_store_url, pytest_sessionfinish  # noqa: F401
from servers.shared import STORES, empty_url

# Keeps gRPC's poller thread alive for the whole session. Without it the last dropped RPC joins that thread from a
# destructor, in whichever test the garbage collector happens to run.
grpc.aio.init_grpc_aio()

_MAY_BLOCK = {
    # Migrations read files, on a loop of their own, which nobody else uses.
    "storage/sql/migrate.py": {"migrate", "status"},
    # What is short, as long as the disk is quick: the rules are at the top of sqlite_writer.py.
    "storage/sql/sqlite.py": {"_read_here"},
    "storage/sql/sqlite_writer.py": {"_write_here"},
    # asyncpg looks for a password file and for certificates when it connects. It takes microseconds.
    "asyncpg/connect_utils.py": {"_parse_connect_dsn_and_args"},
}


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """Fail a test in which our code blocks the event loop."""
    if request.node.get_closest_marker("may_block") is not None:
        yield None
        return
    with blockbuster_ctx("runwire_server") as blockbuster:
        for function in blockbuster.functions.values():
            for file, names in _MAY_BLOCK.items():
                function.can_block_in(file, names)
        yield blockbuster


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store of each kind."""
    with empty_url(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=[kind for kind in STORES if kind != "memory"])
def lasting_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store of each kind that outlives its server and that several replicas can share."""
    with empty_url(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def grpc_servicer() -> Any:
    """The app that is served: overridden by tests that need their own."""
    from support import example_app

    return example_app()


@pytest.fixture
async def grpc_server(grpc_servicer: Any, store_url: str) -> AsyncIterator[Any]:
    """A real server on a port of its own, and all that belongs to it."""
    from support import started_server

    async with started_server(grpc_servicer, store_url) as service:
        yield service


@pytest.fixture
async def grpc_channel(grpc_server: Any) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to that server."""
    async with grpc.aio.insecure_channel(grpc_server.address) as channel:
        yield channel


@pytest.fixture
def grpc_stub_cls() -> Any:
    """The stub that grpc_stub is made of; overridden by tests of other services."""
    from runwire.v1 import runner_service_pb2_grpc

    return runner_service_pb2_grpc.RunnerServiceStub


@pytest.fixture
def grpc_stub(grpc_stub_cls: Any, grpc_channel: grpc.aio.Channel) -> Any:
    """A stub of the service under test."""
    return grpc_stub_cls(grpc_channel)
