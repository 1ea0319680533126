"""Group commit: the appends of many runs in one transaction, with a few statements for all of them.

A statement each would cost more in building it than in running it, and a round trip each on a database elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import FencedError, NotFoundError, RunwireError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.state import Tier, split_delta
from runwire_server.storage.codec import StoredEvent, encode_event, encode_value
from runwire_server.storage.port import Append
from runwire_server.storage.sql import sessions, tiers
from runwire_server.storage.sql.events import event_row, insert_events, trim
from runwire_server.storage.sql.runs import ENDED, changing_columns
from runwire_server.storage.sql.sessions import LockedSession
from runwire_server.storage.sql.tables import run_events, runs
from runwire_server.storage.sql.transaction import Transaction

# Names of one owner at a time: SQLite looks whole tables through for pairs of columns that are IN a list.
_PLACES = (
    select(runs.c.ordinal, runs.c.request_id, runs.c.attempt, runs.c.last_sequence, runs.c.state)
    .where(runs.c.app_name == bindparam("app"), runs.c.request_id.in_(bindparam("names", expanding=True)))
    .order_by(runs.c.request_id)
    .with_for_update()
)
_ADVANCE = update(runs).where(runs.c.ordinal == bindparam("of_run"))


@dataclass(slots=True)
class _Place:
    """Where a run's log is; its row is locked."""

    run: int
    attempt: int
    last_sequence: int
    has_ended: bool


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
        changing_columns(run),
        [{"sequence": event.sequence, **stored[id(event)].columns()} for event in write.events],
        [event_row(event, stored[id(event)]) for event in write.session_events],
    )


def append_all(t: Transaction, writes: Sequence[PreparedAppend]) -> list[RunwireError | None]:
    """Do appends in order, in the caller's transaction. Return what refused each; a refused one writes nothing."""
    places = _lock_runs(t, {prepared.write.run.key for prepared in writes})
    refusals = [_check(places, prepared.write) for prepared in writes]
    accepted = [p for p, refusal in zip(writes, refusals, strict=True) if refusal is None]
    runs_of = [(places[prepared.write.run.key].run, prepared) for prepared in accepted]
    # Of several appends to a run the last record counts.
    if advances := {run: {"of_run": run, **prepared.run} for run, prepared in runs_of}:
        t.execute(_ADVANCE, list(advances.values()))
    if rows := [{"run": run, **row} for run, prepared in runs_of for row in prepared.events]:
        t.execute(insert(run_events), rows)
    if talking := [p for p in accepted if p.session_events or p.write.state_delta]:
        _write_sessions(t, talking)
    return refusals


def _check(places: Mapping[RunKey, _Place], write: Append) -> RunwireError | None:
    """Fence. The row stays locked until the transaction ends, so what is true here is true when it commits."""
    place = places.get(write.run.key)
    if place is None:
        return NotFoundError("run", write.run.key.request_id)
    if place.has_ended or (place.attempt, place.last_sequence) != (write.run.attempt, write.after):
        return FencedError(f"run {write.run.key.request_id!r} is written by another attempt")
    place.last_sequence, place.has_ended = write.run.last_sequence, write.run.state.is_terminal
    return None


def _write_sessions(t: Transaction, writes: Sequence[PreparedAppend]) -> None:
    """Give events their positions, move counters and times, merge state. Sessions that are gone are left out."""
    locked = sessions.lock_many(t, {prepared.write.run.session for prepared in writes})
    written: list[tuple[LockedSession, list[dict[str, Any]]]] = []
    deltas: dict[SessionKey, list[JsonObject]] = {}
    changes: list[tiers.Change] = []
    for prepared in writes:
        run, delta = prepared.write.run, prepared.write.state_delta or {}
        now = run.last_event_time or run.create_time
        if run.session in locked:
            locked[run.session].touch(now)
            written.append((locked[run.session], prepared.session_events))
            if own := split_delta(delta).get(Tier.SESSION):
                deltas.setdefault(run.session, []).append(own)
        changes.extend(tiers.owned_changes(run.session, delta, now))
    insert_events(t, written)
    for one in locked.values():
        trim(t, one)
    sessions.save(t, locked.values())
    for key, parts in deltas.items():
        sessions.merge_state_of(t, locked[key], parts)
    tiers.merge(t, changes)


def _all_events(write: Append) -> Iterable[Any]:
    yield from write.events
    yield from write.session_events


def _lock_runs(t: Transaction, keys: Iterable[RunKey]) -> dict[RunKey, _Place]:
    """Lock runs, in order. Return where those that exist are."""
    found: dict[RunKey, _Place] = {}
    for app, same_app in groupby(sorted(keys), key=lambda key: key.app_name):
        names = [key.request_id for key in same_app]
        for row in t.execute(_PLACES, {"app": app, "names": names}):
            place = _Place(row.ordinal, row.attempt, row.last_sequence, row.state in ENDED)
            found[RunKey(app, row.request_id)] = place
    return found
