"""Drivers: the programs that speak for each client. See README.md."""

import fcntl
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

DRIVERS = Path(__file__).parent / "drivers"
LANGUAGES = sorted(path.parent.name for path in DRIVERS.glob("*/build"))
TOOL_SECONDS = 1500.0
STEP_SECONDS = 120.0
_TOOLCHAIN_IS_MISSING = 3
_ENVIRONMENT = {**os.environ, "PYTHON": sys.executable}


def build(language: str) -> None:
    """Make a driver ready, once at a time."""
    with Path(tempfile.gettempdir(), f"runwire-driver-{language}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_tool(DRIVERS / language / "build")


def run_tool(*command: str | Path) -> None:
    """Run a command of the repository. Without its toolchain the test is skipped; in CI it fails."""
    done = subprocess.run(
        command,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    if done.returncode == _TOOLCHAIN_IS_MISSING and os.environ.get("CI") != "true":
        pytest.skip(f"{command[0]}: {done.stderr.strip()}")
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"


class Driver:
    """A driver at work. One command at a time."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed by close
        self._process = subprocess.Popen(
            [DRIVERS / language / "start"],
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def play(self, command: dict[str, Any], on_item: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Have it do a command. Returns what it says is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        while True:
            try:
                line = self._lines.get(timeout=STEP_SECONDS)
            except queue.Empty:
                self.kill()
                raise AssertionError(f"the driver says nothing any more:\n{self.complaints()}") from None
            assert line, f"the driver ended:\n{self.complaints()}"
            answer: dict[str, Any] = json.loads(line)
            if "done" in answer:
                done: dict[str, Any] = answer["done"]
                return done
            on_item(answer)

    def complaints(self) -> str:
        """Return the end of what it wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read()[-4000:]

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        """End its input. Returns when it has ended; it must do so by itself, with 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            code = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        self._reader.join(5)
        self._process.stdout.close()
        complaints = self.complaints()
        self._errors.close()
        assert code == 0, f"the driver of {self.language} ended with {code}:\n{complaints}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")
