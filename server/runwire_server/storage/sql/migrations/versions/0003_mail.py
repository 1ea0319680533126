"""Mail and due times of runs.

Revision ID: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

_LONG = sa.Text().with_variant(mysql.LONGTEXT, "mysql", "mariadb")


def upgrade() -> None:
    """Add columns, which runs that are there have empty, and indexes of those that wait."""
    _column(sa.Column("mail", _LONG))
    _column(sa.Column("mail_version", sa.BigInteger, nullable=False, server_default="0"))
    _column(sa.Column("due_time", sa.BigInteger))
    _index("runs_by_due", "state", "due_time")
    _index("runs_by_cancel", "state", "cancel_mode")


def _column(column: sa.Column[Any]) -> None:
    if not (_commits_each() and column.name in _known("columns")):
        op.add_column("runs", column)


def _index(name: str, *columns: str) -> None:
    """Make an index of runs that wait. All others cost it nothing, where a database can make such an index."""
    prefix = op.get_context().opts.get("index_prefix", "")
    if not (_commits_each() and f"{prefix}{name}" in _known("indexes")):
        only = sa.text("state = 'waiting'")
        op.create_index(f"{prefix}{name}", "runs", list(columns), sqlite_where=only, postgresql_where=only)


def _commits_each() -> bool:
    """Whether a migration that was killed may have done some of this: see the revision before."""
    return op.get_bind().dialect.name in {"mysql", "mariadb"}


def _known(kind: str) -> set[str]:
    prefix = op.get_context().opts.get("index_prefix", "")
    found: list[dict[str, Any]] = getattr(sa.inspect(op.get_bind()), f"get_{kind}")(f"{prefix}runs")
    return {one["name"] for one in found}
