"""What a bare driver does: the same writes as a batch of appends, and the same reads."""

from collections.abc import Sequence
from typing import Any, Protocol

from runwire_server.domain.ids import SessionKey
from runwire_server.storage.port import Append


class Bare(Protocol):
    """One connection of a bare driver to the place where the store keeps its data.

    A batch is what `encoded` made of appends: encoding is no part of what is timed. What is left out, too: waking a
    task for each append, checking that the writer may write (but see `with_reads`), and errors.
    """

    # The ways in which it can write a batch, see README.md.
    ways: Sequence[str]

    def version(self) -> str:
        """The server's version."""
        ...

    async def learn(self, appends: Sequence[Append]) -> None:
        """Find the rows that these appends go to."""
        ...

    def encoded(self, appends: Sequence[Append]) -> Any:
        """Return a batch ready to be sent."""
        ...

    async def write(self, batch: Any, way: str) -> None:
        """Write a batch and wait until it is durable."""
        ...

    async def newest(self, session: SessionKey, limit: int) -> list[tuple[int, str, str, str]]:
        """Return position, kind, payload and envelope of a session's newest events."""
        ...

    async def ping(self) -> None:
        """Do the cheapest round trip."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
