"""Domain objects to JSON text and back: one encoding for every adapter that writes text.

Tolerant on the way in: unknown fields are ignored and missing ones take their defaults, so that an older server reads
what a newer one wrote, and the other way round.
"""

import json
from datetime import datetime
from typing import Any

import msgspec
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import to_json

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part
from runwire_server.domain.mail import RunMail
from runwire_server.domain.record import record
from runwire_server.domain.runs import Run, RunInput

_KINDS: dict[str, type[Any]] = {
    "message": ev.MessagePayload,
    "tool_results": ev.ToolResults,
    "tool_started": ev.ToolStarted,
    "tool_finished": ev.ToolFinished,
    "run_started": ev.RunStarted,
    "completion": ev.Completion,
    "error": ev.ErrorPayload,
    "run_state_changed": ev.RunStateChanged,
    "model_retry": ev.ModelRetry,
    "approval_requested": ev.ApprovalRequested,
    "approval_resolved": ev.ApprovalResolved,
    "tool_outputs_requested": ev.ToolOutputsRequested,
    "plugin_failed": ev.PluginFailed,
    "custom": ev.Custom,
}
_BESIDE = {"cancel", "fingerprint", "input", "mail", "due_time"}
_RECORD = tuple(name for name in Run.__dataclass_fields__ if name not in _BESIDE)
# Writes what pydantic does, in a fifth of the time, but for bytes and for numbers that JSON has not.
_encode_plain = msgspec.json.Encoder().encode
_NAMES = {payload_type: kind for kind, payload_type in _KINDS.items()}


@record(frozen=True, slots=True)
class StoredEvent:
    """An event as text: the kind of its payload, the payload, and all else."""

    kind: str
    payload: str
    envelope: str

    def columns(self) -> dict[str, str]:
        """Return it by name."""
        return {"kind": self.kind, "payload": self.payload, "envelope": self.envelope}


def encode_event(event: ev.Event) -> StoredEvent:
    """Return a durable event as text. Raises: ValueError for what JSON cannot hold."""
    envelope = {
        name: value
        for name in ev.Event.__dataclass_fields__
        if name not in {"payload", "wire"} and (value := getattr(event, name)) not in (None, "", 0)
    }
    payload = event.payload
    is_plain = isinstance(payload, ev.RunStarted) or (
        isinstance(payload, ev.MessagePayload | ev.Completion) and _is_plain(payload.message)
    )
    return StoredEvent(
        _NAMES[type(payload)],
        _encode_plain(payload).decode() if is_plain else _json(payload),
        _encode_plain(envelope).decode() if event.state_delta is None else _json(envelope),
    )


def decode_event(kind: str, payload: str, envelope: str) -> ev.Event:
    """Return the event. Raises: ValueError for a kind that this version does not know."""
    payload_type = _KINDS.get(kind)
    if payload_type is None:
        raise ValueError(f"unknown kind of event {kind!r}: was it written by a newer version?")
    fields = json.loads(envelope)
    known = {name: value for name, value in fields.items() if name in ev.Event.__dataclass_fields__}
    known["create_time"] = datetime.fromisoformat(known["create_time"])
    known.setdefault("request_id", "")
    known.setdefault("sequence", 0)
    known.setdefault("author", "")
    return ev.Event(payload=_adapters[payload_type].validate_json(payload), **known)


def encode_run(run: Run) -> str:
    """Return all of a run as text. Raises: as encode_event."""
    return _json(run)


def encode_record(run: Run) -> str:
    """Return what only the run's own appends change, as text. Raises: as encode_event.

    The rest is kept beside it: the cancel, the fingerprint, the input, the mail, the due time.
    """
    if not _is_plain(run.message):
        return to_json(run, bytes_mode="base64", exclude=_BESIDE).decode()
    return _encode_plain({name: getattr(run, name) for name in _RECORD}).decode()


def decode_run(text: str) -> Run:
    """Return the run. Of a record, what is kept beside it has its default."""
    run: Run = _adapters[Run].validate_json(text)
    return run


def encode_input(asked: RunInput) -> str:
    """Return what a run was asked as text. Raises: as encode_event."""
    if asked.state_delta is None and all(map(_is_plain, (asked.message, *asked.messages))):
        return _encode_plain(asked).decode()
    return _json(asked)


def decode_input(text: str) -> RunInput:
    """Return what a run was asked."""
    asked: RunInput = _adapters[RunInput].validate_json(text)
    return asked


def encode_mail(mail: RunMail) -> str:
    """Return a run's mail as text. Raises: as encode_event."""
    return _json(mail)


def decode_mail(text: str) -> RunMail:
    """Return the run's mail."""
    mail: RunMail = _adapters[RunMail].validate_json(text)
    return mail


def encode_value(value: Any) -> str:
    """Return a JSON value as text. Raises: as encode_event."""
    return _json(value)


def decode_value(text: str) -> Any:
    """Return the JSON value."""
    return json.loads(text)


def warm_up() -> None:
    """Build all that decoding needs, which takes a moment and reads files: not for an event loop."""
    for kind in (*_KINDS.values(), Run, RunInput, RunMail):
        _adapters[kind]


def _is_plain(message: Message | None) -> bool:
    """Whether there are no bytes in the message."""
    return message is None or not message.parts


def _json(value: Any) -> str:
    return to_json(value, bytes_mode="base64").decode()


class _Adapters(dict[type[Any], TypeAdapter[Any]]):
    """A TypeAdapter a type, built when it is first needed: that takes a while."""

    def __missing__(self, kind: type[Any]) -> TypeAdapter[Any]:
        # How Part's bytes look in JSON, which is no business of the domain's.
        Part.__pydantic_config__ = ConfigDict(val_json_bytes="base64")  # type: ignore[attr-defined]
        made = self[kind] = TypeAdapter(kind)
        return made


_adapters = _Adapters()
