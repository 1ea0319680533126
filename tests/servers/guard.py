"""Runs a server for as long as another process lives: `guard.py PID FOLDER COMMAND…`.

The server's own pid goes to FOLDER/pid. When the watched process is gone, even by kill -9, so are the server and the
folder. When the server ends, so does this.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    watched, folder, command = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    user = {}
    if (name := os.environ.pop("GUARD_USER", "")) and os.geteuid() == 0:
        import pwd

        entry = pwd.getpwnam(name)
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            **user,
        )
    (folder / "pid.new").write_text(str(server.pid))
    (folder / "pid.new").rename(folder / "pid")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while server.poll() is None and _is_alive(watched):
            time.sleep(0.1)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        if not _is_alive(watched):
            for path in (folder, *os.environ.get("GUARD_REMOVE", "").split(":")):
                shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


if __name__ == "__main__":
    main()
