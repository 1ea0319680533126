"""The address of a store: which kind, where, and its options. Nothing is opened here.

    memory:
    sqlite:PATH                      also sqlite:///PATH and sqlite:////ABSOLUTE
    postgresql://USER:PASSWORD@HOST:PORT/DATABASE
    mysql://USER:PASSWORD@HOST:PORT/DATABASE
    redis://, rediss://              USER:PASSWORD@HOST:PORT/DATABASE
    redis+cluster://, rediss+cluster://      HOST:PORT,HOST:PORT
    redis+sentinel://                HOST:PORT,HOST:PORT/MASTER/DATABASE

Options follow as ?name=value&…; an unknown one is an error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from runwire_server.domain.errors import InvalidRequestError

_SERVER = {"pool_size", "connect_seconds", "command_seconds", "ssl", "ssl_ca", "ssl_cert", "ssl_key"}
_SQL = _SERVER | {"table_prefix", "migrate", "host"}
_REDIS = _SERVER | {"key_prefix"}
# By scheme: the kind, the port that counts when none is given, and the options.
_SCHEMES: Mapping[str, tuple[str, int, set[str]]] = {
    "memory": ("memory", 0, set()),
    "sqlite": ("sqlite", 0, {"synchronous", "migrate"}),
    "postgresql": ("postgresql", 5432, _SQL | {"schema"}),
    "postgres": ("postgresql", 5432, _SQL | {"schema"}),
    "mysql": ("mysql", 3306, _SQL),
    "mariadb": ("mysql", 3306, _SQL),
    "redis": ("redis", 6379, _REDIS),
    "rediss": ("redis", 6379, _REDIS),
    "redis+cluster": ("redis", 6379, _REDIS),
    "rediss+cluster": ("redis", 6379, _REDIS),
    "redis+sentinel": ("redis", 26379, _REDIS),
    "rediss+sentinel": ("redis", 26379, _REDIS),
}
_BOUNDS = {"pool_size": (1, 1000), "connect_seconds": (0.1, 300.0), "command_seconds": (0.1, 300.0)}
_CHOICES = {"ssl": {"disable", "require", "verify-ca", "verify-full"}, "synchronous": {"normal", "full"}}
# A prefix and what follows it fit into the 63 bytes of PostgreSQL's names.
_SQL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
_KEY_PREFIX = re.compile(r"[^{}\s]{0,100}")
_SECRET = re.compile(r"(//[^/?@:]*:).*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """What the query of a store's URL can say.

    pool_size: connections at most. connect_seconds, command_seconds: how long to wait for one, and for an answer.
    ssl: as PostgreSQL's sslmode; ssl_ca, ssl_cert, ssl_key: files. schema: PostgreSQL's; table_prefix: begins every
    table's name; key_prefix: begins every key in Redis. migrate: bring the schema up to date. host: the folder of a
    socket. synchronous: SQLite's, see storage/README.md.
    """

    pool_size: int = 10
    connect_seconds: float = 5.0
    command_seconds: float = 10.0
    ssl: str = ""
    ssl_ca: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""
    schema: str = ""
    table_prefix: str = "runwire_"
    key_prefix: str = "runwire:"
    migrate: bool = True
    host: str = ""
    synchronous: str = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """A parsed URL. `path` is SQLite's file, or what follows the host without its slash."""

    kind: str
    scheme: str
    user: str = ""
    password: str = ""
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    options: StoreOptions = StoreOptions()

    @property
    def host(self) -> tuple[str, int]:
        """The first host and its port."""
        return self.hosts[0]


def parse_store_url(url: str) -> StoreUrl:
    """Return the parsed URL. Raises: InvalidRequestError (field store), which never has the password."""
    scheme = url.partition(":")[0]
    if scheme not in _SCHEMES or ":" not in url:
        raise _wrong(f"there is no store for {scheme[:40]!r}: use {', '.join(sorted(_SCHEMES))}")
    kind, port, known = _SCHEMES[scheme]
    rest, _, query = url.partition(":")[2].partition("?")
    options = _options(scheme, query, known)
    if kind == "memory":
        if rest not in {"", "//"}:
            raise _wrong("memory has no path: memory:")
        return StoreUrl(kind=kind, scheme=scheme, options=options)
    if kind == "sqlite":
        return StoreUrl(kind=kind, scheme=scheme, path=str(_sqlite_path(rest)), options=options)
    if not rest.startswith("//"):
        raise _wrong(f"{scheme} needs a host: {scheme}://HOST:{port}/…")
    split = urlsplit(f"{scheme.replace('+', '-')}:{rest}")
    user, password, hosts = _authority(split, port)
    path = unquote(split.path.lstrip("/"))
    if kind == "mysql" and not path:
        raise _wrong(f"{scheme} needs a database: {scheme}://HOST/DATABASE")
    return StoreUrl(
        kind=kind,
        scheme=scheme,
        user=user,
        password=password,
        hosts=hosts,
        path=path,
        options=options,
    )


def safe_url(url: str) -> str:
    """Return the URL without its password, for people to read."""
    return _SECRET.sub(r"\1***@", url)


def _authority(split: SplitResult, port: int) -> tuple[str, str, tuple[tuple[str, int], ...]]:
    login, _, places = split.netloc.rpartition("@")
    user, _, password = login.partition(":")
    hosts = []
    for place in places.split(","):
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*))(?::(\d{1,5}))?", place)
        if found is None or int(found[3] or port) > 65535:
            raise _wrong(
                "has a host that is none; a password with special characters must be percent-encoded"
            )
        hosts.append((found[1] or found[2] or "127.0.0.1", int(found[3] or port)))
    return unquote(user), unquote(password), tuple(hosts)


def _options(scheme: str, query: str, known: set[str]) -> StoreOptions:
    values: dict[str, Any] = {}
    kinds = {field.name: field.type for field in fields(StoreOptions)}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            offered = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise _wrong(f"{scheme} has no option {name[:40]!r}; {offered}")
        values[name] = _value(name, text, kinds[name])
    return StoreOptions(**values)


def _value(name: str, text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() not in {"true", "false", "1", "0"}:
            raise _wrong(f"option {name} is {text[:40]!r}; true or false is allowed")
        return text.lower() in {"true", "1"}
    if name in _BOUNDS:
        low, high = _BOUNDS[name]
        try:
            number = kind(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise _wrong(f"option {name} is {text[:40]!r}; {low:g} to {high:g} is allowed")
        return number
    if name in _CHOICES and text not in _CHOICES[name]:
        raise _wrong(f"option {name} is {text[:40]!r}; {', '.join(sorted(_CHOICES[name]))} are allowed")
    if name in {"schema", "table_prefix"} and text and not _SQL_NAME.fullmatch(text):
        raise _wrong(f"option {name} is {text[:40]!r}; up to 30 letters, digits and _ are allowed")
    if name == "key_prefix" and not _KEY_PREFIX.fullmatch(text):
        raise _wrong("option key_prefix must have at most 100 characters, and no braces or spaces")
    return text


def _sqlite_path(rest: str) -> Path:
    path = rest[3:] if rest.startswith("///") else rest
    if not path or path.startswith("//"):
        raise _wrong("sqlite needs a path: sqlite:runwire.db")
    if path == ":memory:":
        raise _wrong("several connections cannot share :memory: - use memory:")
    return Path(path)


def _wrong(description: str) -> InvalidRequestError:
    return InvalidRequestError.of("store", description)
