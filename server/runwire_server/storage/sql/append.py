"""Group commit: the appends of many runs in one transaction, with a few statements for all of them.

A statement each would cost more in building it than in running it, and a round trip each on a database elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from runwire_server.domain.errors import FencedError, NotFoundError, RunwireError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.storage.codec import StoredEvent, encode_event, encode_value
from runwire_server.storage.port import Append
from runwire_server.storage.sql.runs import ENDED, changing_columns
from runwire_server.storage.sql.sessions import event_row
from runwire_server.storage.sql.state import merge_delta
from runwire_server.storage.sql.tables import run_events, runs, session_events, sessions, to_micros

# Names of one owner at a time: SQLite looks whole tables through for pairs of columns that are IN a list.
_PLACES = (
    select(runs.c.request_id, runs.c.attempt, runs.c.last_sequence, runs.c.state)
    .where(runs.c.app_name == bindparam("app"), runs.c.request_id.in_(bindparam("names", expanding=True)))
    .order_by(runs.c.request_id)
    .with_for_update()
)
_POSITIONS = (
    select(sessions.c.session_id, sessions.c.last_position)
    .where(
        sessions.c.app_name == bindparam("app"),
        sessions.c.user_id == bindparam("user"),
        sessions.c.session_id.in_(bindparam("names", expanding=True)),
    )
    .order_by(sessions.c.session_id)
    .with_for_update()
)
_ADVANCE = update(runs).where(
    runs.c.app_name == bindparam("of_app"), runs.c.request_id == bindparam("of_request")
)
_MOVE = (
    update(sessions)
    .where(
        sessions.c.app_name == bindparam("of_app"),
        sessions.c.user_id == bindparam("of_user"),
        sessions.c.session_id == bindparam("of_session"),
    )
    .values(
        last_position=sessions.c.last_position + bindparam("added"),
        event_count=sessions.c.event_count + bindparam("added"),
        update_time=bindparam("now"),
    )
)


@dataclass(frozen=True, slots=True)
class PreparedAppend:
    """An append as rows. The rows of `session_events` have no position yet."""

    write: Append
    run: dict[str, Any]
    events: list[dict[str, Any]]
    session_events: list[dict[str, Any]]


def prepare(write: Append) -> PreparedAppend:
    """Encode an append before it joins others, so that one that cannot be encoded fails alone.

    Raises: ValueError for what JSON cannot hold.
    """
    run = write.run
    # Most events of a session are the run's events too: encode each once.
    stored: dict[int, StoredEvent] = {
        id(event): encode_event(event) for event in {id(e): e for e in _all_events(write)}.values()
    }
    if write.state_delta:
        encode_value(write.state_delta)
    return PreparedAppend(
        write,
        {"of_app": run.key.app_name, "of_request": run.key.request_id, **changing_columns(run)},
        [
            {
                "app_name": run.key.app_name,
                "request_id": run.key.request_id,
                "sequence": event.sequence,
                **stored[id(event)].columns(),
            }
            for event in write.events
        ],
        [event_row(run.session, event, stored[id(event)]) for event in write.session_events],
    )


def append_all(connection: Connection, writes: Sequence[PreparedAppend]) -> list[RunwireError | None]:
    """Do appends in order, in the caller's transaction. Return what refused each; a refused one writes nothing."""
    refusals = _check(connection, [prepared.write for prepared in writes])
    accepted = [p for p, refusal in zip(writes, refusals, strict=True) if refusal is None]
    if accepted:
        connection.execute(_ADVANCE, [prepared.run for prepared in accepted])
    if rows := [row for prepared in accepted for row in prepared.events]:
        connection.execute(insert(run_events), rows)
    if talking := [p for p in accepted if p.session_events or p.write.state_delta]:
        _write_sessions(connection, talking)
    return refusals


def _check(connection: Connection, writes: Sequence[Append]) -> list[RunwireError | None]:
    """Fence. The rows stay locked until the transaction ends, so what is true here is true when it commits."""
    stored = _places(connection, {write.run.key for write in writes})
    refusals: list[RunwireError | None] = []
    for write in writes:
        key = write.run.key
        if key not in stored:
            refusals.append(NotFoundError("run", key.request_id))
        elif stored[key] != (write.run.attempt, write.after, False):
            refusals.append(FencedError(f"run {key.request_id!r} is written by another attempt"))
        else:
            stored[key] = (write.run.attempt, write.run.last_sequence, write.run.state.is_terminal)
            refusals.append(None)
    return refusals


def _write_sessions(connection: Connection, writes: Sequence[PreparedAppend]) -> None:
    """Give events their positions, move counters and times, merge state. Deleted sessions are left out."""
    positions = _positions(connection, {prepared.write.run.session for prepared in writes})
    rows: list[dict[str, Any]] = []
    moves: list[dict[str, Any]] = []
    for prepared in writes:
        run = prepared.write.run
        key = run.session
        if key in positions:
            first = positions[key] + 1
            rows.extend(
                {**row, "position": place} for place, row in enumerate(prepared.session_events, first)
            )
            added = len(prepared.session_events)
            positions[key] += added
            moves.append(
                {
                    "of_app": key.app_name,
                    "of_user": key.user_id,
                    "of_session": key.session_id,
                    "added": added,
                    "now": to_micros(run.last_event_time or run.create_time),
                }
            )
        if prepared.write.state_delta:
            merge_delta(connection, key, prepared.write.state_delta, has_session=key in positions)
    if moves:
        connection.execute(_MOVE, moves)
    if rows:
        connection.execute(insert(session_events), rows)


def _all_events(write: Append) -> Iterable[Any]:
    yield from write.events
    yield from write.session_events


def _places(connection: Connection, keys: Iterable[RunKey]) -> dict[RunKey, tuple[int, int, bool]]:
    """Lock runs, in order. Return attempt, last sequence, and whether it has ended, of those that exist."""
    found: dict[RunKey, tuple[int, int, bool]] = {}
    for app, same_app in groupby(sorted(keys), key=lambda key: key.app_name):
        names = [key.request_id for key in same_app]
        for row in connection.execute(_PLACES, {"app": app, "names": names}):
            found[RunKey(app, row.request_id)] = (row.attempt, row.last_sequence, row.state in ENDED)
    return found


def _positions(connection: Connection, keys: Iterable[SessionKey]) -> dict[SessionKey, int]:
    """Lock sessions, in order. Return the last positions of those that exist."""
    found: dict[SessionKey, int] = {}
    for (app, user), same_user in groupby(sorted(keys), key=lambda key: (key.app_name, key.user_id)):
        names = [key.session_id for key in same_user]
        for row in connection.execute(_POSITIONS, {"app": app, "user": user, "names": names}):
            found[SessionKey(app, user, row.session_id)] = row.last_position
    return found
