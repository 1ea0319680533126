"""Deltas of texts as they go over the wire: written by hand, at a fifth of what making the messages costs.

One is made for every token. What is the same for all deltas of a message is written by protobuf, once; the rest is
two fields, whose numbers are taken from the descriptors. Fields may come in any order.
"""

from datetime import datetime
from functools import lru_cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.timestamp_pb2 import Timestamp

from runwire.v1 import event_pb2 as pb
from runwire.v1 import runner_service_pb2 as service_pb
from runwire_server.domain import events as ev
from runwire_server.domain.content import clean_text
from runwire_server.transport.convert.content import since_epoch

_VARINT, _BYTES = 0, 2


def _tag(message: Descriptor, field: str, wire_type: int) -> bytes:
    return _varint(message.fields_by_name[field].number << 3 | wire_type)


def _varint(number: int) -> bytes:
    """Return the number as protobuf writes an int64."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


_VARINTS = [_varint(number) for number in range(4096)]
_EVENT = _tag(service_pb.RunResponse.DESCRIPTOR, "event", _BYTES)
_TIME = _tag(pb.Event.DESCRIPTOR, "create_time", _BYTES)
_SECONDS = _tag(Timestamp.DESCRIPTOR, "seconds", _VARINT)
_NANOS = _tag(Timestamp.DESCRIPTOR, "nanos", _VARINT)


class _Shape:
    """One kind of delta: its field in the event, and its own fields."""

    def __init__(self, field: str) -> None:
        message = pb.Event.DESCRIPTOR.fields_by_name[field].message_type
        assert message is not None  # noqa: S101 -- the fields that are named below
        self.delta = _tag(pb.Event.DESCRIPTOR, field, _BYTES)
        self.text = _tag(message, "text", _BYTES)
        self.offset = _tag(message, "offset", _VARINT)
        self.message_id = _tag(message, "message_id", _BYTES)


@lru_cache(4096)
def _head(shape: _Shape, message_id: str) -> bytes:
    """Return the delta up to the length of its text."""
    encoded = message_id.encode()
    return b"".join((shape.message_id, _length(len(encoded)), encoded, shape.text))


_SHAPES = {ev.TextDelta: _Shape("text_delta"), ev.ReasoningDelta: _Shape("reasoning_delta")}


def delta_to_wire(event: ev.Event, payload: ev.TextDelta | ev.ReasoningDelta) -> bytes:
    """Return the event, whose payload that is, as a serialised RunResponse."""
    shape = _SHAPES[type(payload)]
    text = clean_text(payload.text).encode()
    head = _head(shape, payload.message_id)
    length = _length(len(text))
    offset = _length(payload.offset)
    envelope = _envelope(event.request_id, event.sequence, event.author, event.branch, event.object)
    time = _time(event.create_time)
    delta_length = len(head) + len(length) + len(text) + len(shape.offset) + len(offset)
    made = b"".join(
        (envelope, time, shape.delta, _length(delta_length), head, length, text, shape.offset, offset)
    )
    return _EVENT + _length(len(made)) + made


def _time(time: datetime) -> bytes:
    whole, part = since_epoch(time)
    seconds, nanos = _seconds(whole), _varint(part)
    length = len(_SECONDS) + len(seconds) + len(_NANOS) + len(nanos)
    return b"".join((_TIME, _VARINTS[length], _SECONDS, seconds, _NANOS, nanos))


def _length(number: int) -> bytes:
    return _VARINTS[number] if number < 4096 else _varint(number)


_seconds = lru_cache(4)(_varint)


@lru_cache(4096)
def _envelope(request_id: str, sequence: int, author: str, branch: str, object_name: str) -> bytes:
    event = pb.Event(request_id=request_id, sequence=sequence, author=author, branch=branch, partial=True)
    event.object = object_name
    return event.SerializeToString()
