"""What went wrong in a database, as the domain says it. Knows the codes of SQLite, PostgreSQL, MySQL and MariaDB."""

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from runwire_server.domain.errors import NoRoomError, RunwireError, UnavailableError

# PostgreSQL's SQLSTATE; MySQL's error numbers; SQLite's names.
_UNDONE = {"40001", "40P01", 1213}
_NO_ROOM = {"53100", "53200", 1021, 1041, 1114, 1038, "SQLITE_FULL"}
_NO_CONNECTION = {"53300", 1040, 1203, 1226}
_DRIVERS = ("asyncpg", "asyncmy")


def is_failure(error: Exception) -> bool:
    """Whether the database or the way to it failed, and not our own code."""
    return isinstance(error, SQLAlchemyError | OSError | TimeoutError) or type(error).__module__.startswith(
        _DRIVERS
    )


def was_undone(error: Exception) -> bool:
    """Whether the database undid the transaction only because of another one: it may work when done again."""
    return isinstance(error, IntegrityError) or _code(error) in _UNDONE


def lost_connection(error: Exception) -> bool:
    """Whether the connection was gone, for example because the server was started again."""
    if isinstance(error, DBAPIError):
        return bool(error.connection_invalidated)
    return isinstance(error, ConnectionError)


def is_refusal(error: BaseException | None) -> bool:
    """Whether the database answered, and only this work is what it would not do."""
    return isinstance(error, DBAPIError) and not error.connection_invalidated


def failure(error: Exception) -> RunwireError:
    """Return the domain's error, which says nothing that a caller must not know. Its cause is for the log."""
    code = _code(error)
    made: RunwireError
    if code in _NO_ROOM:
        made = NoRoomError("the store has no room left")
    elif code in _NO_CONNECTION or isinstance(error, PoolTimeoutError):
        made = NoRoomError("the store has no connection left")
    else:
        made = UnavailableError("the store cannot be used at the moment")
    made.__cause__ = error
    return made


def _code(error: Exception) -> object:
    original: object = getattr(error, "orig", None) or error
    # asyncmy's exceptions begin with the number. They have a SQLSTATE, too, which is the same for many.
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int) and not isinstance(original, OSError):
        return arguments[0]
    for name in ("sqlstate", "pgcode", "sqlite_errorname"):
        if (found := getattr(original, name, None)) is not None:
            return found
    return None
