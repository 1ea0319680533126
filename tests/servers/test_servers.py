"""The private servers: what they are told to survive they do, and nothing of them stays behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from servers import shared
from servers.admin import Admin
from servers.private import SERVERS, CannotRunError, PrivateServer
from servers.shared import STORES, require

KINDS = [kind for kind in STORES if kind in SERVERS]
TESTS = Path(__file__).resolve().parents[1]
SECONDS = 30.0

pytestmark = pytest.mark.may_block


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A durable one of each kind."""
    require(request.param)
    with SERVERS[request.param](is_durable=True) as made:
        yield made


def redis_says(server: PrivateServer, *command: str) -> str:
    sent = f"*{len(command)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in command)
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
        connection.sendall(sent.encode())
        return connection.recv(1000).decode().strip()


def write(server: PrivateServer) -> None:
    if server.kind == "redis":
        assert redis_says(server, "SET", "kept", "1") == "+OK"
        return
    with_admin(server, "CREATE TABLE kept (number INT)", "INSERT INTO kept VALUES (1)")


def with_admin(server: PrivateServer, *statements: str) -> None:
    """Raises what the driver raises."""
    admin = Admin()
    try:
        admin.run(database(server), *statements)
    finally:
        admin.close()


def database(server: PrivateServer) -> str:
    return server.url if server.kind == "postgres" else f"{server.url}mysql"


def assert_kept(server: PrivateServer) -> None:
    if server.kind == "redis":
        assert redis_says(server, "GET", "kept") == "$1\r\n1"
        return
    division = "SELECT 1 / (SELECT COUNT(*) FROM kept)"
    with_admin(
        server, division if server.kind == "postgres" else "UPDATE kept SET number = 2", "DROP TABLE kept"
    )


def test_what_a_durable_server_acknowledged_survives_kill_9(server: PrivateServer) -> None:
    write(server)
    before = server.processes()

    server.kill()

    assert server.processes() == []
    assert not any(process.is_running() for process in before)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), 1)

    server.start()
    assert_kept(server)


def test_a_server_restarts_at_the_same_address(server: PrivateServer) -> None:
    url = server.url
    server.restart()
    assert server.url == url
    assert server.answers()


def test_a_paused_server_takes_connections_and_says_nothing(server: PrivateServer) -> None:
    server.pause()
    try:
        assert {process.status() for process in server.processes()} == {psutil.STATUS_STOPPED}
        with socket.create_connection(("127.0.0.1", server.port), 1) as connection:
            connection.settimeout(0.2)
            connection.sendall(b"PING\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        server.resume()
    assert server.answers()


def test_options_win_and_a_server_that_cannot_start_says_why(server: PrivateServer) -> None:
    server.stop()
    server.options = ["--no-such-option=1"]
    try:
        with pytest.raises(RuntimeError, match=r"(?is)no.such.option"):
            server.start()
    finally:
        server.options = []
        server.start()


def fill(redis: PrivateServer) -> None:
    for number in range(9):
        if redis_says(redis, "SET", str(number), "x" * 3_000_000) != "+OK":
            raise OSError("it ended")


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_full_disk(kind: str) -> None:
    require(kind)
    try:
        full = SERVERS[kind](is_durable=True, data_megabytes=20 if kind == "redis" else 100)
    except CannotRunError as error:
        # The only one that CI may skip: containers do not always let root mount.
        pytest.skip(str(error))
    with full:
        if kind == "redis":
            # With appendfsync=always Redis would rather end than forget what it acknowledged.
            with pytest.raises(OSError, match=r"ended|reset|refused|Broken"):
                fill(full)
            assert "AOF write error" in full.log_tail()
        else:
            with pytest.raises(Exception, match="No space left"):
                with_admin(
                    full,
                    "CREATE TABLE big AS SELECT repeat(md5(n::text), 9) FROM generate_series(1, 900000) n",
                )
    assert not full.folder.exists()


def test_a_server_turns_connections_away() -> None:
    require("redis")
    with SERVERS["redis"](max_connections=3) as few:
        held = [socket.create_connection(("127.0.0.1", few.port), 1) for _ in range(3)]
        assert "max number of clients" in redis_says(few, "PING")
        for connection in held:
            connection.close()


@pytest.mark.parametrize("is_ci", [True, False])
def test_a_missing_server_is_a_failure_in_ci_only(monkeypatch: pytest.MonkeyPatch, is_ci: bool) -> None:
    def find() -> None:
        raise CannotRunError("there is none")

    monkeypatch.setattr(SERVERS["redis"], "find", find)
    monkeypatch.setattr(shared, "IS_CI", is_ci)
    with pytest.raises(pytest.fail.Exception if is_ci else pytest.skip.Exception, match="there is none"):
        require("redis")


@pytest.mark.parametrize("kind", STORES)
async def test_each_fresh_place_is_another(kind: str, fresh_store_url: Callable[[str], str]) -> None:
    first, second = fresh_store_url(kind), fresh_store_url(kind)

    assert (first == second) == (kind == "memory")
    if kind not in {"memory", "sqlite", "redis"}:
        admin = Admin()
        try:
            # It would exist if these were one place.
            for url in (first, second):
                admin.run(url, "CREATE TABLE a (name VARCHAR(10))", "INSERT INTO a VALUES ('😀')")
        finally:
            admin.close()


ALONE = """
import sys, time
from servers.private import SERVERS
servers = []
for kind in sys.argv[1:]:
    server = SERVERS[kind]().start()
    print(server.folder, *(process.pid for process in server.processes()), flush=True)
    {then}
    print("done", flush=True)
    servers.append(server)
time.sleep(60)
"""
A_TEST = """
import os, signal, time
from servers.process import owner
from servers.shared import _servers, server_url
def test_it():
    server_url("redis")
    with open({path!r} + str(os.getpid()), "w") as out:
        for server in _servers:
            print(server.folder, *server.also_removed, *(one.pid for one in server.processes()), file=out)
    {then}
def test_another():
    time.sleep(0.3)
"""


def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def assert_nothing_stays(lines: list[str]) -> None:
    words = [word for line in lines for word in line.split()]
    assert len(words) >= 2
    deadline = time.monotonic() + SECONDS
    while left := [word for word in words if stays(word)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def stays(word: str) -> bool:
    return psutil.pid_exists(int(word)) if word.isdigit() else Path(word).exists()


@pytest.mark.parametrize("then", ["pass", "server.pause()", "server.kill()"])
def test_nothing_stays_of_a_process_that_is_killed(then: str) -> None:
    for kind in ("redis", "postgres"):
        require(kind)
    command = [sys.executable, "-c", ALONE.format(then=then), "redis", "postgres"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as alone:
        assert alone.stdout is not None
        lines = [alone.stdout.readline() for _ in range(4)]
        alone.kill()
    assert lines[1::2] == ["done\n"] * 2
    del lines[1::2]
    assert_nothing_stays(lines)


@pytest.mark.parametrize("then", ["pass", "os.kill(owner()[0], signal.SIGKILL)"], ids=["ended", "killed"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_nothing_stays_of_a_run(tmp_path: Path, then: str, workers: str) -> None:
    require("redis")
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "test_it.py").write_text(A_TEST.format(path=f"{folder}/", then=then))
    (tmp_path / "conftest.py").write_text("from servers.fixtures import pytest_sessionfinish\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-n", workers, str(tmp_path)]
    own = {name: value for name, value in environment().items() if name != "RUNWIRE_TEST_REDIS_URL"}
    with (tmp_path / "said").open("w") as said:
        done = subprocess.run(
            [*command, "-c", os.devnull, "--rootdir", str(tmp_path)],
            env=own, cwd=tmp_path, stdout=said, stderr=said, timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == (0 if then == "pass" else -signal.SIGKILL), (tmp_path / "said").read_text()
    assert_nothing_stays([path.read_text() for path in folder.iterdir()])
