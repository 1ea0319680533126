"""What the functions of this package work with: a connection in a transaction, the operator's rules, and the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Executable
from sqlalchemy.sql.dml import UpdateBase

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

    def execute_many(self, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement for each row; all rows have the same keys, and values that need no conversion.

        As `execute` with a list, without what SQLAlchemy does for each row, which costs more than the driver does.
        """
        if rows:
            text, names = _compiled(self.connection.dialect, statement, tuple(rows[0]))
            self.connection.exec_driver_sql(text, [tuple(row[name] for name in names) for row in rows])


@lru_cache(1000)
def _compiled(dialect: Dialect, statement: UpdateBase, keys: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the statement as the driver reads it, and the names of its parameters in their order."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    return compiled.string, tuple(compiled.positiontup or ())
