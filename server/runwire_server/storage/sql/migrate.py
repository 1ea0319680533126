"""Bring a database's schema up to date, or refuse to use one that is not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateSchema
from sqlalchemy.sql import quoted_name

from runwire_server.domain.errors import UnavailableError
from runwire_server.storage.schema import MigrationStatus

_SCRIPTS = Path(__file__).parent / "migrations"
# Any number, the same for all replicas.
_LOCK = 7_286_946_283
# Less than what opening a store may take.
_LOCK_SECONDS = 50


@dataclass(frozen=True, slots=True)
class Names:
    """What a store's tables are called: `prefix` begins all names, `schema` is PostgreSQL's.

    `version_table` knows the schema's version.
    """

    prefix: str = ""
    schema: str = ""
    version_table: str = "runwire_schema"

    @property
    def quoted_schema(self) -> quoted_name | None:
        """The schema, for statements: as it is written, whatever it is."""
        return quoted_name(self.schema, quote=True) if self.schema else None


def migrate(connection: Connection, names: Names, target: str = "") -> str:
    """Apply what is missing, in the caller's transaction, and return the schema's version.

    Of several replicas that start at once one does it; the others wait. Empty `target`: the newest revision.

    Raises: UnavailableError for a schema that is newer than this version of Runwire.
    """
    # Alembic takes a while to import, and only a start needs it.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    _lock(connection, names)
    script = ScriptDirectory(str(_SCRIPTS))
    head = target or str(script.get_current_head())
    with EnvironmentContext(Config(), script, destination_rev=head) as environment:
        environment.configure(
            connection=connection,
            version_table=names.version_table,
            version_table_schema=names.quoted_schema,
            index_prefix=names.prefix,
            fn=lambda revision, _: script._upgrade_revs(head, revision),  # noqa: SLF001 -- as alembic.command does
        )
        _refuse_newer(environment.get_context().get_current_revision(), script)
        # Not begin_transaction(): the transaction is the caller's.
        environment.run_migrations()
    return head


def status(connection: Connection, names: Names) -> MigrationStatus:
    """Return how far the schema is. Raises: UnavailableError for one that is newer than this version of Runwire."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_SCRIPTS))
    options = {"version_table": names.version_table, "version_table_schema": names.quoted_schema}
    has_table = inspect(connection).has_table(names.version_table, schema=names.schema or None)
    context = MigrationContext.configure(connection, opts=options)
    current = context.get_current_revision() if has_table else None
    _refuse_newer(current, script)
    head = str(script.get_current_head())
    revisions = script.iterate_revisions(head, current) if current != head else ()
    return MigrationStatus(current or "", head, tuple(reversed([str(one.revision) for one in revisions])))


def require_current(connection: Connection, names: Names) -> None:
    """Raises: UnavailableError when the schema is not the one that this version needs."""
    if status(connection, names).pending:
        raise UnavailableError("the store's schema is not up to date: run `runwire migrate`")


def _lock(connection: Connection, names: Names) -> None:
    """Let one process migrate at a time, until the transaction or the connection ends. SQLite does so by itself."""
    match connection.dialect.name:
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if names.quoted_schema and not inspect(connection).has_schema(names.schema):
                connection.execute(CreateSchema(names.quoted_schema, if_not_exists=True))
        case "mysql" | "mariadb":
            # These locks are the server's, and their names are short: stores that share one only wait.
            has_lock = connection.execute(
                text("SELECT GET_LOCK(:lock, :seconds)"),
                {"lock": f"runwire {names.prefix}", "seconds": _LOCK_SECONDS},
            )
            if not has_lock.scalar():
                raise UnavailableError("another process has been migrating the store for too long")
            if getattr(connection.dialect, "is_mariadb", False):
                # It remarks that it ignores names of primary keys, which asyncmy logs. MySQL does not, nor may
                # everybody say this there.
                connection.execute(text("SET SESSION max_error_count = 0"))


def _refuse_newer(current: str | None, script: Any) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise UnavailableError(
            f"the store's schema ({current}) is newer than this version of runwire: upgrade runwire"
        )
