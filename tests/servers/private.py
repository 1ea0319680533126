"""One private server of each kind. Runs as root and as anybody else."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 20.0
REPOSITORY = Path(__file__).resolve().parents[2]
GUARD = Path(__file__).with_name("guard.py")


class CannotRunError(Exception):
    """This machine has no such server. The text says what is missing."""


def free_port() -> int:
    """Return a port that is free on loopback, for now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PrivateServer:
    """A server with its own folder and port, which dies with this process.

    `is_durable`: what it acknowledges survives a kill -9. `options` are added to its command line. `data_megabytes`:
    its data gets a file system of its own of that size, to be filled up; only root can have that.
    """

    kind: ClassVar[str]
    user: ClassVar[str] = ""
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(
        self,
        *,
        is_durable: bool = False,
        options: Sequence[str] = (),
        data_megabytes: int = 0,
        watched: int = 0,
    ) -> None:
        self.is_durable = is_durable
        self.options = list(options)
        self.port = free_port()
        self.watched = watched or os.getpid()
        # Not pytest's folder, which others may not read; and short, for the sockets in it.
        self.folder = Path(tempfile.mkdtemp(prefix=f"rw-{self.kind}-", dir="/tmp"))
        self.data = self.folder / "data"
        self.data.mkdir()
        self._is_mounted = bool(data_megabytes)
        if data_megabytes:
            size = f"size={data_megabytes}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.data)], check=True)
        if self.user and os.geteuid() == 0:
            for path in (self.folder, self.data):
                shutil.chown(path, self.user, self.user)
        self.also_removed = ""
        self._guard: subprocess.Popen[bytes] | None = None

    @classmethod
    def find(cls) -> None:
        """Raises: CannotRunError."""

    @property
    def url(self) -> str:
        """The store's URL, without a place of its own."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the data folder's first contents. Idempotent."""

    def command(self) -> list[str]:
        """The command that runs it in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it is ready."""
        raise NotImplementedError

    def start(self) -> "PrivateServer":
        """Start, and wait until it answers."""
        self.prepare()
        (self.folder / "pid").unlink(missing_ok=True)
        command = [sys.executable, str(GUARD), str(self.watched), str(self.folder), *self.command()]
        environment = {**os.environ, "GUARD_USER": self.user, "GUARD_REMOVE": self.also_removed}
        self._guard = subprocess.Popen([*command, *self.options], env=environment, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if (self.folder / "pid").exists() and self.answers():
                    return self
            except OSError:
                pass
            if self._guard.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.kind} does not start:\n{self.log_tail()}")
            time.sleep(0.02)

    def log_tail(self) -> str:
        """The last lines of its log."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def _processes(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(int((self.folder / "pid").read_text()))
            return [own, *own.children(recursive=True)]
        except (OSError, ValueError, psutil.NoSuchProcess):
            return []

    def _signal(self, number: int) -> None:
        for process in self._processes():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def _wait(self) -> None:
        if self._guard is not None:
            self._guard.wait(STOP_SECONDS)
            self._guard = None

    def stop(self) -> None:
        """End in its own good way."""
        processes = self._processes()
        if processes:
            processes[0].send_signal(self.stop_signal)
        self._wait()

    def kill(self) -> None:
        """kill -9 of all its processes."""
        self._signal(signal.SIGKILL)
        self._wait()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Make it stand still: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its folder. Idempotent."""
        self.resume()
        self.kill()
        if self._is_mounted:
            subprocess.run(["umount", "-l", str(self.data)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "PrivateServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class RedisServer(PrivateServer):
    """Redis. Debian's redis-tools has the server under another name."""

    kind = "redis"

    @classmethod
    def find(cls) -> None:
        cls.binary()

    @staticmethod
    def binary() -> str:
        if found := shutil.which("redis-server"):
            return found
        linked = REPOSITORY / ".tools" / "servers" / "redis-server"
        if linked.exists():
            return str(linked)
        raise CannotRunError("redis-server is not installed (Debian: redis-tools)")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        durable = (
            ["--appendonly", "yes", "--appendfsync", "always"] if self.is_durable else ["--appendonly", "no"]
        )
        return [
            *(self.binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data)),
            *("--daemonize", "no", "--save", "", *durable),
        ]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))


class PostgresServer(PrivateServer):
    """PostgreSQL, which refuses to run as root."""

    kind = "postgres"
    user = "postgres"
    stop_signal = signal.SIGINT

    @classmethod
    def find(cls) -> None:
        cls.binaries()
        if os.geteuid() == 0:
            try:
                pwd.getpwnam(cls.user)
            except KeyError:
                raise CannotRunError(
                    "there is no user postgres, and PostgreSQL refuses to run as root"
                ) from None

    @staticmethod
    def binaries() -> Path:
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
        path = found[-1] if found else shutil.which("postgres")
        if path is None:
            raise CannotRunError("postgres is not installed (Debian: postgresql-15)")
        return Path(path).parent

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        entry = pwd.getpwnam(self.user) if os.geteuid() == 0 else None
        user: dict[str, Any] = (
            {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []} if entry is not None else {}
        )
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        command = [str(self.binaries() / "initdb"), "-D", str(self.data), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user)

    def command(self) -> list[str]:
        fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        settings = [
            *("listen_addresses=127.0.0.1", "shared_buffers=64MB", "max_connections=200"),
            *([] if self.is_durable else fast),
        ]
        place = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.folder)]
        return [str(self.binaries() / "postgres"), *place, *(x for one in settings for x in ("-c", one))]

    def answers(self) -> bool:
        command = [str(self.binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0


class MariaServer(PrivateServer):
    """MariaDB."""

    kind = "mariadb"

    @classmethod
    def find(cls) -> None:
        cls.binary()
        if shutil.which("mariadb-install-db") is None:
            raise CannotRunError("mariadb-install-db is not installed (Debian: mariadb-server-core)")

    @staticmethod
    def binary() -> str:
        found = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
        if found is None:
            raise CannotRunError("mariadbd is not installed (Debian: mariadb-server-core)")
        return found

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/"

    def prepare(self) -> None:
        if (self.data / "mysql").exists():
            return
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", *self._common(), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def _common(self) -> list[str]:
        return [f"--user={pwd.getpwuid(os.geteuid()).pw_name}", "--innodb-log-file-size=16M"]

    def command(self) -> list[str]:
        fast = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        durable = ["--innodb-flush-log-at-trx-commit=1"]
        return [
            *(self.binary(), "--no-defaults", *self._common(), f"--datadir={self.data}"),
            *(f"--socket={self.folder}/s", f"--pid-file={self.folder}/p", "--bind-address=127.0.0.1"),
            *(f"--port={self.port}", "--skip-name-resolve", "--innodb-buffer-pool-size=64M"),
            *("--max-connections=200", *(durable if self.is_durable else fast)),
        ]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            greeting = connection.recv(5)
        return len(greeting) == 5 and greeting[4] != 0xFF


class MysqlServer(PrivateServer):
    """MySQL 9, unpacked to .tools/mysql by `MYSQL=1 make setup-test`, with a C library of its own."""

    kind = "mysql"
    ROOT = REPOSITORY / ".tools" / "mysql"

    @classmethod
    def find(cls) -> None:
        if not (cls.ROOT / "usr" / "sbin" / "mysqld").exists():
            raise CannotRunError("MySQL is not unpacked: MYSQL=1 make setup-test")

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/"

    def _base(self) -> list[str]:
        libraries = self.ROOT / "usr" / "lib" / "x86_64-linux-gnu"
        return [
            *(str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)),
            *(str(self.ROOT / "usr" / "sbin" / "mysqld"), "--no-defaults", "--user=root"),
            *(f"--basedir={self.ROOT / 'usr'}", f"--lc-messages-dir={self.ROOT / 'usr' / 'share' / 'mysql'}"),
            *(f"--datadir={self.data}", "--secure-file-priv=NULL", "--skip-log-bin", "--mysqlx=OFF"),
        ]

    def prepare(self) -> None:
        if not (self.data / "mysql").exists():
            command = [*self._base(), "--initialize-insecure"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def command(self) -> list[str]:
        place = [f"--socket={self.folder}/s", f"--pid-file={self.folder}/p", f"--port={self.port}"]
        flush = f"--innodb-flush-log-at-trx-commit={int(self.is_durable)}"
        return [*self._base(), *place, "--bind-address=127.0.0.1", "--max-connections=200", flush]

    answers = MariaServer.answers


SERVERS: dict[str, type[PrivateServer]] = {
    server.kind: server for server in (RedisServer, PostgresServer, MariaServer, MysqlServer)
}
