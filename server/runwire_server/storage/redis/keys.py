"""What is kept where. The part of a key in braces decides its slot on Redis Cluster; scripts stay within one.

    {s:HASH}            a session: its generations, its outbox, and its runs with their logs (lua/common.lua)
    {r:HASH}            a request id: where its run is          {r:HASH}:c    a cancel that came before its run
    {u:HASH}:sessions   a user's sessions by update time        {u:HASH}:state, :applied    the user's state
    {a:HASH}:runs       an app's runs by creation               {a:HASH}:state, :applied    the app's state
    {i:NAME}            an index of everything, see Index       {leases}      replicas and when their leases end

What the slots {s:…}, {r:…}, :state and :applied hold is the truth. :sessions, :runs and {i:…} are hints: they are
written before the truth and cleaned after it, and whoever reads them looks at the truth.
"""

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.state import Tier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Index(StrEnum):
    """Indexes over everything. A member is JSON, a list of names.

    SESSIONS, USERS, APPS: what has something in a tier. LIVE: runs that have not ended. CANCELS: runs with a cancel.
    MAIL: runs that have had mail. WAITING: runs that wait, by when they are due. ENDED: runs by end time. DUE:
    sessions and states by when something of theirs may have expired. DIRTY: sessions that somebody writes in more
    than one step at the moment, or did when it died.
    """

    SESSIONS = "sessions"
    USERS = "users"
    APPS = "apps"
    LIVE = "live"
    CANCELS = "cancels"
    MAIL = "mail"
    WAITING = "waiting"
    ENDED = "ended"
    DUE = "due"
    DIRTY = "dirty"


# Where a run is that has not ended.
RUN_INDEXES = (Index.LIVE, Index.CANCELS, Index.MAIL, Index.WAITING)


class Keys:
    """Makes keys that begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def session(self, key: SessionKey) -> str:
        """Return a session's root."""
        return f"{self._prefix}{{s:{hash_names(*names_of(key))}}}"

    def pointer(self, key: RunKey) -> str:
        """Return where a run's place is kept."""
        return f"{self._prefix}{{r:{hash_names(key.app_name, key.request_id)}}}"

    def mark(self, key: RunKey) -> str:
        """Return where a cancel is kept that came before its run."""
        return f"{self.pointer(key)}:c"

    def user_sessions(self, app_name: str, user_id: str) -> str:
        """Return the index of a user's sessions: scored by update time in microseconds."""
        return f"{self._prefix}{{u:{hash_names(app_name, user_id)}}}:sessions"

    def app_runs(self, app_name: str) -> str:
        """Return the index of an app's runs: [user, session, request], in the order of their creation."""
        return f"{self._prefix}{{a:{hash_names(app_name)}}}:runs"

    def state(self, key: SessionKey, tier: Tier) -> str:
        """Return where a user's or an app's state is kept."""
        return f"{self._owner(key, tier)}:state"

    def applied(self, key: SessionKey, tier: Tier) -> str:
        """Return where a tier remembers which entries of outboxes it has."""
        return f"{self._owner(key, tier)}:applied"

    def index(self, index: Index) -> str:
        """Return the key of an index."""
        return f"{self._prefix}{{i:{index.value}}}"

    @property
    def leases(self) -> str:
        """Replicas by when their leases end."""
        return f"{self._prefix}{{leases}}"

    def _owner(self, key: SessionKey, tier: Tier) -> str:
        if tier is Tier.APP:
            return f"{self._prefix}{{a:{hash_names(key.app_name)}}}"
        return f"{self._prefix}{{u:{hash_names(key.app_name, key.user_id)}}}"


def hash_names(*names: str) -> str:
    """Return a hash that no other names have."""
    return blake2b(pack(*names).encode(), digest_size=20).hexdigest()


def pack(*names: Any) -> str:
    """Return names as one text."""
    return json.dumps(names, separators=(",", ":"))


def unpack(text: str) -> list[Any]:
    """Return what pack was given."""
    found: list[Any] = json.loads(text)
    return found


def names_of(key: SessionKey) -> tuple[str, str, str]:
    """Return the parts of a session's key."""
    return key.app_name, key.user_id, key.session_id


def to_micros(time: datetime) -> int:
    """Return microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: str | int) -> datetime:
    """Return an aware UTC time."""
    return _EPOCH + timedelta(microseconds=int(micros))


def span_micros(span: timedelta) -> int:
    """Return a length of time in microseconds."""
    return span // _MICROSECOND
