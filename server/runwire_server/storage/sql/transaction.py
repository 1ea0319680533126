"""What the functions of this package work with: a connection in a transaction, the operator's rules, and the time."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection, CursorResult, Dialect, Executable
from sqlalchemy.sql.dml import UpdateBase

from runwire_server.domain.record import record
from runwire_server.domain.retention import Retention
from runwire_server.storage.sql import direct


@record(frozen=True, slots=True)
class Transaction:
    """`at` is the store's time, in microseconds since 1970. `is_real`: the database's own judges leases.

    `driver` is SQLite's own connection, when that is the database.
    """

    connection: Connection
    retention: Retention
    at: int
    is_real: bool = False
    driver: sqlite3.Connection | None = None

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a statement; a list of parameters runs it for each."""
        return self.connection.execute(statement, parameters)

    def run(self, statement: Executable, parameters: Mapping[str, Any]) -> direct.Rows:
        """Run a statement that is made once, with values that need no conversion.

        As `execute`, without what SQLAlchemy does each time. One that is made for the occasion would cost more here,
        and stay in memory.
        """
        if self.driver is None:
            return self.connection.execute(statement, parameters)
        return direct.execute(
            self.driver, self.connection.dialect, cast(ClauseElement, statement), parameters
        )

    def execute_many(self, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement for each row; all rows have the same keys, and values that need no conversion.

        As `execute` with a list, without what SQLAlchemy does for each row, which costs more than the driver does.
        """
        if rows:
            text, names = _compiled(self.connection.dialect, statement, tuple(rows[0]))
            values = [tuple(row[name] for name in names) for row in rows]
            if self.driver is None:
                self.connection.exec_driver_sql(text, values)
            else:
                self.driver.executemany(text, values)


@lru_cache(1000)
def _compiled(dialect: Dialect, statement: UpdateBase, keys: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the statement as the driver reads it, and the names of its parameters in their order."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    return compiled.string, tuple(compiled.positiontup or ())
