"""What the SQL store needs of a database. The work is the same synchronous functions everywhere."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from runwire_server.storage.sql.append import PreparedAppend

T = TypeVar("T")


class Database(Protocol):
    """Runs work in transactions. Its driver's exceptions come out as UnavailableError."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work that only reads, on one consistent view."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction of its own. It goes on to its end when the caller is cancelled."""
        ...

    async def append(self, write: PreparedAppend) -> None:
        """Append, together with whatever other appends wait (group commit). Returns once it is durable.

        Raises: what append.append_all says of this append.
        """
        ...

    async def close(self) -> None:
        """Finish the writes that wait, and release connections. Idempotent."""
        ...
