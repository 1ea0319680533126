"""Sessions, events and runs as scripts take and return them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from runwire_server.domain.events import Event
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.mail import NO_MAIL, RunMail
from runwire_server.domain.record import replace
from runwire_server.domain.retention import Expiry
from runwire_server.domain.runs import CancelMode, CancelRequest, Run
from runwire_server.domain.sessions import Session, SessionEvent, TrackEvent, is_user_event
from runwire_server.storage.codec import (
    StoredEvent,
    decode_event,
    decode_input,
    decode_mail,
    decode_run,
    decode_value,
    encode_event,
    encode_mail,
)
from runwire_server.storage.redis.keys import from_micros, span_micros, to_micros


def expiry_words(expiry: Expiry) -> tuple[str, str]:
    """Return the TTL and the end in microseconds; empty for none."""
    return (
        "" if expiry.ttl is None else str(span_micros(expiry.ttl)),
        time_word(expiry.time),
    )


def time_word(time: datetime | None) -> str:
    """Return microseconds since 1970; empty for none."""
    return "" if time is None else str(to_micros(time))


def session_of(key: SessionKey, fields: Sequence[str]) -> Session:
    """Return a session out of what common.lua's `fields` gives. Its state is its own tier only."""
    create, update, ttl, expire, name, state, _version, last, count = fields
    return Session(
        key=key,
        create_time=from_micros(create),
        update_time=from_micros(update),
        state=decode_value(state),
        event_count=int(count),
        last_position=int(last),
        display_name=name,
        expiry=Expiry(
            timedelta(microseconds=int(ttl)) if ttl else None, from_micros(expire) if expire else None
        ),
    )


def version_of(fields: Sequence[str]) -> str:
    """Return the version of a session's state."""
    return fields[6]


def event_words(event: Event, stored: StoredEvent | None = None) -> tuple[str | int, ...]:
    """Return an event's microseconds, id, whether the user said it, kind, payload and envelope."""
    text = stored or encode_event(event)
    return (*place_words(event), text.kind, text.payload, text.envelope)


def place_words(event: Event) -> tuple[int, str, str]:
    """Return what a session needs of an event beside its text."""
    return to_micros(event.create_time), event.id, "1" if is_user_event(event) else "0"


def session_event_of(position: str, kind: str, payload: str, envelope: str) -> SessionEvent:
    """Return the event at its place."""
    return SessionEvent(int(position), decode_event(kind, payload, envelope))


def track_event_of(position: str, create: str, payload: str) -> TrackEvent:
    """Return the event of a track."""
    return TrackEvent(int(position), from_micros(create), payload)


def mail_words(mail: RunMail) -> tuple[str, int]:
    """Return a run's mail, empty for none, and its version."""
    return "" if mail == NO_MAIL else encode_mail(mail), mail.version


def cancel_of(mode: str | None, reason: str | None) -> CancelRequest | None:
    """Return a cancel; None without a mode."""
    return CancelRequest(CancelMode(mode), reason or "") if mode else None


def run_of(row: Sequence[Any]) -> Run:
    """Return a run out of what run_common.lua's `row` gives."""
    record, fingerprint, asked, mode, reason, _version, mail, due = row
    return replace(
        decode_run(record),
        fingerprint=fingerprint,
        input=decode_input(asked),
        cancel=cancel_of(mode, reason),
        mail=decode_mail(mail) if mail else NO_MAIL,
        due_time=from_micros(due) if due else None,
    )
