"""What the functions of this package work with: a connection in a transaction, the operator's rules, and the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable

from runwire_server.domain.retention import Retention


@dataclass(frozen=True, slots=True)
class Transaction:
    """`at` is the store's time, in microseconds since 1970. `is_real`: the database's own judges leases."""

    connection: Connection
    retention: Retention
    at: int
    is_real: bool = False

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a statement; a list of parameters runs it for each."""
        return self.connection.execute(statement, parameters)
