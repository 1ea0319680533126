"""Runs a server for as long as another process lives: `guard.py PID FOLDER`, told what to run on its standard input.

Each line of the input is a start, as JSON: `commands`, run one after the other, the last of which is the server;
`user`, who runs them; `remove`, folders that go with this one. FOLDER/state says `START PID`: which start, and the
server's pid, 0 when it has ended. Whatever happens to the watched process, even kill -9, the servers, their children
and FOLDER go with it; so they do when this process is told to end (SIGTERM). A kill -9 of this one ends the server.
"""

import ctypes
import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CHECK_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_prctl = ctypes.CDLL(None).prctl


def started_at(pid: int) -> str:
    """Return when a process started, in ticks, which tells it from a later one of its pid. Empty when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]


class Guard:
    """One folder, and one server at a time in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start = 0
        self.remove: list[str] = []
        self._user: dict[str, Any] = {}
        self._todo: list[list[str]] = []
        self._child: subprocess.Popen[bytes] | None = None

    def take(self, line: str) -> None:
        """Start what a line of the input says."""
        told = json.loads(line)
        self.start += 1
        self._todo = told["commands"]
        self.remove = told["remove"]
        if told["user"] and os.geteuid() == 0:
            entry = pwd.getpwnam(told["user"])
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        try:
            self._next()
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
            self._tell(0)

    def reap(self) -> None:
        """Notice that the child has ended: go on with the next command, or say that all is over."""
        if self._child is None or self._child.poll() is None:
            return
        if self._child.returncode == 0 and self._todo:
            self._next()
            return
        self.end_all()
        self._tell(0)

    def _next(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                self._todo.pop(0),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # A MariaDB that starts removes the temporary tables of all others that share its folder for them.
                env={**os.environ, "TMPDIR": str(self.folder / "tmp")},
                start_new_session=True,
                # There is one thread here.
                preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
                **self._user,
            )
        if not self._todo:
            self._tell(self._child.pid)

    def _tell(self, pid: int) -> None:
        (self.folder / "state.new").write_text(f"{self.start} {pid}")
        (self.folder / "state.new").rename(self.folder / "state")

    def end_all(self) -> None:
        """Kill -9 all children and theirs: those become ours as soon as their parents are gone."""
        self._child = None
        own = Path(f"/proc/self/task/{os.getpid()}/children")
        while True:
            for pid in own.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.002)
            except ChildProcessError:
                return

    def leave_nothing(self) -> None:
        """End all, and remove the folder."""
        self.end_all()
        data = self.folder / "data"
        if data.is_mount():
            subprocess.run(["umount", "-l", str(data)], check=False)
        for path in (str(self.folder), *self.remove):
            shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    """Take starts until the watched process is gone."""
    watched, folder = int(sys.argv[1]), Path(sys.argv[2])
    since = started_at(watched)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    guard = Guard(folder)
    is_told = False

    def end(*_: object) -> None:
        nonlocal is_told
        is_told = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    inputs, text = [0, woken], b""
    try:
        while since and started_at(watched) == since and not is_told:
            ready = select.select(inputs, [], [], CHECK_SECONDS)[0]
            if woken in ready:
                os.read(woken, 4096)
            guard.reap()
            if 0 in ready:
                # The end of the input means nothing: a worker may go, and the run that it belongs to go on.
                text += (read := os.read(0, 65536))
                if not read:
                    inputs.remove(0)
                *lines, text = text.split(b"\n")
                for line in lines:
                    guard.take(line.decode())
    finally:
        guard.leave_nothing()


if __name__ == "__main__":
    main()
