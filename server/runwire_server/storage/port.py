"""The storage contract. tests/conformance is its executable half.

No rule lives behind it: adapters keep what domain functions decide. Every method either does all it says or
nothing. All raise UnavailableError when the storage cannot be reached or does not answer in time (NoRoomError, one of
them, when it has no room or no connection left); a driver's own exceptions never come out. After an UnavailableError
nobody knows whether a write was done: what was lost may have been only the answer.
Returned objects are the caller's: changing one changes nothing stored. Times are aware UTC, in microseconds.

`now` is what a write is dated with; the store's clock judges what has expired. A session that has expired or is
deleted is gone for every method, whether or not its data is still there; the same goes for expired state and tracks,
which are empty. A write renews the expiry of the session (and of the tiers of state) that it writes to, as
domain.retention says; reads renew nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from runwire_server.domain.content import JsonObject
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import RunMail
from runwire_server.domain.record import record
from runwire_server.domain.runs import CancelRequest, Run, RunState
from runwire_server.domain.sessions import (
    EventQuery,
    Session,
    SessionChange,
    SessionCopy,
    SessionEvent,
    TrackEvent,
)
from runwire_server.domain.state import Tier

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is None on the last one; it is opaque to callers."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list. Empty fields match everything; `session_id` is used with `user_id`."""

    app_name: str
    user_id: str = ""
    session_id: str = ""
    agent_name: str = ""
    states: frozenset[RunState] = frozenset()


@record(frozen=True, slots=True, kw_only=True)
class Append:
    """What one append writes, all of it or nothing.

    `run` is the record as it shall be: its key, its attempt, its new last_sequence, state, usage and end. `after` is
    the sequence that the log must end at. `events` are the run's, numbered from after + 1. `session_events` go to the
    run's session too, in order; the store gives them their positions. `state_delta` is merged into its tiers.
    Both are dated run.last_event_time. With `mail_version` the stored mail must have that version, and becomes
    run.mail; without, the stored mail stays, whatever run.mail is.
    """

    run: Run
    after: int
    events: tuple[Event, ...] = ()
    session_events: tuple[Event, ...] = ()
    state_delta: JsonObject | None = None
    mail_version: int | None = None


class SessionStore(Protocol):
    """Sessions, without their events."""

    async def create_session(
        self,
        key: SessionKey,
        state: JsonObject,
        now: datetime,
        *,
        ttl: timedelta | None = None,
        display_name: str = "",
    ) -> Session:
        """Make a session. `state` may have keys of all tiers; `ttl` is as in Retention.session_expiry.

        Raises:
            AlreadyExistsError: The session exists. Nothing is written, state included.
        """
        ...

    async def get_or_create_session(
        self,
        key: SessionKey,
        state: JsonObject,
        now: datetime,
        *,
        ttl: timedelta | None = None,
        display_name: str = "",
    ) -> tuple[Session, bool]:
        """Return the session and whether this call made it. Of many at once, exactly one makes it.

        What is given beside the key counts only when it is made. Finding it renews nothing.
        """
        ...

    async def get_session(self, key: SessionKey) -> Session:
        """Return the session with the merged state of its tiers. Raises: NotFoundError."""
        ...

    async def list_sessions(
        self, app_name: str, user_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Session]:
        """List a user's sessions by update time, newest first; equal times by session id, descending.

        Empty for an unknown user. Raises: InvalidRequestError (field page_token) for a cursor that is not one.
        """
        ...

    async def update_session(self, key: SessionKey, change: SessionChange, now: datetime) -> Session:
        """Change the session and return it. Moves its update time. Raises: NotFoundError."""
        ...

    async def delete_session(self, key: SessionKey, *, purge: bool = False) -> bool:
        """Delete the session, its events, its tracks and its own state. Return whether there was one.

        It can be restored for Retention.deleted_ttl; not when that is 0 or with `purge`, which also deletes for good
        what was deleted before under this key. Its runs stay until their retention ends; the state of the user and
        of the app stays.
        """
        ...

    async def restore_session(self, key: SessionKey, now: datetime) -> Session:
        """Undo the last delete_session of this key, and return the session as it was. Renews its expiry.

        Its update time stays. Of several sessions deleted under one key the one deleted last comes back.

        Raises:
            NotFoundError: Nothing can be restored (any more).
            AlreadyExistsError: There is a session with this key.
        """
        ...

    async def clean_up(self, *, limit: int) -> int:
        """Delete for good what has expired or can be restored no more. Return how many sessions, states and events.

        Works in small transactions, so that writers go on, and never takes what was renewed meanwhile. Call it until
        it returns less than `limit`.
        """
        ...


class SessionEventStore(Protocol):
    """The conversation of a session."""

    async def append_session_event(self, key: SessionKey, event: Event, now: datetime) -> SessionEvent:
        """Append an event outside a run, and merge its state_delta. Moves the session's update time.

        An event id that the session has already: return that event, write nothing. Events beyond
        Retention.event_limit are deleted, see Retention.excess. Raises: NotFoundError.
        """
        ...

    async def list_session_events(self, key: SessionKey, query: EventQuery) -> list[SessionEvent]:
        """Return at most query.limit events, by position. Raises: NotFoundError."""
        ...

    async def find_session_event(self, key: SessionKey, event_id: str) -> SessionEvent | None:
        """Return the session's event of that id; None when it has none. Raises: NotFoundError (session)."""
        ...

    async def truncate_session(self, key: SessionKey, *, after: int, now: datetime) -> int:
        """Delete the events after that position, for good. Return how many. Moves the session's update time.

        Positions are not used again. Logs of runs keep what they have; state stays.

        Raises:
            NotFoundError: There is no such session.
            BusyError: A run of the session has not ended.
        """
        ...


class TrackStore(Protocol):
    """Observations beside the conversation. A session's tracks come and go with it."""

    async def append_track_events(
        self, key: SessionKey, track: str, payloads: Sequence[str], now: datetime
    ) -> list[TrackEvent]:
        """Append to the track, which begins with the first. Moves the session's update time.

        Return the events with their positions. Raises: NotFoundError (session).
        """
        ...

    async def list_track_events(
        self, key: SessionKey, track: str, *, after: int, limit: int
    ) -> list[TrackEvent]:
        """Return up to `limit` events after that position, in order. Empty for an unknown track.

        Raises: NotFoundError (session).
        """
        ...


class StateStore(Protocol):
    """The three tiers of state. A tier reads only the fields of the key that it needs."""

    async def get_state(self, key: SessionKey, tier: Tier) -> dict[str, object]:
        """Return the tier's keys without prefix; empty for an unknown app or user.

        Raises: NotFoundError for an unknown session (only with Tier.SESSION).
        """
        ...

    async def update_state(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime
    ) -> dict[str, object]:
        """Merge with domain.state.merge_state and return the result. Concurrent updates lose nothing.

        With Tier.SESSION it moves the session's update time. Raises: NotFoundError as get_state.
        """
        ...


class RunStore(Protocol):
    """Runs and their logs."""

    async def create_run(
        self, run: Run, *, must_be_first: bool = False, claim: bool = False, opening: Append | None = None
    ) -> tuple[Run, bool]:
        """Save a new run at the end of its session's queue. Return it and whether it is new.

        A run with this key: return that one, write nothing; the caller compares fingerprints. A cancel that came
        before (see request_cancel) and has not expired is in the returned run's `cancel`. The session must exist.

        With `claim` a store may do in the same write what its owner's claim_run at its create_time would: a run that
        has its turn at once is RUNNING then, with attempt 1. One that has not, or that is known, is as without.

        With `opening` the run begins a session: unless the run is known, the session is made, empty, and the run
        claimed and appended to as `opening` says. A store that does not do it in one write may leave the end of it.

        Raises:
            NotFoundError: There is no such session.
            AlreadyExistsError: With `opening`: there is one.
            BusyError: With `must_be_first`, and a run of the session has not ended; the error names one.
        """
        ...

    async def get_run(self, key: RunKey) -> Run:
        """Raises: NotFoundError."""
        ...

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None = None) -> Page[Run]:
        """List runs by creation, newest first. Raises: InvalidRequestError for a bad cursor."""
        ...

    async def request_cancel(
        self, key: RunKey, request: CancelRequest, *, now: datetime, remember_until: datetime
    ) -> tuple[Run | None, bool]:
        """Write a cancel into the run. Return the run as it is then, and whether this changed anything.

        Nothing changes when the run has ended, or when domain CancelRequest.overrides says so. For an unknown run:
        remember the request until then, for the run that may come, and return None and True (False when the same
        was remembered already).
        """
        ...

    async def set_mail(
        self, key: RunKey, mail: RunMail, *, version: int, due_time: datetime | None = None
    ) -> Run | None:
        """Replace the run's mail, if it has that version, and, when given, its due time.

        Return the run as it is then, or None when its mail has another version or the run has ended: nothing is
        written. Raises: NotFoundError.
        """
        ...

    async def claim_run(
        self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        """Take the run to work on it: raise its attempt from `attempt` by one, and make `owner` its owner.

        Return the run, or None when its attempt is not `attempt` any more, it has ended, or, with `in_turn`, an
        earlier run of its session has not ended (first come, first served). A queued run becomes RUNNING with
        start_time `now`; any other keeps its state.
        Of many at once, at most one succeeds. Appends of older attempts are refused from then on.
        Raises: NotFoundError.
        """
        ...

    async def append(self, write: Append) -> None:
        """Write events, session events, state and the run's record in one transaction.

        `cancel` and `fingerprint` of the stored record are kept, whatever write.run has; so is `mail`, see Append.
        The session's update time moves when it gets events or state, and its event limit holds. Session events and
        the session's own state are dropped when the session is gone.

        Raises:
            FencedError: The stored attempt is not write.run.attempt, or the log does not end at write.after, or the
                run has ended. The writer must stop.
            StaleMailError: The run's mail has another version than write.mail_version.
            NotFoundError: There is no such run.
        """
        ...

    async def list_run_events(self, key: RunKey, *, after: int, limit: int) -> list[Event]:
        """Return up to `limit` durable events after that sequence, in order. Empty at the end.

        Raises: NotFoundError.
        """
        ...

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """Delete terminal runs and their logs (retention). Return how many."""
        ...


class LiveStore(Protocol):
    """What several replicas need to know of each other. The store's clock judges leases."""

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """Say that the replica lives, for that long from now."""
        ...

    async def release_lease(self, replica: ReplicaId) -> None:
        """Say that the replica is gone. Idempotent."""
        ...

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """Return runs that have not ended and whose owner has no lease, oldest first. Not those that nobody owns."""
        ...

    async def list_due(self, now: datetime, *, limit: int) -> list[Run]:
        """Return WAITING runs that someone must look at: `due_time` has come, or they have a cancel request.

        Those that are due longest first.
        """
        ...

    async def list_with_mail(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """Return the replica's runs that have not ended and have a cancel request, or have ever had mail."""
        ...

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """Return when there may be events after that sequence, or on timeout.

        A hint: it may return early, and a lost wake-up costs at most the timeout. Callers read the log again.
        """
        ...


class CopyStore(Protocol):
    """Moving everything that clients keep to another store."""

    async def list_owners(self, tier: Tier, *, limit: int, cursor: str | None = None) -> Page[SessionKey]:
        """List what has something in this tier: sessions, users with state, or apps with state.

        In any order that pages can follow; what comes or goes meanwhile may be missed. Fields of the key that the
        tier does not need are empty. Raises: InvalidRequestError for a bad cursor.
        """
        ...

    async def read_copy(self, key: SessionKey) -> SessionCopy:
        """Return a whole session as it is at one moment. Raises: NotFoundError."""
        ...

    async def write_copy(self, copy: SessionCopy) -> None:
        """Make a session of a copy: same positions, times and expiry. Retention does not apply.

        Raises: AlreadyExistsError, as create_session.
        """
        ...


class Store(
    SessionStore, SessionEventStore, TrackStore, StateStore, RunStore, LiveStore, CopyStore, Protocol
):
    """All of it. Made by storage.opener.open_store."""

    @property
    def kind(self) -> str:
        """memory, sqlite, redis, postgresql, mysql or mariadb."""
        ...

    async def check(self) -> None:
        """Return when the storage answers. Raises: UnavailableError."""
        ...

    async def flush(self) -> None:
        """Return when all that was accepted is durable. Appends wait for that anyway, unless they are deferred."""
        ...

    async def close(self) -> None:
        """Finish what was begun and release connections. Idempotent."""
        ...
