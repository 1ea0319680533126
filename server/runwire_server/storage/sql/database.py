"""What the SQL store needs of a database. The work is the same synchronous functions everywhere."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from runwire_server.domain.sessions import SessionEvent
from runwire_server.storage.sql.append import Answer, Prepared

T = TypeVar("T")
# append.append_all with the store's retention and clock.
AppendAll = Callable[[Connection, Sequence[Prepared]], list[Answer]]


class Database(Protocol):
    """Runs work in transactions. Its driver's exceptions come out as UnavailableError.

    Work may be run again from its beginning when the database undid it (a deadlock, two that insert the same), so it
    does nothing but talk to its connection.
    """

    @property
    def has_one_writer(self) -> bool:
        """Whether writes come one after the other, each seeing all those before it."""
        ...

    async def read(self, work: Callable[[Connection], T], *, is_short: bool = False) -> T:
        """Run work that only reads. Each of its statements sees what was committed when it began.

        `is_short`: it reads at most some hundred rows, which it finds at once.
        """
        ...

    async def write(self, work: Callable[[Connection], T], *, is_short: bool = False) -> T:
        """Run work in a transaction of its own. It goes on to its end when the caller is cancelled.

        `is_short`: it writes a few rows, and reads about as many.
        """
        ...

    async def append(self, write: Prepared) -> SessionEvent | None:
        """Append, together with whatever other appends wait (group commit). Returns once it is durable.

        Raises: what append.append_all answers to this one.
        """
        ...

    async def close(self) -> None:
        """Finish the writes that wait, and release connections. Idempotent."""
        ...
