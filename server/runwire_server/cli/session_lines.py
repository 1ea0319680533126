"""Sessions and state as JSON lines. The first line says which format; every other line stands for itself."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import Expiry
from runwire_server.domain.sessions import Session, SessionCopy, SessionEvent, TrackEvent
from runwire_server.domain.state import Tier
from runwire_server.storage.codec import decode_event, encode_event

FORMAT = "runwire-sessions"
VERSION = 1
_Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
_Position = Annotated[int, Field(ge=0)]
# More than any server takes, and little enough for a calendar.
_SECONDS_MAX = 1e10


class LineError(Exception):
    """A line is not what it should be. The text is one line."""


@dataclass(frozen=True, slots=True)
class StateLine:
    """The state of a user or an app. The key has only what the tier needs."""

    key: SessionKey
    tier: Tier
    state: dict[str, Any]


class _Line(BaseModel):
    """What all lines have in common. Unknown fields are ignored: a newer version of the same format has more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Header(_Line):
    format: Literal["runwire-sessions"]
    version: int


class _State(_Line):
    kind: Literal["state"]
    tier: Literal["app", "user"]
    app_name: _Name
    user_id: str = ""
    state: dict[str, Any]


class _Event(_Line):
    position: _Position
    kind: str
    payload: dict[str, Any]
    envelope: dict[str, Any]


class _TrackEvent(_Line):
    position: _Position
    create_time: AwareDatetime
    payload: str


class _Track(_Line):
    last_position: _Position
    events: list[_TrackEvent] = []


class _Session(_Line):
    kind: Literal["session"]
    app_name: _Name
    user_id: _Name
    session_id: _Name
    create_time: AwareDatetime
    update_time: AwareDatetime
    expire_time: AwareDatetime | None = None
    ttl_seconds: float | None = Field(None, gt=0, le=_SECONDS_MAX)
    display_name: str = Field("", max_length=255, pattern=r"^[^\x00]*$")
    last_position: _Position
    state: dict[str, Any] = {}
    events: list[_Event] = []
    tracks: dict[_Name, _Track] = {}


_line: TypeAdapter[_State | _Session] = TypeAdapter(Annotated[_State | _Session, Field(discriminator="kind")])


def header_line() -> str:
    """Return the first line."""
    return _text({"format": FORMAT, "version": VERSION})


def check_header(line: bytes) -> None:
    """Check the first line. Raises: LineError."""
    try:
        header = _Header.model_validate_json(line)
    except ValidationError:
        raise LineError("this is no export of sessions: its first line must name the format") from None
    if header.version != VERSION:
        raise LineError(f"version {header.version} of the format is not known here, only {VERSION}")


def state_line(item: StateLine) -> str:
    """Return a tier's state as a line."""
    key = item.key
    owner = {"app_name": key.app_name} if item.tier is Tier.APP else _owner(key)
    return _text({"kind": "state", "tier": item.tier.value, **owner, "state": item.state})


def session_line(copy: SessionCopy) -> str:
    """Return a whole session as a line."""
    session = copy.session
    expiry = session.expiry
    return _text(
        {
            "kind": "session",
            **_owner(session.key),
            "session_id": session.key.session_id,
            "create_time": session.create_time.isoformat(),
            "update_time": session.update_time.isoformat(),
            "expire_time": expiry.time.isoformat() if expiry.time is not None else None,
            "ttl_seconds": expiry.ttl.total_seconds() if expiry.ttl is not None else None,
            "display_name": session.display_name,
            "last_position": session.last_position,
            "state": session.state,
            "events": [_event(item) for item in copy.events],
            "tracks": {
                name: {"last_position": last, "events": [_track_event(item) for item in events]}
                for name, (last, events) in copy.tracks.items()
            },
        }
    )


def parse_line(line: bytes) -> StateLine | SessionCopy:
    """Return what a line stands for. Raises: LineError."""
    try:
        found = _line.validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise LineError(f"{place}: {problem['msg']}" if place else problem["msg"]) from None
    if isinstance(found, _State):
        if found.tier == "user" and not found.user_id:
            raise LineError("user_id: is missing")
        user_id = found.user_id if found.tier == "user" else ""
        return StateLine(SessionKey(found.app_name, user_id, ""), Tier(found.tier), found.state)
    try:
        return _copy(found)
    except (ValueError, KeyError, TypeError) as error:
        raise LineError(f"an event cannot be read: {error}") from None


def _copy(found: _Session) -> SessionCopy:
    _check_order("events", found.events, found.last_position, lambda item: item.position)
    for name, track in found.tracks.items():
        _check_order(f"track {name!r}", track.events, track.last_position, lambda item: item.position)
    ttl = timedelta(seconds=found.ttl_seconds) if found.ttl_seconds is not None else None
    session = Session(
        key=SessionKey(found.app_name, found.user_id, found.session_id),
        create_time=_utc(found.create_time),
        update_time=_utc(found.update_time),
        state=found.state,
        event_count=len(found.events),
        last_position=found.last_position,
        display_name=found.display_name,
        expiry=Expiry(ttl, _utc(found.expire_time) if found.expire_time is not None else None),
    )
    events = [
        SessionEvent(
            item.position, decode_event(item.kind, json.dumps(item.payload), json.dumps(item.envelope))
        )
        for item in found.events
    ]
    tracks = {
        name: (
            track.last_position,
            [TrackEvent(item.position, _utc(item.create_time), item.payload) for item in track.events],
        )
        for name, track in found.tracks.items()
    }
    return SessionCopy(session=session, events=events, tracks=tracks)


def _check_order(what: str, items: Iterable[Any], last: int, place: Callable[[Any], int]) -> None:
    before = 0
    for item in items:
        if not before < place(item) <= last:
            raise LineError(f"{what}: position {place(item)} is out of order, or beyond {last}")
        before = place(item)


def _owner(key: SessionKey) -> dict[str, Any]:
    return {"app_name": key.app_name, "user_id": key.user_id}


def _event(item: SessionEvent) -> dict[str, Any]:
    stored = encode_event(item.event)
    payload, envelope = json.loads(stored.payload), json.loads(stored.envelope)
    return {"position": item.position, "kind": stored.kind, "payload": payload, "envelope": envelope}


def _track_event(item: TrackEvent) -> dict[str, Any]:
    return {
        "position": item.position,
        "create_time": item.create_time.isoformat(),
        "payload": item.payload,
    }


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
