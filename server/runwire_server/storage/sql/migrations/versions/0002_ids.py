"""Sessions with ids, expiry, restoring and tracks; the first revision of PostgreSQL and MySQL.

Revision ID: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_LONG = sa.Text().with_variant(mysql.LONGTEXT, "mysql", "mariadb")
_OLD = ("sessions", "session_events", "state", "run_events")


def upgrade() -> None:
    """Make the tables; in SQLite, move what there is."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        for name in _OLD:
            op.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    _create_sessions()
    _create_run_events()
    if is_sqlite:
        _move()
        for name in _OLD:
            op.drop_table(f"old_{name}")
    else:
        _create_runs()


def _create_sessions() -> None:
    _table(
        "sessions",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _name("app_name"),
        _name("user_id"),
        _name("session_id"),
        sa.Column("live", sa.SmallInteger),
        _name("display_name"),
        _number("create_time"),
        _number("update_time"),
        sa.Column("ttl", sa.BigInteger),
        sa.Column("expire_time", sa.BigInteger),
        sa.Column("delete_time", sa.BigInteger),
        _number("last_position"),
        _number("last_user_position"),
        _number("event_count"),
        sa.Column("state", _LONG, nullable=False),
        sa.Column("tracks", _LONG, nullable=False),
    )
    # NULLs differ from each other: any number of deleted sessions may have a name, and one live one.
    _index("sessions_by_name", "sessions", "app_name", "user_id", "session_id", "live", unique=True)
    _index("sessions_by_user", "sessions", "app_name", "user_id", "update_time")
    _index("sessions_by_expiry", "sessions", "expire_time")
    _index("sessions_by_deletion", "sessions", "delete_time")
    _table(
        "session_events",
        sa.Column("session", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        _name("event_id"),
        _number("create_time"),
        sa.Column("is_user", sa.SmallInteger, nullable=False),
        *_event(),
    )
    _index("session_events_by_name", "session_events", "session", "event_id")
    _table(
        "track_events",
        sa.Column("session", sa.BigInteger, primary_key=True, autoincrement=False),
        _name("track", primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        _number("create_time"),
        sa.Column("expire_time", sa.BigInteger),
        sa.Column("payload", _LONG, nullable=False),
    )
    _index("track_events_by_expiry", "track_events", "expire_time")
    _table(
        "tier_states",
        sa.Column("tier", sa.String(16), primary_key=True),
        _name("app_name", primary_key=True),
        _name("user_id", primary_key=True),
        sa.Column("state", _LONG, nullable=False),
        sa.Column("expire_time", sa.BigInteger),
    )
    _index("tier_states_by_expiry", "tier_states", "expire_time")


def _create_run_events() -> None:
    _table(
        "run_events",
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        *_event(),
    )


def _create_runs() -> None:
    """Make what SQLite has from the first revision on."""
    _table(
        "runs",
        sa.Column("ordinal", _ID, primary_key=True, autoincrement=True),
        _name("app_name"),
        _name("request_id"),
        _name("user_id"),
        _name("session_id"),
        _name("agent_name"),
        sa.Column("state", sa.String(16), nullable=False),
        _name("owner"),
        sa.Column("attempt", sa.Integer, nullable=False),
        _number("last_sequence"),
        sa.Column("end_time", sa.BigInteger),
        sa.Column("cancel_mode", sa.String(16)),
        sa.Column("cancel_reason", _LONG),
        _name("fingerprint"),
        sa.Column("input", _LONG, nullable=False),
        sa.Column("record", _LONG, nullable=False),
    )
    _index("runs_by_name", "runs", "app_name", "request_id", unique=True)
    _index("runs_by_app", "runs", "app_name", "ordinal")
    _index("runs_by_session", "runs", "app_name", "user_id", "session_id")
    _index("runs_by_state", "runs", "state", "owner")
    _index("runs_by_end", "runs", "end_time")
    _table(
        "cancel_marks",
        _name("app_name", primary_key=True),
        _name("request_id", primary_key=True),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("reason", _LONG, nullable=False),
        _number("expire_time"),
    )
    _table("leases", _name("replica", primary_key=True), _number("expire_time"))


def _move() -> None:
    op.execute("""
        INSERT INTO sessions (app_name, user_id, session_id, live, display_name, create_time, update_time,
                              last_position, last_user_position, event_count, state, tracks)
        SELECT s.app_name, s.user_id, s.session_id, 1, '', s.create_time, s.update_time, s.last_position,
               (SELECT coalesce(max(e.position), 0) FROM old_session_events AS e
                WHERE e.app_name = s.app_name AND e.user_id = s.user_id AND e.session_id = s.session_id
                  AND e.is_user = 1),
               s.event_count,
               (SELECT json_group_object(t.name, json(t.value)) FROM old_state AS t
                WHERE t.tier = 'session' AND t.app_name = s.app_name AND t.user_id = s.user_id
                  AND t.session_id = s.session_id),
               '{}'
        FROM old_sessions AS s""")
    op.execute("""
        INSERT INTO session_events (session, position, event_id, create_time, is_user, kind, payload, envelope)
        SELECT s.id, e.position, e.event_id, e.create_time, e.is_user, e.kind, e.payload, e.envelope
        FROM old_session_events AS e JOIN sessions AS s
          ON e.app_name = s.app_name AND e.user_id = s.user_id AND e.session_id = s.session_id""")
    op.execute("""
        INSERT INTO tier_states (tier, app_name, user_id, state)
        SELECT tier, app_name, user_id, json_group_object(name, json(value)) FROM old_state
        WHERE tier <> 'session' GROUP BY tier, app_name, user_id""")
    op.execute("""
        INSERT INTO run_events (run, sequence, kind, payload, envelope)
        SELECT r.ordinal, e.sequence, e.kind, e.payload, e.envelope
        FROM old_run_events AS e JOIN runs AS r ON e.app_name = r.app_name AND e.request_id = r.request_id""")


def _event() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", _LONG, nullable=False),
        sa.Column("envelope", _LONG, nullable=False),
    )


def _name(column: str, *, primary_key: bool = False) -> sa.Column[Any]:
    """Return a column of up to 255 characters that are compared as they are."""
    kind = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
    return sa.Column(column, kind, primary_key=primary_key, nullable=False)


def _number(column: str) -> sa.Column[Any]:
    return sa.Column(column, sa.BigInteger, nullable=False)


def _table(name: str, *columns: sa.Column[Any]) -> None:
    options: dict[str, Any] = {}
    dialect = op.get_bind().dialect
    if dialect.name in {"mysql", "mariadb"}:
        # Both compare code points, and spaces at the end count: the names differ.
        collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        for key, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", collation)):
            options[f"{dialect.name}_{key}"] = value
        # They commit each statement: a process that was killed between two leaves the first ones' tables.
        options["if_not_exists"] = True
    op.create_table(name, *columns, **options)


def _index(name: str, table: str, *columns: str, unique: bool = False) -> None:
    """Make an index, whose name must be unique among those of all tables in a schema."""
    prefix = op.get_context().opts.get("index_prefix", "")
    connection = op.get_bind()
    if connection.dialect.name in {"mysql", "mariadb"}:
        # See _table. MySQL has no CREATE INDEX IF NOT EXISTS.
        known = sa.inspect(connection).get_indexes(f"{prefix}{table}")
        if f"{prefix}{name}" in {index["name"] for index in known}:
            return
    op.create_index(f"{prefix}{name}", table, list(columns), unique=unique)
