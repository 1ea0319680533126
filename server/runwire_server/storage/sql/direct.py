"""Statements of SQLAlchemy on SQLite's own connection. SQLAlchemy writes each once, and is not asked again.

What it does around a statement (keys of caches, contexts, results, transactions) costs ten times what SQLite does in
it. Only values that SQLite takes and gives as they are may be in such a statement: numbers, text and NULL.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, cast

from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler

Parameters = Mapping[str, Any]


class Rows(Protocol):
    """What is used of a statement's result, as sqlalchemy.CursorResult has it."""

    @property
    def inserted_primary_key(self) -> Any:
        """The key of the row that was inserted, as a tuple."""

    def __iter__(self) -> Iterator[Any]: ...

    def all(self) -> Sequence[Any]:
        """Return all rows."""
        ...

    def first(self) -> Any:
        """Return the first row, or None."""
        ...

    def one(self) -> Any:
        """Return the only row."""
        ...

    def scalar_one(self) -> Any:
        """Return the value of the only row."""
        ...

    def scalar_one_or_none(self) -> Any:
        """Return the value of the only row, or None when there is none."""
        ...


class _DirectRows:
    """See Rows."""

    __slots__ = ("_rows", "inserted_primary_key")

    def __init__(self, rows: list[Any], last_id: int | None) -> None:
        self._rows = rows
        self.inserted_primary_key = (last_id,)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def first(self) -> Any:
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        if len(self._rows) != 1:
            raise MultipleResultsFound if self._rows else NoResultFound
        return self._rows[0]

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        return self.scalar_one() if self._rows else None


class _Written:
    """A statement as SQLite reads it. `places` says for each of its parameters where its value is found."""

    __slots__ = ("_places", "_row", "text")

    def __init__(self, compiled: SQLCompiler, parameters: Parameters) -> None:
        state = compiled.construct_expanded_state(dict(parameters))
        lists = {
            part: (name, index)
            for name, parts in state.parameter_expansion.items()
            if name in parameters
            for index, part in enumerate(parts)
        }
        self.text = state.statement
        # A name and a place in its list; a name; or a value that is always the same.
        self._places: list[tuple[str, int | None, Any]] = []
        for name in state.positiontup or ():
            if name in lists:
                self._places.append((*lists[name], None))
            elif name in parameters:
                self._places.append((name, None, None))
            else:
                self._places.append(("", None, state.parameters[name]))
        self._row: Callable[[Iterable[Any]], Any] | None = None

    def values(self, parameters: Parameters) -> list[Any]:
        return [
            (parameters[name] if index is None else parameters[name][index]) if name else constant
            for name, index, constant in self._places
        ]

    def rows(self, cursor: sqlite3.Cursor) -> list[Any]:
        make = self._row
        if make is None:
            # The same for each execution, and known only after the first.
            make = self._row = _row_type([column[0] for column in cursor.description])
        return [make(values) for values in cursor.fetchall()]


def _row_type(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    """Return what makes a row of its values, which are found by their names, too."""
    make: Callable[[Iterable[Any]], Any] = namedtuple("Row", names)._make  # type: ignore[attr-defined]
    return make


@lru_cache(1000)
def _written(dialect: Dialect, statement: ClauseElement, shape: tuple[Any, ...]) -> _Written:
    # How long its lists are is all that counts of the values here.
    like = dict((part, None) if isinstance(part, str) else (part[0], [None] * part[1]) for part in shape)
    return _Written(cast(SQLCompiler, statement.compile(dialect=dialect, column_keys=list(like))), like)


def driver_of(connection: Connection) -> sqlite3.Connection | None:
    """Return SQLite's own connection; None when it is another database's."""
    driver = connection.connection.driver_connection
    return driver if isinstance(driver, sqlite3.Connection) else None


def execute(
    driver: sqlite3.Connection, dialect: Dialect, statement: ClauseElement, parameters: Parameters
) -> Rows:
    """Run a statement that is made once."""
    shape = tuple((name, len(value)) if type(value) is list else name for name, value in parameters.items())
    written = _written(dialect, statement, shape)
    cursor = driver.execute(written.text, written.values(parameters))
    return _DirectRows(written.rows(cursor) if cursor.description else [], cursor.lastrowid)


@contextmanager
def transaction(connection: Connection, begin: str) -> Iterator[None]:
    """Begin a transaction of SQLite and commit it; undo it when anything is raised.

    SQLAlchemy does not know of it: to it, all is one transaction that it never ends.
    """
    driver = cast(sqlite3.Connection, driver_of(connection))
    driver.execute(begin)
    try:
        yield
        driver.execute("COMMIT")
    except BaseException:
        # When the disk is full, for example, SQLite has undone it already.
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
