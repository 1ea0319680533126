"""What is said in many sessions, written with a few statements for all of them, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.record import record
from runwire_server.domain.retention import Expiry
from runwire_server.domain.sessions import SessionEvent
from runwire_server.domain.state import Tier, merge_state, split_delta
from runwire_server.storage.codec import encode_event, encode_value
from runwire_server.storage.sql import locking, sessions, tiers
from runwire_server.storage.sql.events import event_of, event_row, trim
from runwire_server.storage.sql.locking import LockedSession
from runwire_server.storage.sql.tables import session_events
from runwire_server.storage.sql.transaction import Transaction

_KNOWN = select(session_events).where(
    session_events.c.session == bindparam("of_session"),
    session_events.c.event_id.in_(bindparam("names", expanding=True)),
)
_INSERT = insert(session_events)


@record(frozen=True, slots=True)
class Talk:
    """What goes to one session: rows of events without positions, and state for all tiers.

    `event` is an event outside a run, the one of `rows`: it is written once, whoever repeats it, and needs the
    session. What a run says is written as it is, and dropped when the session is gone; `run` is that run.
    """

    session: SessionKey
    now: datetime
    rows: Sequence[dict[str, Any]]
    delta: JsonObject
    event: Event | None = None
    run: RunKey | None = None


def prepare_event(key: SessionKey, event: Event, now: datetime) -> Talk:
    """Encode an event outside a run. Raises: ValueError for what JSON cannot hold."""
    delta = event.state_delta or {}
    encode_value(delta)
    return Talk(key, now, [event_row(event, encode_event(event))], delta, event)


def write_talks(t: Transaction, talks: Sequence[Talk]) -> list[SessionEvent | NotFoundError | None]:
    """Write them in order. Return for each event outside a run what is stored, or that its session is gone."""
    locked = _lock(t, talks)
    known = _known_events(t, locked, talks)
    written = _Written()
    answers: list[SessionEvent | NotFoundError | None] = []
    for talk in talks:
        one = locked.get(talk.session)
        if talk.event is None:
            written.add(one, talk)
            answers.append(None)
        elif one is None:
            answers.append(NotFoundError("session", talk.session.session_id))
        elif (found := known.get((one.id, talk.event.id))) is not None:
            answers.append(found)
        else:
            written.add(one, talk)
            made = known[one.id, talk.event.id] = SessionEvent(one.last_position, talk.event)
            answers.append(made)
    written.save(t)
    return answers


def write_first_talk(t: Transaction, talk: Talk, create_time: datetime, expiry: Expiry) -> None:
    """Make the session with what begins it. Nobody else has its name."""
    first = LockedSession(0, 0, 0, 0, create_time, expiry)
    rows = _placed(first, talk)
    first.id = sessions.insert_row(
        t,
        talk.session,
        create_time,
        first.update_time,
        first.expiry,
        state=merge_state({}, split_delta(talk.delta).get(Tier.SESSION, {})),
        last_position=first.last_position,
        last_user_position=first.last_user_position,
        event_count=first.event_count,
    )
    t.execute_many(_INSERT, [{**row, "session": first.id} for row in rows])
    trim(t, first)
    if first.event_count < len(rows):
        locking.save(t, [first])
    tiers.merge(t, tiers.owned_changes(talk.session, talk.delta, talk.now))


def _placed(one: LockedSession, talk: Talk) -> list[dict[str, Any]]:
    """Return the rows at the end of the session, which counts them and is dated."""
    one.touch(talk.now)
    rows: list[dict[str, Any]] = []
    for row in talk.rows:
        one.last_position += 1
        one.event_count += 1
        if row["is_user"]:
            one.last_user_position = one.last_position
        rows.append({**row, "session": one.id, "position": one.last_position})
    return rows


def _lock(t: Transaction, talks: Sequence[Talk]) -> dict[SessionKey, LockedSession]:
    """Lock sessions in one way, not some in this way and some in that: the order must be one."""
    if all(talk.run is not None for talk in talks):
        return locking.lock_of_runs(t, {talk.run for talk in talks if talk.run is not None})
    return locking.lock_many(t, {talk.session for talk in talks})


class _Written:
    """What is to be written, gathered."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._touched: dict[int, LockedSession] = {}
        self._deltas: dict[int, list[JsonObject]] = {}
        self._changes: list[tiers.Change] = []

    def add(self, one: LockedSession | None, talk: Talk) -> None:
        self._changes.extend(tiers.owned_changes(talk.session, talk.delta, talk.now))
        if one is None:
            return
        self._rows += _placed(one, talk)
        self._touched[one.id] = one
        if own := split_delta(talk.delta).get(Tier.SESSION):
            self._deltas.setdefault(one.id, []).append(own)

    def save(self, t: Transaction) -> None:
        if self._rows:
            t.execute_many(_INSERT, self._rows)
        for one in self._touched.values():
            trim(t, one)
        locking.save(t, self._touched.values())
        for session, deltas in self._deltas.items():
            locking.merge_state_of(t, self._touched[session], deltas)
        tiers.merge(t, self._changes)


def _known_events(
    t: Transaction, locked: dict[SessionKey, LockedSession], talks: Iterable[Talk]
) -> dict[tuple[int, str], SessionEvent]:
    """Return the events that sessions have already, of those that are to be written once."""
    asked: dict[int, list[str]] = {}
    for talk in talks:
        if talk.event is not None and (one := locked.get(talk.session)) is not None:
            asked.setdefault(one.id, []).append(talk.event.id)
    return {
        (session, row.event_id): event_of(row)
        for session, names in asked.items()
        for row in t.run(_KNOWN, {"of_session": session, "names": names})
    }
