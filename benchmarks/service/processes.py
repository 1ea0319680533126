"""Processes that are measured: each ends with this one, whatever happens, and tells its CPU and memory from /proc."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.02
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_LIBC = ctypes.CDLL(None)


class BenchError(Exception):
    """Something cannot be measured. The text says why, in one line."""


def free_port() -> int:
    """Return a port that nobody listens on, for programs that cannot bind 0 and tell."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """Return what this tree's Python programs need, and nothing that would configure them by chance."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNWIRE_", "OPENAI_"))}  # noqa: TID251
    path = os.pathsep.join(str(ROOT / folder) for folder in ("server", "clients/python", "."))
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


def python(*arguments: str) -> list[str]:
    """Return an argv of this Python."""
    return [sys.executable, *arguments]


def _die_with_parent() -> None:
    _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def spawn(argv: Sequence[str], env: Mapping[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a program that dies when this one does; its output goes to a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            argv,
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 -- no other thread here does more than read /proc
        )


@dataclass(slots=True)
class Process:
    """A program that runs."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def tree(self) -> list[int]:
        """Return the ids of the process and of all that descend from it."""
        return list(_tree(self.popen.pid))

    def cpu_seconds(self) -> float:
        """Return user and system time of all threads and children, also of children that have ended."""
        ticks = 0
        for pid in self.tree():
            if (fields := _stat(pid)) is not None:
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / _TICKS

    def rss_bytes(self) -> int:
        """Return how much memory the process and its children have in RAM."""
        total = 0
        for pid in self.tree():
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
            except OSError:
                continue
        return total

    def tail(self) -> str:
        """Return the last line of its output."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it said nothing)"

    def check(self) -> None:
        """Raise BenchError when the program has ended."""
        if (status := self.popen.poll()) is not None:
            raise BenchError(f"{self.name} ended with {status}: {self.tail()}")

    def wait_for_line(self, pattern: str, seconds: float = _START_SECONDS) -> re.Match[str]:
        """Wait until its output has what is looked for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (found := re.search(pattern, self.log.read_text(errors="replace"))) is not None:
                return found
            self.check()
            time.sleep(_POLL_SECONDS)
        raise BenchError(f"{self.name} did not say {pattern!r} within {seconds:.0f} s: {self.tail()}")

    def pause(self) -> None:
        """Stop the program until it is resumed, so that it does not disturb the measurement of others."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the program and all it has started."""
        self.resume()
        _end(self.popen, signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


def _tree(root: int) -> dict[int, str]:
    """Return a process and all that descend from it: their ids, and when they started."""
    starts: dict[int, str] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            starts[int(entry.name)] = fields[19]
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return {pid: starts.get(pid, "") for pid in found}


def _end(popen: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Ask a program to end, and kill what is left of it and of all it has started, in whatever session."""
    tree = _tree(popen.pid) if popen.poll() is None else {}
    if tree:
        with suppress(ProcessLookupError):
            os.killpg(popen.pid, number)
        with suppress(subprocess.TimeoutExpired):
            popen.wait(_STOP_SECONDS)
    for pid, start in tree.items():
        # The id may be somebody else's by now.
        if (fields := _stat(pid)) is not None and fields[19] == start:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
    popen.wait(_STOP_SECONDS)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on: its name may have blanks. None when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


@contextmanager
def running(
    name: str, argv: Sequence[str], env: Mapping[str, str], scratch: Path, folder: Path = ROOT
) -> Iterator[Process]:
    """Run a program while the context lasts."""
    log = scratch / f"{name.replace(' ', '-').replace(':', '')}-{time.monotonic_ns()}.log"
    process = Process(name, spawn(argv, env, folder, log), log)
    try:
        yield process
    finally:
        process.close()


def finished(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return its output. Raises: BenchError with the last line of its complaints."""
    popen = subprocess.Popen(
        argv,
        env=env or environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 -- as above
    )
    try:
        output, complaints = popen.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(argv[:4])} … took more than {seconds:.0f} s") from None
    finally:
        # As Ctrl-C does, so that a program that has started others ends them itself.
        _end(popen, signal.SIGINT)
    if popen.returncode != 0:
        said = (complaints.strip() or output.strip()).splitlines()
        raise BenchError(said[-1] if said else f"{argv[0]} ended with {popen.returncode}")
    return output
