"""Sessions, runs, state, leases, in SQLite.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NAME = sa.String(255)
_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the first tables. Other databases begin with the next revision."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table(
        "sessions",
        *_session_key(),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sa.Column("last_position", sa.BigInteger, nullable=False),
        sa.Column("event_count", sa.BigInteger, nullable=False),
    )
    op.create_index("sessions_by_update", "sessions", ["app_name", "user_id", "update_time"])
    op.create_table(
        "session_events",
        *_session_key(),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", _NAME, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("is_user", sa.SmallInteger, nullable=False),
        *_event(),
    )
    op.create_index("session_events_by_id", "session_events", ["event_id"])
    op.create_table(
        "state",
        sa.Column("tier", sa.String(16), primary_key=True),
        *_session_key(),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    _create_runs()
    op.create_table(
        "leases",
        sa.Column("replica", _NAME, primary_key=True),
        sa.Column("expire_time", sa.BigInteger, nullable=False),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("ordinal", _ORDINAL, primary_key=True, autoincrement=True),
        sa.Column("app_name", _NAME, nullable=False),
        sa.Column("request_id", _NAME, nullable=False),
        sa.Column("user_id", _NAME, nullable=False),
        sa.Column("session_id", _NAME, nullable=False),
        sa.Column("agent_name", _NAME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("owner", _NAME, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column("end_time", sa.BigInteger),
        sa.Column("cancel_mode", sa.String(16)),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("fingerprint", _NAME, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.UniqueConstraint("app_name", "request_id", name="runs_by_name"),
    )
    op.create_index("runs_by_app", "runs", ["app_name", "ordinal"])
    op.create_index("runs_by_session", "runs", ["app_name", "user_id", "session_id"])
    op.create_index("runs_by_state", "runs", ["state", "owner"])
    op.create_index("runs_by_end", "runs", ["end_time"])
    op.create_table(
        "run_events",
        *_run_key(),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        *_event(),
    )
    op.create_table(
        "cancel_marks",
        *_run_key(),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("expire_time", sa.BigInteger, nullable=False),
    )


def _session_key() -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, _NAME, primary_key=True) for name in ("app_name", "user_id", "session_id"))


def _run_key() -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, _NAME, primary_key=True) for name in ("app_name", "request_id"))


def _event() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("envelope", sa.Text, nullable=False),
    )
