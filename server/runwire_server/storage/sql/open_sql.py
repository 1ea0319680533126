"""Open an SQL database as a store."""

import asyncio
import importlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from runwire_server.domain.errors import InvalidRequestError, RunwireError, UnavailableError
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Retention
from runwire_server.storage.codec import warm_up
from runwire_server.storage.schema import MigrationStatus
from runwire_server.storage.sql.append import Answer, Prepared, append_all
from runwire_server.storage.sql.direct import driver_of
from runwire_server.storage.sql.failures import is_failure
from runwire_server.storage.sql.migrate import Names, migrate, require_current, status
from runwire_server.storage.sql.servers import ServerDatabase
from runwire_server.storage.sql.sqlite import SqliteDatabase, make_engine
from runwire_server.storage.sql.store import SqlStore
from runwire_server.storage.sql.tables import renaming
from runwire_server.storage.sql.transaction import Transaction
from runwire_server.storage.url import StoreUrl

_RECYCLE_SECONDS = 1800
_OPEN_SECONDS = 60.0


async def open_sql(url: StoreUrl, retention: Retention, clock: Callable[[], float] | None) -> SqlStore:
    """Open the database. Raises: UnavailableError; InvalidRequestError for files of TLS that are none."""
    if url.kind == "sqlite" and not url.options.migrate:
        await asyncio.to_thread(_require_file, Path(url.path))
    await prepare(url, migrate if url.options.migrate else require_current)
    transaction = beginning(retention, clock)

    def append(connection: Connection, writes: Sequence[Prepared]) -> list[Answer]:
        return append_all(transaction(connection), writes)

    if url.kind == "sqlite":
        database = await SqliteDatabase.open(Path(url.path), append, synchronous=url.options.synchronous)
        return SqlStore("sqlite", database, retention, transaction)
    engine = _server_engine(url)
    kind = await _on_server(url, engine, lambda connection: _kind(connection.engine))
    server = ServerDatabase(engine, append, url.options.connect_seconds + url.options.command_seconds)
    return SqlStore(kind, server, retention, transaction)


async def read_status(url: StoreUrl) -> MigrationStatus:
    """Return how far the schema is, and make nothing. Raises: as open_sql."""
    found: MigrationStatus
    if url.kind == "sqlite":
        found = await asyncio.to_thread(_sqlite_status, Path(url.path))
    else:
        found = await prepare(url, status)
    return found


async def prepare(url: StoreUrl, work: Callable[[Connection, Names], Any]) -> Any:
    """Run work on the schema, in a transaction. Raises: as open_sql."""
    if url.kind == "sqlite":
        return await asyncio.to_thread(prepare_sqlite, Path(url.path), work)
    await asyncio.to_thread(_warm_up, url)
    # Migrating reads files: with a loop of its own it disturbs nobody.
    return await asyncio.to_thread(lambda: asyncio.run(_prepare_server(url, work)))


def _warm_up(url: StoreUrl) -> None:
    importlib.import_module("asyncpg" if url.kind == "postgresql" else "asyncmy")
    # It logs the server's notes, such as that the name of a primary key is ignored.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
    warm_up()


async def _prepare_server(url: StoreUrl, work: Callable[[Connection, Names], Any]) -> Any:
    prefix = url.options.table_prefix
    names = Names(prefix, url.options.schema, version_table=f"{prefix}schema")
    # Migrating, or waiting for one who does, may take longer than what calls wait for.
    engine = _server_engine(replace(url, options=replace(url.options, command_seconds=_OPEN_SECONDS)))
    try:
        return await _on_server(url, engine, lambda connection: work(connection, names))
    finally:
        await engine.dispose()


def _sqlite_status(path: Path) -> MigrationStatus:
    if path.parent.is_dir() and not path.exists():
        # What is not there is as far as what is empty.
        with create_engine("sqlite://").begin() as connection:
            return status(connection, Names())
    found: MigrationStatus = prepare_sqlite(path, status)
    return found


def _require_file(path: Path) -> None:
    if path.parent.is_dir() and not path.exists():
        raise UnavailableError(f"there is no file {path} for the store: run `runwire migrate` to make one")


def prepare_sqlite(path: Path, work: Callable[[Connection, Names], Any]) -> Any:
    """Run work on the schema of a file, which is made when it is not there. Blocks. Raises: UnavailableError."""
    if not path.parent.is_dir():
        raise UnavailableError(f"there is no folder {path.parent} for the store")
    try:
        # A schema that is up to date is only read: while others write all the time, SQLite's write lock may take
        # longer to get than anyone waits.
        with _beginning(path, "BEGIN") as connection:
            if not status(connection, Names()).pending:
                return work(connection, Names())
        # One process migrates at a time: the transaction takes the lock before it looks.
        with _beginning(path, "BEGIN IMMEDIATE") as connection:
            return work(connection, Names())
    except Exception as error:
        if not is_failure(error):
            raise
        raise _cannot_open(str(path), error) from error


@contextmanager
def _beginning(path: Path, begin: str) -> Iterator[Connection]:
    engine = make_engine(path, begin=begin, connections=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


async def _on_server(url: StoreUrl, engine: AsyncEngine, work: Callable[[Connection], Any]) -> Any:
    host, port = url.host
    place = url.options.host or f"{host}:{port}"
    try:
        async with asyncio.timeout(_OPEN_SECONDS), engine.begin() as connection:
            return await connection.run_sync(work)
    except Exception as error:
        if not is_failure(error):
            raise
        raise _cannot_open(f"{url.kind} at {place}", error) from error


def _cannot_open(place: str, error: Exception) -> RunwireError:
    cause: BaseException = getattr(error, "orig", None) or error
    # SQLAlchemy's own exceptions have the driver's behind them.
    cause = cause.__cause__ if cause.__cause__ is not None and cause is not error else cause
    # asyncmy's exceptions are a number and a text.
    text = str(cause.args[1] if len(cause.args) > 1 and isinstance(cause.args[0], int) else cause)
    why = text.strip().partition("\n")[0] or type(error).__name__
    return UnavailableError(f"cannot open the store {place}: {why}")


def beginning(retention: Retention, clock: Callable[[], float] | None) -> Callable[[Connection], Transaction]:
    """Return what makes a connection's transaction a store's."""
    now = clock or time.time
    is_real = clock is None
    return lambda c: Transaction(c, retention, round(now() * 1_000_000), is_real, driver_of(c))


def _server_engine(url: StoreUrl) -> AsyncEngine:
    options = url.options
    is_postgres = url.kind == "postgresql"
    host, port = url.host
    engine = create_async_engine(
        URL.create(
            "postgresql+asyncpg" if is_postgres else "mysql+asyncmy",
            username=url.user or None,
            password=(url.password or None) if is_postgres else None,
            host=None if options.host else host,
            port=None if options.host and not is_postgres else port,
            database=url.path or None,
        ),
        isolation_level="READ COMMITTED",
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=options.connect_seconds,
        pool_recycle=_RECYCLE_SECONDS,
        connect_args=_postgres_arguments(url) if is_postgres else _mysql_arguments(url),
    )
    quote = '"' if is_postgres else "`"
    rename_tables(engine.sync_engine, renaming(options.table_prefix, options.schema, quote))
    return engine


def _postgres_arguments(url: StoreUrl) -> dict[str, Any]:
    options = url.options
    arguments: dict[str, Any] = {
        "timeout": options.connect_seconds,
        "command_timeout": options.command_seconds,
        # One that hangs between statements must not keep its locks for ever.
        "server_settings": {
            "application_name": "runwire",
            # Sooner than the command's own time is over: then it is known which work is kept waiting.
            "lock_timeout": str(int(options.command_seconds * 500)),
            "idle_in_transaction_session_timeout": str(int(options.command_seconds * 2000)),
        },
        "ssl": _tls(url) or options.ssl or "prefer",
    }
    if options.host:
        arguments["host"] = options.host
    return arguments


def _mysql_arguments(url: StoreUrl) -> dict[str, Any]:
    options = url.options
    arguments: dict[str, Any] = {
        "connect_timeout": options.connect_seconds,
        "charset": "utf8mb4",
        # Of text asyncmy would make Latin-1.
        "password": url.password.encode(),
        "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES', innodb_lock_wait_timeout = "
        f"{max(1, int(options.command_seconds / 2))}",
    }
    if options.host:
        arguments["unix_socket"] = options.host
    if context := _tls(url):
        arguments["ssl"] = context
    return arguments


def _tls(url: StoreUrl) -> ssl.SSLContext | None:
    """Return the context that the options ask for: as PostgreSQL's sslmode. None: no TLS."""
    options = url.options
    mode = options.ssl or ("verify-full" if options.ssl_ca else "")
    if mode in {"", "disable"}:
        return None
    try:
        context = ssl.create_default_context(cafile=options.ssl_ca or None)
        if options.ssl_cert:
            context.load_cert_chain(options.ssl_cert, options.ssl_key or None)
    except OSError as error:
        raise InvalidRequestError.of("store", f"cannot read the files of TLS: {error}") from error
    context.check_hostname = mode == "verify-full"
    if mode == "require" and not options.ssl_ca:
        context.verify_mode = ssl.CERT_NONE
    return context


def rename_tables(engine: Engine, rename: Callable[[str], str]) -> None:
    """Make all statements of an engine use a store's own names of tables."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def renamed(
        _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: object
    ) -> tuple[str, Any]:
        return rename(statement), parameters


def _kind(engine: Engine) -> str:
    if engine.dialect.name == "postgresql":
        return "postgresql"
    return "mariadb" if getattr(engine.dialect, "is_mariadb", False) else "mysql"
