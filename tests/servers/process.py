"""A server as a process of ours: its folder, its port, its life. What kinds there are, see private."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil

from servers.guard import started_at

START_SECONDS = 30.0
PREPARE_SECONDS = 60.0
STOP_SECONDS = 20.0
GUARD = Path(__file__).with_name("guard.py")
# Below the ports that the kernel gives to connections, one of which could take a server's port while it is down; so
# are the ports 10,000 above, at which the nodes of a Redis cluster talk to each other.
_PORTS = range(15_000, 22_000)


class CannotRunError(Exception):
    """This machine has no such server. The text says what is missing."""


def free_port() -> int:
    """Return a port that is free on loopback, and that no outgoing connection takes."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


class PrivateServer:
    """A server with its own folder and port. When the watched process is gone, so are the server and the folder.

    `is_durable`: what it acknowledges survives a kill -9. `max_connections`: it turns away more. `options` come last
    on its command line, so they win; they can be changed between two starts. `data_megabytes`: its data gets a file
    system of that size, to be filled up; only root can have that (CannotRunError). `watched`: a pid, by default ours.
    """

    kind: ClassVar[str]
    user: ClassVar[str] = ""
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(
        self,
        *,
        is_durable: bool = False,
        max_connections: int = 200,
        options: Sequence[str] = (),
        data_megabytes: int = 0,
        watched: int = 0,
    ) -> None:
        self.find()
        self.is_durable = is_durable
        self.max_connections = max_connections
        self.options = list(options)
        self.port = free_port()
        self.also_removed: list[str] = []
        # Not pytest's folder, which others may not read; and short, for the sockets in it: 107 bytes is the longest.
        self.folder = Path(tempfile.mkdtemp(prefix=f"rw-{self.kind}-", dir="/tmp"))
        self.data = self.folder / "data"
        self.data.mkdir()
        (self.folder / "tmp").mkdir()
        # Before all else that could stay behind: the folder is the guard's from here on.
        with (self.folder / "log").open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, str(GUARD), str(watched or os.getpid()), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._start = 0
        if data_megabytes:
            self._mount(data_megabytes)
        if self.user and os.geteuid() == 0:
            for path in (self.folder, self.data, self.folder / "tmp"):
                shutil.chown(path, self.user, self.user)

    def _mount(self, megabytes: int) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.data)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            self.close()
            raise CannotRunError(f"no file system can be mounted: {done.stderr.strip()}")

    @classmethod
    def find(cls) -> None:
        """Raises: CannotRunError when this machine has no such server."""
        if sys.platform != "linux":
            raise CannotRunError(f"private servers need Linux; set RUNWIRE_TEST_{cls.kind.upper()}_URL")

    @property
    def url(self) -> str:
        """The store's URL, without a place of its own."""
        raise NotImplementedError

    def preparation(self) -> list[str] | None:
        """The command that makes the data folder's first contents; None when they are there."""
        return None

    def command(self) -> list[str]:
        """The command that runs it in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it is ready. Raises: OSError when it is not, either."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start, and wait until it answers. Raises: RuntimeError, with the end of its log, when it does not."""
        preparation = self.preparation()
        told = {
            "commands": [*([preparation] if preparation else []), [*self.command(), *self.options]],
            "user": self.user,
            "remove": self.also_removed,
        }
        assert self._guard.stdin is not None
        self._guard.stdin.write(json.dumps(told).encode() + b"\n")
        self._guard.stdin.flush()
        self._start += 1
        if self._await(lambda: self._pid() is not None, PREPARE_SECONDS if preparation else START_SECONDS):
            self._await(lambda: self._pid() == 0 or self._is_ready(), START_SECONDS)
        if not self._pid() or not self._is_ready():
            self.kill()
            raise RuntimeError(f"{self.kind} does not start:\n{self.log_tail()}")
        return self

    def _is_ready(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def _await(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or self._guard.poll() is not None:
                return False
            time.sleep(0.01)
        return True

    def _pid(self) -> int | None:
        """The server's pid; 0 when it has ended; None when its start is not so far."""
        try:
            start, pid = (self.folder / "state").read_text().split()
        except OSError:
            return None
        return int(pid) if int(start) == self._start else None

    def log_tail(self) -> str:
        """The last lines of its log."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """The server's processes, the first of which started the others."""
        try:
            own = psutil.Process(self._pid() or -1)
            return [own, *own.children(recursive=True)]
        except (ValueError, psutil.NoSuchProcess):
            return []

    def _signal(self, number: int) -> None:
        for process in self.processes():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> None:
        """End in its own good way, or, if that takes too long, in ours."""
        self.resume()
        for process in self.processes()[:1]:
            process.send_signal(self.stop_signal)
        if not self._await(lambda: not self._pid(), STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """kill -9 of all its processes."""
        # Stopped, none of them starts another in between.
        self.pause()
        self._signal(signal.SIGKILL)
        self._await(lambda: not self._pid(), STOP_SECONDS)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Make it stand still: connections stay open, and nothing answers."""
        # The first one by itself: once it has stopped, which takes a moment, it starts no others.
        first = self.processes()[:1]
        for process in first:
            process.suspend()
        self._await(lambda: all(map(_is_still, first)), STOP_SECONDS)
        self._signal(signal.SIGSTOP)
        self._await(lambda: all(map(_is_still, self.processes())), STOP_SECONDS)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it at once and remove its folder. Idempotent."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.terminate()
        self._guard.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_still(process: psutil.Process) -> bool:
    try:
        return process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return True


def owner() -> tuple[int, str]:
    """Return the process that this run of tests belongs to, and the run's own name: pytest-xdist's workers agree."""
    pid = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return pid, f"{os.geteuid()}-{pid}-{started_at(pid)}"
