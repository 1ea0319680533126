"""Open a SQLite file as a store."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from runwire_server.domain.errors import UnavailableError
from runwire_server.storage.sql.migrate import migrate, require_current
from runwire_server.storage.sql.sqlite import SqliteDatabase, make_engine
from runwire_server.storage.sql.store import SqlStore


async def open_sqlite(path: Path, *, may_migrate: bool, clock: Callable[[], float]) -> SqlStore:
    """Open the file, made when it is not there. Raises: UnavailableError."""
    await asyncio.to_thread(prepare_sqlite, path, may_migrate=may_migrate)
    return SqlStore("sqlite", await SqliteDatabase.open(path), clock)


def prepare_sqlite(path: Path, *, may_migrate: bool) -> str:
    """Bring the schema up to date, or only check it. Return its version. Blocks."""
    if not path.parent.is_dir():
        raise UnavailableError(f"there is no folder {path.parent} for the store")
    engine = make_engine(path, begin="BEGIN IMMEDIATE", connections=1)
    try:
        # One process migrates at a time: the transaction takes SQLite's write lock before it looks.
        with engine.begin() as connection:
            if may_migrate:
                return migrate(connection)
            require_current(connection)
            return ""
    except SQLAlchemyError as error:
        why = getattr(error, "orig", None) or error.__class__.__name__
        raise UnavailableError(f"cannot open the store {path}: {why}") from error
    finally:
        engine.dispose()
