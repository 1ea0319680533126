"""How long things are kept. An operator sets it once for a store; a session may have an expiry of its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runwire_server.domain.record import record, replace
from runwire_server.domain.state import Tier

FOR_EVER = timedelta(0)


@record(frozen=True, slots=True)
class Expiry:
    """When something ends by itself: `ttl` after it was last written, or at `time`. Neither: never."""

    ttl: timedelta | None = None
    time: datetime | None = None

    def renewed(self, now: datetime) -> "Expiry":
        """Return the expiry after a write. A fixed time stays."""
        return self if self.ttl is None else replace(self, time=now + self.ttl)

    def is_over(self, now: datetime) -> bool:
        """Whether the thing is gone."""
        return self.time is not None and self.time <= now


NEVER = Expiry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long a store keeps what. A TTL counts from the last write; reading renews nothing; None: for ever.

    `event_limit` is how many events a session keeps, 0 for all. `track_ttl` is for each event of a track: None means
    as long as its session. `deleted_ttl` is how long a deleted session can be restored; 0 deletes for good at once.
    """

    event_limit: int = 1000
    session_ttl: timedelta | None = None
    app_state_ttl: timedelta | None = None
    user_state_ttl: timedelta | None = None
    track_ttl: timedelta | None = None
    deleted_ttl: timedelta = timedelta(days=7)

    def session_expiry(self, asked: timedelta | None, now: datetime) -> Expiry:
        """Return a new session's expiry. None asks for the default, and FOR_EVER for none."""
        ttl = self.session_ttl if asked is None else asked
        return Expiry(ttl or None).renewed(now)

    def state_expiry(self, tier: Tier, now: datetime) -> Expiry:
        """Return the expiry of an app's or a user's state after a write. A session's state ends with it."""
        ttl = {Tier.APP: self.app_state_ttl, Tier.USER: self.user_state_ttl}.get(tier)
        return Expiry(ttl).renewed(now)

    def track_expiry(self, now: datetime) -> Expiry:
        """Return the expiry of an event of a track."""
        return Expiry(self.track_ttl).renewed(now)

    def excess(self, event_count: int) -> int:
        """Return how many events of a session are too many.

        So many of the oldest are deleted, but never the newest user message: a history must begin with one, so that
        one of them may stay beyond the limit.
        """
        return max(event_count - self.event_limit, 0) if self.event_limit else 0
