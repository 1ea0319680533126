"""Runs and their logs. All functions run in the caller's transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, insert, literal_column, or_, select, text, update

from runwire_server.domain.errors import NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL, RunMail
from runwire_server.domain.record import replace
from runwire_server.domain.runs import (
    NOBODY,
    TERMINAL_STATES,
    CancelMode,
    CancelRequest,
    Run,
    RunState,
    busy_session,
)
from runwire_server.storage.codec import (
    decode_event,
    decode_input,
    decode_mail,
    decode_run,
    encode_input,
    encode_mail,
    encode_record,
)
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page, RunFilter
from runwire_server.storage.sql import locking
from runwire_server.storage.sql.tables import (
    cancel_marks,
    leases,
    optional_micros,
    optional_time,
    run_events,
    runs,
    to_micros,
)
from runwire_server.storage.sql.transaction import Transaction

ENDED = tuple(state.value for state in TERMINAL_STATES)
# Conditions name the states that are wanted, not those that are not: only so do databases use the index.
_LIVE = tuple(state.value for state in RunState if not state.is_terminal)
_LEFT_MICROS = 86_400_000_000

# Made once: to build a statement costs more than to run it.
IS_RUN = and_(runs.c.app_name == bindparam("of_app"), runs.c.request_id == bindparam("of_request"))
IS_MARK = and_(
    cancel_marks.c.app_name == bindparam("of_app"), cancel_marks.c.request_id == bindparam("of_request")
)
_FIND = select(runs).where(IS_RUN)
_FIND_LOCKED = _FIND.with_for_update()
_LAST = select(runs.c.last_sequence).where(IS_RUN)
_INSERT = insert(runs)
_UNFINISHED = (
    select(runs.c.ordinal, runs.c.request_id)
    .where(
        runs.c.app_name == bindparam("of_app"),
        runs.c.user_id == bindparam("of_user"),
        runs.c.session_id == bindparam("of_session"),
        runs.c.state.in_(_LIVE),
    )
    .order_by(runs.c.ordinal)
    .limit(1)
)
_EARLIER = _UNFINISHED.where(runs.c.ordinal < bindparam("of_run"))
_CHANGE = update(runs).where(runs.c.ordinal == bindparam("of_run"))
_LOG = (
    select(run_events)
    .where(
        run_events.c.run == select(runs.c.ordinal).where(IS_RUN).scalar_subquery(),
        run_events.c.sequence > bindparam("after"),
    )
    .order_by(run_events.c.sequence)
    .limit(bindparam("limit"))
)
_MARK = select(cancel_marks).where(IS_MARK)
_DROP_MARK = delete(cancel_marks).where(IS_MARK)
_IS_REPLICA = leases.c.replica == bindparam("of_replica")
_LEASE = select(leases.c.replica).where(_IS_REPLICA).with_for_update()
_RENEW = update(leases).where(_IS_REPLICA)
# Written out: only so do databases use an index of those that wait.
_WAITS = runs.c.state == literal_column(f"'{RunState.WAITING.value}'")
_DUE = (
    select(runs)
    .where(_WAITS, runs.c.due_time <= bindparam("at"))
    .order_by(runs.c.due_time, runs.c.ordinal)
    .limit(bindparam("limit"))
)
_CANCELLED = (
    select(runs)
    .where(_WAITS, runs.c.cancel_mode.is_not(None))
    .order_by(func.coalesce(runs.c.due_time, bindparam("at")), runs.c.ordinal)
    .limit(bindparam("limit"))
)


def create(t: Transaction, run: Run, *, must_be_first: bool, claim: bool) -> tuple[Run, bool]:
    """Save a new run, with the cancel that came before it. Return it and whether it is new.

    Raises: NotFoundError, BusyError.
    """
    known = find(t, run.key)
    if known is not None:
        return known, False
    # Locked, so that ordinals of one session are committed in their order: that of its queue.
    locking.lock(t, run.session)
    if must_be_first:
        # It may have been made while this waited, and be the run at work.
        if (known := find(t, run.key)) is not None:
            return known, False
        require_idle(t, run.session)
    run = with_mark(t, run)
    # With the session locked, whatever has not ended is an earlier run.
    if claim and not (run.waits_its_turn and _unfinished(t, run.session)):
        run = run.claimed_by(run.owner, run.create_time)
    insert_row(t, run, changing_columns(run))
    return run, True


def find(t: Transaction, key: RunKey) -> Run | None:
    """Return the run, if there is one."""
    return None if (known := _find(t, key)) is None else _run(known)


def with_mark(t: Transaction, run: Run) -> Run:
    """Return a new run with the cancel that came before it."""
    mark = t.run(_MARK, _named(run.key)).first()
    if mark is not None:
        t.run(_DROP_MARK, _named(run.key))
    if mark is None or mark.expire_time <= to_micros(run.create_time):
        return run
    return replace(run, cancel=CancelRequest(CancelMode(mark.mode), mark.reason))


def insert_row(t: Transaction, run: Run, changing: dict[str, Any]) -> int:
    """Insert a run, with those of its columns that will change, and return its ordinal."""
    columns = {
        "app_name": run.key.app_name,
        "request_id": run.key.request_id,
        "user_id": run.session.user_id,
        "session_id": run.session.session_id,
        "agent_name": run.agent_name,
        "cancel_mode": run.cancel.mode.value if run.cancel is not None else None,
        "cancel_reason": run.cancel.reason if run.cancel is not None else None,
        "fingerprint": run.fingerprint,
        "input": encode_input(run.input),
    }
    values = {**columns, **mail_columns(run.mail), **changing}
    return int(t.run(_INSERT, values).inserted_primary_key[0])


def require_idle(t: Transaction, session: SessionKey) -> None:
    """Raises: BusyError when a run of the session, which is locked, has not ended."""
    at_work = _unfinished(t, session)
    if at_work is not None:
        raise busy_session(RunKey(session.app_name, at_work.request_id))


def _unfinished(t: Transaction, session: SessionKey) -> Any:
    names = {"of_app": session.app_name, "of_user": session.user_id, "of_session": session.session_id}
    return t.run(_UNFINISHED, names).first()


def get(t: Transaction, key: RunKey) -> Run:
    """Return the run. Raises: NotFoundError."""
    return _run(_require(t, key))


def list_runs(t: Transaction, wanted: RunFilter, limit: int, cursor: str | None) -> Page[Run]:
    """List runs by creation, newest first."""
    query = select(runs).where(runs.c.app_name == wanted.app_name)
    for name in ("user_id", "session_id", "agent_name"):
        if value := getattr(wanted, name):
            query = query.where(runs.c[name] == value)
    if wanted.states:
        query = query.where(runs.c.state.in_([state.value for state in wanted.states]))
    if cursor is not None:
        query = query.where(runs.c.ordinal < parse_cursor(cursor, int)[0])
    rows = t.execute(query.order_by(runs.c.ordinal.desc()).limit(limit + 1)).all()
    following = make_cursor(rows[limit - 1].ordinal) if len(rows) > limit else None
    return Page(tuple(_run(row) for row in rows[:limit]), following)


def request_cancel(
    t: Transaction, key: RunKey, request: CancelRequest, now: datetime, remember_until: datetime
) -> tuple[Run | None, bool]:
    """Write a cancel into the run, or remember it for the run that may come."""
    row = _find(t, key, is_locked=True)
    if row is None:
        return None, _remember(t, key, request, now, remember_until)
    run = _run(row)
    if run.state.is_terminal or not request.overrides(run.cancel):
        return run, False
    changes = {"cancel_mode": request.mode.value, "cancel_reason": request.reason}
    t.run(_CHANGE, {"of_run": row.ordinal, **changes})
    return replace(run, cancel=request), True


def set_mail(
    t: Transaction, key: RunKey, mail: RunMail, version: int, due_time: datetime | None
) -> Run | None:
    """Replace the mail of that version. Raises: NotFoundError."""
    row = _require(t, key, is_locked=True)
    if row.mail_version != version or row.state in ENDED:
        return None
    changes = mail_columns(mail)
    if due_time is not None:
        changes["due_time"] = to_micros(due_time)
    t.run(_CHANGE, {"of_run": row.ordinal, **changes})
    run = _run(row)
    return replace(run, mail=mail, due_time=due_time or run.due_time)


def _remember(t: Transaction, key: RunKey, request: CancelRequest, now: datetime, until: datetime) -> bool:
    t.execute(delete(cancel_marks).where(cancel_marks.c.expire_time <= to_micros(now)))
    mark = t.run(_MARK, _named(key)).first()
    if mark is not None:
        if not request.overrides(CancelRequest(CancelMode(mark.mode), mark.reason)):
            return False
        t.run(_DROP_MARK, _named(key))
    t.execute(
        insert(cancel_marks).values(
            app_name=key.app_name,
            request_id=key.request_id,
            mode=request.mode.value,
            reason=request.reason,
            expire_time=to_micros(until),
        )
    )
    return True


def has_mark(t: Transaction, key: RunKey) -> bool:
    """Whether a cancel waits for this run."""
    return t.run(_MARK, _named(key)).first() is not None


def take_mark(t: Transaction, key: RunKey, now: datetime) -> Run | None:
    """Write the cancel that waits for a run into it, if both are there. Return the run, if it is."""
    row = _find(t, key, is_locked=True)
    mark = t.execute(_MARK.with_for_update(), _named(key)).first()
    if row is None or mark is None:
        return None if row is None else _run(row)
    t.run(_DROP_MARK, _named(key))
    run = _run(row)
    if mark.expire_time <= to_micros(now):
        return run
    request = CancelRequest(CancelMode(mark.mode), mark.reason)
    return request_cancel(t, key, request, now, now)[0]


def claim(
    t: Transaction, key: RunKey, owner: ReplicaId, attempt: int, now: datetime, *, in_turn: bool
) -> Run | None:
    """Take the run; with `in_turn`, when it is first in its session's queue."""
    row = _require(t, key, is_locked=True)
    run = _run(row)
    if run.attempt != attempt or run.state.is_terminal:
        return None
    names = {"of_app": row.app_name, "of_user": row.user_id, "of_session": row.session_id}
    if in_turn and t.run(_EARLIER, {**names, "of_run": row.ordinal}).first() is not None:
        return None
    run = run.claimed_by(owner, now)
    t.run(_CHANGE, {"of_run": row.ordinal, **changing_columns(run)})
    return run


def list_events(t: Transaction, key: RunKey, after: int, limit: int) -> list[Event]:
    """Return durable events in order. Raises: NotFoundError."""
    rows = t.run(_LOG, {**_named(key), "after": after, "limit": limit}).all()
    if not rows:
        _require(t, key)
    return [decode_event(row.kind, row.payload, row.envelope) for row in rows]


def delete_ended_before(t: Transaction, end_time: datetime, limit: int) -> int:
    """Delete terminal runs and their logs. Return how many."""
    query = select(runs.c.ordinal).where(runs.c.end_time < to_micros(end_time)).limit(limit)
    gone = list(t.execute(query.with_for_update(skip_locked=True)).scalars())
    if gone:
        t.execute(delete(run_events).where(run_events.c.run.in_(gone)))
        t.execute(delete(runs).where(runs.c.ordinal.in_(gone)))
    return len(gone)


def has_events(t: Transaction, key: RunKey, after: int) -> bool:
    """Whether the log goes on after that sequence; also true when there is no such run (any more)."""
    last = t.run(_LAST, _named(key)).scalar_one_or_none()
    return last is None or last > after


def list_orphans(t: Transaction, limit: int) -> list[Run]:
    """Return runs that have not ended and have an owner without a lease, oldest first."""
    alive = select(leases.c.replica).where(leases.c.expire_time > lease_time(t))
    query = select(runs).where(runs.c.state.in_(_LIVE), runs.c.owner != NOBODY, runs.c.owner.not_in(alive))
    return [_run(row) for row in t.execute(query.order_by(runs.c.ordinal).limit(limit))]


def list_due(t: Transaction, now: datetime, limit: int) -> list[Run]:
    """Return waiting runs whose time has come or that are asked to end, the longest due first."""
    at = to_micros(now)
    # Two statements, of which each finds an index; together they would look all through that wait.
    rows = [row for query in (_DUE, _CANCELLED) for row in t.run(query, {"at": at, "limit": limit})]
    found = {row.ordinal: row for row in rows}.values()
    oldest = sorted(found, key=lambda row: (at if row.due_time is None else row.due_time, row.ordinal))
    return [_run(row) for row in oldest[:limit]]


def list_with_mail(t: Transaction, owner: ReplicaId, limit: int) -> list[Run]:
    """Return the owner's runs that have not ended and are asked to, or have had mail."""
    query = select(runs).where(
        runs.c.owner == owner,
        runs.c.state.in_(_LIVE),
        or_(runs.c.cancel_mode.is_not(None), runs.c.mail_version > 0),
    )
    return [_run(row) for row in t.execute(query.order_by(runs.c.ordinal).limit(limit))]


def renew_lease(t: Transaction, replica: ReplicaId, ttl_micros: int) -> None:
    """Set the end of a replica's lease. A new replica sweeps away what others left long ago."""
    until = lease_time(t) + ttl_micros
    if t.run(_LEASE, {"of_replica": replica}).first() is None:
        t.execute(delete(leases).where(leases.c.expire_time < until - _LEFT_MICROS))
        t.execute(insert(leases).values(replica=replica, expire_time=until))
    else:
        t.run(_RENEW, {"of_replica": replica, "expire_time": until})


def lease_time(t: Transaction) -> int:
    """Return the time that judges leases, in microseconds: the database's, which is one for all replicas."""
    if not t.is_real:
        return t.at
    match t.connection.dialect.name:
        case "postgresql":
            query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
        case "mysql" | "mariadb":
            query = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
        case _:
            return t.at  # those who share a file share a clock
    found: int = t.execute(text(query)).scalar_one()
    return found


def release_lease(t: Transaction, replica: ReplicaId) -> None:
    """Drop a replica's lease."""
    t.execute(delete(leases).where(leases.c.replica == replica))


def changing_columns(run: Run) -> dict[str, Any]:
    """Return the columns that change in a run's life."""
    return {
        "state": run.state.value,
        "owner": run.owner,
        "attempt": run.attempt,
        "last_sequence": run.last_sequence,
        "end_time": optional_micros(run.end_time),
        "due_time": optional_micros(run.due_time),
        "record": encode_record(run),
    }


def mail_columns(mail: RunMail) -> dict[str, Any]:
    """Return a run's mail as columns."""
    return {"mail": None if mail == NO_MAIL else encode_mail(mail), "mail_version": mail.version}


def _named(key: RunKey) -> dict[str, str]:
    """Return the parameters that name a run."""
    return {"of_app": key.app_name, "of_request": key.request_id}


def _find(t: Transaction, key: RunKey, *, is_locked: bool = False) -> Row[Any] | None:
    row: Row[Any] | None = t.run(_FIND_LOCKED if is_locked else _FIND, _named(key)).first()
    return row


def _require(t: Transaction, key: RunKey, *, is_locked: bool = False) -> Row[Any]:
    row = _find(t, key, is_locked=is_locked)
    if row is None:
        raise NotFoundError("run", key.request_id)
    return row


def _run(row: Row[Any]) -> Run:
    cancel = None
    if row.cancel_mode is not None:
        cancel = CancelRequest(CancelMode(row.cancel_mode), row.cancel_reason)
    return replace(
        decode_run(row.record),
        fingerprint=row.fingerprint,
        input=decode_input(row.input),
        cancel=cancel,
        mail=decode_mail(row.mail) if row.mail else NO_MAIL,
        due_time=optional_time(row.due_time),
    )
