"""Group commit: the appends of many runs and sessions in one transaction, with a few statements for all of them.

A statement each would cost more in building it than in running it, and a round trip each on a database elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from runwire_server.domain.errors import FencedError, NotFoundError, RunwireError, StaleMailError
from runwire_server.domain.ids import RunKey
from runwire_server.domain.record import record
from runwire_server.domain.retention import Expiry
from runwire_server.domain.runs import Run
from runwire_server.domain.sessions import SessionEvent
from runwire_server.storage.codec import StoredEvent, encode_event, encode_value
from runwire_server.storage.port import Append
from runwire_server.storage.sql import runs as runs_of
from runwire_server.storage.sql import sessions
from runwire_server.storage.sql.events import event_row
from runwire_server.storage.sql.runs import ENDED, changing_columns, mail_columns
from runwire_server.storage.sql.tables import cancel_marks, run_events, runs
from runwire_server.storage.sql.tables import sessions as session_rows
from runwire_server.storage.sql.talking import Talk, write_first_talk, write_talks
from runwire_server.storage.sql.transaction import Transaction

# Names of one owner at a time: SQLite looks whole tables through for pairs of columns that are IN a list.
_PLACES = (
    select(
        runs.c.ordinal,
        runs.c.request_id,
        runs.c.attempt,
        runs.c.last_sequence,
        runs.c.state,
        runs.c.mail_version,
    )
    .where(runs.c.app_name == bindparam("app"), runs.c.request_id.in_(bindparam("names", expanding=True)))
    .order_by(runs.c.request_id)
    .with_for_update()
)
# What there is already of a run that is to begin, and of its session.
_THERE = select(
    select(runs.c.ordinal).where(runs_of.IS_RUN).scalar_subquery().label("run"),
    select(session_rows.c.id).where(sessions.IS_LIVE).scalar_subquery().label("session"),
    select(cancel_marks.c.request_id).where(runs_of.IS_MARK).scalar_subquery().label("mark"),
)
_ADVANCE = update(runs).where(runs.c.ordinal == bindparam("of_run"))
_INSERT = insert(run_events)


@dataclass(slots=True)
class _Place:
    """Where a run's log is; its row is locked."""

    run: int
    attempt: int
    last_sequence: int
    has_ended: bool
    mail_version: int


@record(frozen=True, slots=True)
class PreparedAppend:
    """An append as rows. `talk` is what of it goes to the session, if anything does."""

    write: Append
    run: dict[str, Any]
    mail: dict[str, Any] | None
    events: list[dict[str, Any]]
    talk: Talk | None


Prepared = PreparedAppend | Talk
# What refused a write; or, of an event outside a run, what is stored.
Answer = RunwireError | SessionEvent | None


def prepare(write: Append) -> PreparedAppend:
    """Encode an append before it joins others, so that one that cannot be encoded fails alone.

    Raises: ValueError for what JSON cannot hold.
    """
    run = write.run
    # Most events of a session are the run's events too: encode each once.
    stored: dict[int, StoredEvent] = {
        id(event): encode_event(event) for event in {id(e): e for e in _all_events(write)}.values()
    }
    delta = write.state_delta or {}
    if delta:
        encode_value(delta)
    talk = None
    if write.session_events or delta:
        rows = [event_row(event, stored[id(event)]) for event in write.session_events]
        talk = Talk(run.session, run.last_event_time or run.create_time, rows, delta, run=run.key)
    return PreparedAppend(
        write,
        changing_columns(run),
        None if write.mail_version is None else mail_columns(run.mail),
        [{"sequence": event.sequence, **stored[id(event)].columns()} for event in write.events],
        talk,
    )


def begin(t: Transaction, opening: PreparedAppend, expiry: Expiry) -> tuple[Run, bool]:
    """Make a run, its session, and the beginning of both. Return the run and whether it is new.

    Raises: AlreadyExistsError for the session.
    """
    run = opening.write.run
    names = {"of_app": run.key.app_name, "of_request": run.key.request_id}
    there = t.run(_THERE, {**names, **sessions.named(run.session)}).one()
    if there.run is not None and (known := runs_of.find(t, run.key)) is not None:
        return known, False
    if there.session is not None:
        sessions.make_room(t, run.session)
    if there.mark is not None:
        run = runs_of.with_mark(t, run)
    ordinal = runs_of.insert_row(t, run, opening.run)
    t.execute_many(_INSERT, [{"run": ordinal, **row} for row in opening.events])
    first = opening.talk or Talk(run.session, run.create_time, [], {}, run=run.key)
    write_first_talk(t, first, run.create_time, expiry)
    return run, True


def append_all(t: Transaction, writes: Sequence[Prepared]) -> list[Answer]:
    """Do writes in order, in the caller's transaction, and return their answers. A refused one writes nothing."""
    appends = {place: write for place, write in enumerate(writes) if isinstance(write, PreparedAppend)}
    refusals = _append_logs(t, appends)
    answers: list[Answer] = [refusals.get(place) for place in range(len(writes))]
    talks: dict[int, Talk] = {}
    for place, write in enumerate(writes):
        talk = write.talk if isinstance(write, PreparedAppend) else write
        if talk is not None and place not in refusals:
            talks[place] = talk
    if talks:
        for place, answer in zip(talks, write_talks(t, list(talks.values())), strict=True):
            answers[place] = answer
    return answers


def _append_logs(t: Transaction, appends: Mapping[int, PreparedAppend]) -> dict[int, RunwireError]:
    """Write runs and their logs. Return what refused those that were."""
    if not appends:
        return {}
    places = _lock_runs(t, {prepared.write.run.key for prepared in appends.values()})
    refusals: dict[int, RunwireError] = {}
    advances: dict[int, dict[str, Any]] = {}
    mails: dict[int, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    for number, prepared in appends.items():
        refusal = _check(places, prepared.write)
        if refusal is not None:
            refusals[number] = refusal
            continue
        run = places[prepared.write.run.key].run
        # Of several appends to a run the last record counts.
        advances[run] = {"of_run": run, **prepared.run}
        if prepared.mail is not None:
            mails[run] = {"of_run": run, **prepared.mail}
        rows.extend({"run": run, **row} for row in prepared.events)
    if advances:
        t.execute_many(_ADVANCE, list(advances.values()))
    if mails:
        t.execute_many(_ADVANCE, list(mails.values()))
    if rows:
        t.execute_many(_INSERT, rows)
    return refusals


def _check(places: Mapping[RunKey, _Place], write: Append) -> RunwireError | None:
    """Fence. The row stays locked until the transaction ends, so what is true here is true when it commits."""
    place = places.get(write.run.key)
    if place is None:
        return NotFoundError("run", write.run.key.request_id)
    if place.has_ended or (place.attempt, place.last_sequence) != (write.run.attempt, write.after):
        return FencedError(f"run {write.run.key.request_id!r} is written by another attempt")
    if write.mail_version is not None:
        if place.mail_version != write.mail_version:
            return StaleMailError(f"the mail of run {write.run.key.request_id!r} has changed")
        place.mail_version = write.run.mail.version
    place.last_sequence, place.has_ended = write.run.last_sequence, write.run.state.is_terminal
    return None


def _all_events(write: Append) -> Iterable[Any]:
    yield from write.events
    yield from write.session_events


def _lock_runs(t: Transaction, keys: Iterable[RunKey]) -> dict[RunKey, _Place]:
    """Lock runs, in order. Return where those that exist are."""
    found: dict[RunKey, _Place] = {}
    for app, same_app in groupby(sorted(keys), key=lambda key: key.app_name):
        names = [key.request_id for key in same_app]
        for row in t.run(_PLACES, {"app": app, "names": names}):
            place = _Place(row.ordinal, row.attempt, row.last_sequence, row.state in ENDED, row.mail_version)
            found[RunKey(app, row.request_id)] = place
    return found
