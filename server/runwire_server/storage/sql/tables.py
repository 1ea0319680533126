"""The tables. Migrations make them; this is what statements are written against.

Times are microseconds since 1970, UTC. Names are compared as they are: case and all.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = String(255)
# SQLite counts only INTEGER keys by itself.
_ORDINAL = BigInteger().with_variant(Integer, "sqlite")

sessions = Table(
    "sessions",
    metadata,
    Column("app_name", _NAME, primary_key=True),
    Column("user_id", _NAME, primary_key=True),
    Column("session_id", _NAME, primary_key=True),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    Index("sessions_by_update", "app_name", "user_id", "update_time"),
)

session_events = Table(
    "session_events",
    metadata,
    Column("app_name", _NAME, primary_key=True),
    Column("user_id", _NAME, primary_key=True),
    Column("session_id", _NAME, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", _NAME, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("is_user", SmallInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Index("session_events_by_id", "event_id"),
)

state = Table(
    "state",
    metadata,
    Column("tier", String(16), primary_key=True),
    Column("app_name", _NAME, primary_key=True),
    Column("user_id", _NAME, primary_key=True),
    Column("session_id", _NAME, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("ordinal", _ORDINAL, primary_key=True, autoincrement=True),
    Column("app_name", _NAME, nullable=False),
    Column("request_id", _NAME, nullable=False),
    Column("user_id", _NAME, nullable=False),
    Column("session_id", _NAME, nullable=False),
    Column("agent_name", _NAME, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", _NAME, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("end_time", BigInteger),
    Column("cancel_mode", String(16)),
    Column("cancel_reason", Text),
    Column("fingerprint", _NAME, nullable=False),
    # What the run was asked, written once; and the rest of its record, written with every append.
    Column("input", Text, nullable=False),
    Column("record", Text, nullable=False),
    UniqueConstraint("app_name", "request_id", name="runs_by_name"),
    Index("runs_by_app", "app_name", "ordinal"),
    Index("runs_by_session", "app_name", "user_id", "session_id"),
    Index("runs_by_state", "state", "owner"),
    Index("runs_by_end", "end_time"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("app_name", _NAME, primary_key=True),
    Column("request_id", _NAME, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("envelope", Text, nullable=False),
)

cancel_marks = Table(
    "cancel_marks",
    metadata,
    Column("app_name", _NAME, primary_key=True),
    Column("request_id", _NAME, primary_key=True),
    Column("mode", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("replica", _NAME, primary_key=True),
    Column("expire_time", BigInteger, nullable=False),
)


def to_micros(time: datetime) -> int:
    """Return the time as stored."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Return the stored time."""
    return _EPOCH + timedelta(microseconds=value)
