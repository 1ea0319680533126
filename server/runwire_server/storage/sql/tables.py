"""The tables. Migrations make them; this is what statements are written against.

Times are microseconds since 1970, UTC. Names are compared as they are: case, accents, spaces at the end and all.
A session is a row with an id of its own, so that one that is deleted keeps its events while another takes its name:
`live` is 1 for the one that counts and NULL for others, and no two live ones can share a name.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sqlalchemy import BigInteger, Column, Integer, MetaData, SmallInteger, String, Table, Text

metadata = MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = String(255)
# SQLite counts only INTEGER keys by itself.
_ID = BigInteger().with_variant(Integer, "sqlite")

sessions = Table(
    "sessions",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("app_name", _NAME, nullable=False),
    Column("user_id", _NAME, nullable=False),
    Column("session_id", _NAME, nullable=False),
    Column("live", SmallInteger),
    Column("display_name", _NAME, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("ttl", BigInteger),
    Column("expire_time", BigInteger),
    Column("delete_time", BigInteger),
    Column("last_position", BigInteger, nullable=False),
    Column("last_user_position", BigInteger, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    # The last position of each track, a JSON object.
    Column("tracks", Text, nullable=False),
)

session_events = Table(
    "session_events",
    metadata,
    Column("session", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", _NAME, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("is_user", SmallInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("envelope", Text, nullable=False),
)

track_events = Table(
    "track_events",
    metadata,
    Column("session", BigInteger, primary_key=True, autoincrement=False),
    Column("track", _NAME, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("create_time", BigInteger, nullable=False),
    Column("expire_time", BigInteger),
    Column("payload", Text, nullable=False),
)

# The state of an app (user_id is empty) or of a user. A session's is in its row.
tier_states = Table(
    "tier_states",
    metadata,
    Column("tier", String(16), primary_key=True),
    Column("app_name", _NAME, primary_key=True),
    Column("user_id", _NAME, primary_key=True),
    Column("state", Text, nullable=False),
    Column("expire_time", BigInteger),
)

runs = Table(
    "runs",
    metadata,
    Column("ordinal", _ID, primary_key=True, autoincrement=True),
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
    # What anybody may write while the run goes on. No mail is NULL, and version 0.
    Column("mail", Text),
    Column("mail_version", BigInteger, nullable=False, server_default="0"),
    Column("due_time", BigInteger),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
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


def optional_micros(time: datetime | None) -> int | None:
    """Return a time that may be none as stored."""
    return None if time is None else to_micros(time)


def optional_time(value: int | None) -> datetime | None:
    """Return a stored time that may be none."""
    return None if value is None else from_micros(value)


def renaming(prefix: str, schema: str, quote: str) -> Callable[[str], str]:
    """Return what turns the tables' names in a statement into those of one store.

    Statements are made once for all stores, values are never part of them, and no column is called as a table is.
    What is quoted already is something else: a schema that is called as a table is.
    """
    names = re.compile(
        rf"(?<!{quote})\b({'|'.join(sorted(metadata.tables, key=len, reverse=True))})\b(?!{quote})"
    )
    named = rf"{quote}{prefix}\1{quote}"
    if schema:
        named = f"{quote}{schema}{quote}.{named}"
    return lru_cache(1000)(lambda statement: names.sub(named, statement))
