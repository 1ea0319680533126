"""Requests of SessionService that make, change and remove sessions."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from runwire.v1 import session_pb2
from runwire.v1 import session_service_pb2 as pb
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.record import replace
from runwire_server.domain.retention import FOR_EVER, NEVER, Expiry
from runwire_server.domain.sessions import SessionChange
from runwire_server.runner.conversations import NewSession
from runwire_server.transport.validate.checks import Checks

TTL_SECONDS_MIN = 1.0
TTL_SECONDS_MAX = 10 * 365 * 86_400.0


def create_session_request(request: pb.CreateSessionRequest) -> NewSession:
    """Check CreateSession. The session's id may be empty."""
    return _new_session(request)


def get_or_create_session_request(request: pb.GetOrCreateSessionRequest) -> NewSession:
    """Check GetOrCreateSession. The session's id may be empty."""
    return _new_session(request)


def _new_session(request: pb.CreateSessionRequest | pb.GetOrCreateSessionRequest) -> NewSession:
    with Checks() as checks:
        return NewSession(
            key=session_key(checks, request.key, needs_session=False),
            state=checks.state("state", request.state),
            ttl=_ttl(checks, "ttl", request.ttl) if request.HasField("ttl") else None,
            display_name=checks.name("display_name", request.display_name),
        )


def update_session_request(request: pb.UpdateSessionRequest) -> tuple[SessionKey, SessionChange]:
    """Check UpdateSession. What the mask names and the session leaves unset is cleared."""
    session, paths = request.session, list(request.update_mask.paths)
    with Checks() as checks:
        key = session_key(checks, session.key, prefix="session.")
        if not paths:
            checks.wrong("update_mask", f"is empty; it can have {', '.join(_CHANGES)}")
        if {"ttl", "expire_time"} <= set(paths):
            checks.wrong("update_mask", "has both ttl and expire_time; a session has one of them")
        change = SessionChange()
        for index, path in enumerate(paths):
            if path in _CHANGES:
                change = _CHANGES[path](checks, change, session)
            else:
                checks.wrong(
                    f"update_mask.paths[{index}]",
                    f"{path[:64]!r} cannot be changed; {', '.join(_CHANGES)} can",
                )
    return key, change


def _rename(checks: Checks, change: SessionChange, session: session_pb2.Session) -> SessionChange:
    name = checks.name("session.display_name", session.display_name)
    return replace(change, display_name=name)


def _end(checks: Checks, change: SessionChange, session: session_pb2.Session) -> SessionChange:
    if not session.HasField("expire_time"):
        return replace(change, expiry=NEVER)
    return replace(change, expiry=Expiry(time=checks.time("session.expire_time", session.expire_time)))


def _live(checks: Checks, change: SessionChange, session: session_pb2.Session) -> SessionChange:
    ttl = _ttl(checks, "session.ttl", session.ttl)
    return replace(change, expiry=NEVER if ttl == FOR_EVER else Expiry(ttl=ttl))


_Change = Callable[[Checks, SessionChange, session_pb2.Session], SessionChange]
_CHANGES: Mapping[str, _Change] = {"display_name": _rename, "expire_time": _end, "ttl": _live}


def _ttl(checks: Checks, field: str, value: Duration) -> timedelta:
    """Return a TTL; FOR_EVER for 0."""
    if not value.seconds and not value.nanos:
        return FOR_EVER
    seconds = checks.seconds(field, value, TTL_SECONDS_MIN, TTL_SECONDS_MAX)
    return timedelta(seconds=seconds) if TTL_SECONDS_MIN <= seconds <= TTL_SECONDS_MAX else FOR_EVER


def delete_session_request(request: pb.DeleteSessionRequest) -> SessionKey:
    """Check DeleteSession."""
    with Checks() as checks:
        return session_key(checks, request.key)


def restore_session_request(request: pb.RestoreSessionRequest) -> SessionKey:
    """Check RestoreSession."""
    with Checks() as checks:
        return session_key(checks, request.key)


def session_key(
    checks: Checks, key: session_pb2.SessionKey, *, needs_session: bool = True, prefix: str = ""
) -> SessionKey:
    """Check a session's key, which is the request's field `key` behind `prefix`."""
    fields: tuple[tuple[str, Any], ...] = (
        ("app_name", False),
        ("user_id", True),
        ("session_id", needs_session),
    )
    for name, is_required in fields:
        checks.name(f"{prefix}key.{name}", getattr(key, name), is_required=is_required)
    return SessionKey(key.app_name, key.user_id, key.session_id)
