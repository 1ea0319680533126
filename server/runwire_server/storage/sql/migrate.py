"""Bring a database's schema up to date, or refuse to use one that is not."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect

from runwire_server.domain.errors import UnavailableError

_SCRIPTS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "runwire_schema"


def migrate(connection: Connection) -> str:
    """Apply what is missing, in the caller's transaction, and return the schema's version.

    Raises: UnavailableError for a schema that is newer than this version of Runwire.
    """
    # Alembic takes a while to import, and only a start needs it.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_SCRIPTS))
    head = str(script.get_current_head())
    with EnvironmentContext(Config(), script, destination_rev=head) as environment:
        environment.configure(
            connection=connection,
            version_table=_VERSION_TABLE,
            fn=lambda revision, _: script._upgrade_revs(head, revision),  # noqa: SLF001 -- as alembic.command does
        )
        _refuse_newer(environment.get_context().get_current_revision(), script)
        # Not begin_transaction(): the transaction is the caller's.
        environment.run_migrations()
    return head


def require_current(connection: Connection) -> None:
    """Raises: UnavailableError when the schema is not the one that this version needs."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_SCRIPTS))
    has_table = inspect(connection).has_table(_VERSION_TABLE)
    context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
    current = context.get_current_revision() if has_table else None
    _refuse_newer(current, script)
    if current != script.get_current_head():
        raise UnavailableError("the store's schema is not up to date: run `runwire migrate`")


def _refuse_newer(current: str | None, script: Any) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise UnavailableError(
            f"the store's schema ({current}) is newer than this version of runwire: upgrade runwire"
        )
