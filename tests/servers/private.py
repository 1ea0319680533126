"""The kinds of private servers. Each runs as root and as anybody else."""

import glob
import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import ClassVar

from servers.process import CannotRunError, PrivateServer, free_port

REPOSITORY = Path(__file__).resolve().parents[2]

__all__ = [
    "SERVERS",
    "CannotRunError",
    "MariaServer",
    "MysqlServer",
    "PostgresServer",
    "PrivateServer",
    "RedisServer",
    "free_port",
]


class RedisServer(PrivateServer):
    """Redis. Debian's redis-tools has the server under another name."""

    kind = "redis"

    @classmethod
    def find(cls) -> None:
        super().find()
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
            *("--daemonize", "no", "--save", "", "--maxclients", str(self.max_connections), *durable),
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
        super().find()
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

    def preparation(self) -> list[str] | None:
        if (self.data / "PG_VERSION").exists():
            return None
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        return [str(self.binaries() / "initdb"), "-D", str(self.data), *options]

    def command(self) -> list[str]:
        fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        settings = [
            *("listen_addresses=127.0.0.1", "shared_buffers=64MB", f"max_connections={self.max_connections}"),
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
        super().find()
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

    def preparation(self) -> list[str] | None:
        if (self.data / "mysql").exists():
            return None
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        return ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", *self._common(), *options]

    def _common(self) -> list[str]:
        return [f"--user={_login()}", "--innodb-log-file-size=16M"]

    def command(self) -> list[str]:
        fast = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        durable = ["--innodb-flush-log-at-trx-commit=1"]
        return [
            *(self.binary(), "--no-defaults", *self._common(), f"--datadir={self.data}"),
            *(f"--socket={self.folder}/s", f"--pid-file={self.folder}/p", "--bind-address=127.0.0.1"),
            *(f"--port={self.port}", "--skip-name-resolve", "--innodb-buffer-pool-size=64M"),
            *(f"--max-connections={self.max_connections}", *(durable if self.is_durable else fast)),
        ]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            greeting = connection.recv(5)
        return len(greeting) == 5 and greeting[4] != 0xFF


class MysqlServer(PrivateServer):
    """MySQL 9, unpacked to .tools/mysql by `MYSQL=1 make setup-test`, with a C library of its own."""

    kind = "mysql"
    ROOT: ClassVar[Path] = REPOSITORY / ".tools" / "mysql"

    @classmethod
    def find(cls) -> None:
        super().find()
        if not (cls.ROOT / "usr" / "sbin" / "mysqld").exists():
            raise CannotRunError("MySQL is not unpacked: MYSQL=1 make setup-test")

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/"

    def _base(self) -> list[str]:
        machine = platform.machine()
        libraries = self.ROOT / "usr" / "lib" / f"{machine}-linux-gnu"
        loader = libraries / f"ld-linux-{machine.replace('_', '-')}.so.{2 if machine == 'x86_64' else 1}"
        return [
            *(str(loader), "--library-path", str(libraries)),
            *(str(self.ROOT / "usr" / "sbin" / "mysqld"), "--no-defaults", f"--user={_login()}"),
            *(f"--basedir={self.ROOT / 'usr'}", f"--lc-messages-dir={self.ROOT / 'usr' / 'share' / 'mysql'}"),
            *(f"--datadir={self.data}", "--secure-file-priv=NULL", "--skip-log-bin", "--mysqlx=OFF"),
        ]

    def preparation(self) -> list[str] | None:
        return None if (self.data / "mysql").exists() else [*self._base(), "--initialize-insecure"]

    def command(self) -> list[str]:
        place = [f"--socket={self.folder}/s", f"--pid-file={self.folder}/p", f"--port={self.port}"]
        flush = f"--innodb-flush-log-at-trx-commit={int(self.is_durable)}"
        return [
            *self._base(),
            *place,
            "--bind-address=127.0.0.1",
            f"--max-connections={self.max_connections}",
            flush,
        ]

    answers = MariaServer.answers


def _login() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


SERVERS: dict[str, type[PrivateServer]] = {
    server.kind: server for server in (RedisServer, PostgresServer, MariaServer, MysqlServer)
}
