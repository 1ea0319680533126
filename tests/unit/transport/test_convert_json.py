"""JSON to Struct and back."""

import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from runwire.v1 import event_pb2, runner_service_pb2, session_service_pb2
from runwire_server.domain.state import DEPTH_MAX, json_depth
from runwire_server.transport.convert.content import (
    duration,
    json_to_struct,
    json_to_value,
    struct_to_json,
    value_to_json,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3)
)


def nested(levels: int, kind: type = dict) -> Any:
    """JSON of exactly that depth."""
    value: Any = 1
    for _ in range(levels):
        value = {"k": value} if kind is dict else [value]
    return value


@given(st.dictionaries(_TEXT, _JSON, max_size=4))
def test_json_survives_a_round_trip_as_a_struct(value: dict[str, Any]) -> None:
    decoded = Struct.FromString(json_to_struct(value).SerializeToString())

    assert struct_to_json(decoded) == value


@pytest.mark.parametrize("value", [0, -7, 2**53, -(2**53)])
def test_whole_numbers_come_back_as_integers(value: int) -> None:
    back = value_to_json(json_to_value(value))

    assert back == value
    assert type(back) is int


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 10**30])
def test_integers_that_a_double_cannot_hold_travel_as_strings(value: int) -> None:
    assert value_to_json(json_to_value(value)) == str(value)


def test_doubles_beyond_the_safe_integers_stay_doubles() -> None:
    assert type(value_to_json(json_to_value(1e300))) is float


def test_booleans_are_not_numbers() -> None:
    assert value_to_json(json_to_value(True)) is True


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_travel_as_strings(value: float) -> None:
    assert value_to_json(json_to_value(value)) == str(value)


def test_lone_surrogates_are_replaced_in_keys_and_values() -> None:
    struct = json_to_struct({"k\ud800": ["v\udfff"]})

    assert struct_to_json(struct) == {"k?": ["v?"]}


@pytest.mark.parametrize("value", [[], {}, [[]], [{}], [None]])
def test_empty_things_stay_what_they_are(value: Any) -> None:
    decoded = Value.FromString(json_to_value(value).SerializeToString())

    assert value_to_json(decoded) == value


def test_a_value_that_is_no_json_becomes_text() -> None:
    assert value_to_json(json_to_value(object)) == str(object)


@pytest.mark.parametrize("kind", [dict, list])
def test_the_deepest_data_allowed_can_be_decoded_wherever_it_is_sent(kind: type) -> None:
    value = json_to_value(nested(DEPTH_MAX, kind))
    event = event_pb2.Event()
    event.message.message.parts.add().data.CopyFrom(value)
    listed = session_service_pb2.ListEventsResponse(
        events=[session_service_pb2.SessionEvent(position=1, event=event)]
    )

    back = session_service_pb2.ListEventsResponse.FromString(listed.SerializeToString())

    assert value_to_json(back.events[0].event.message.message.parts[0].data) == nested(DEPTH_MAX, kind)


@pytest.mark.parametrize("levels", [DEPTH_MAX + 1, 400])
@pytest.mark.parametrize("kind", [dict, list])
def test_data_too_deep_to_be_decoded_is_cut_off_and_says_so(levels: int, kind: type) -> None:
    response = runner_service_pb2.RunResponse()
    response.event.custom.data.CopyFrom(json_to_struct({"top": nested(levels, kind)}))

    back = runner_service_pb2.RunResponse.FromString(response.SerializeToString())

    shown = struct_to_json(back.event.custom.data)
    assert json_depth(shown) == DEPTH_MAX
    assert "nested too deeply" in str(shown)


@pytest.mark.parametrize(
    ("seconds", "whole", "nanos"),
    [(0.0, 0, 0), (2.3, 2, 300_000_000), (0.9999999999, 1, 0), (86_400.5, 86_400, 500_000_000)],
)
def test_durations_are_rounded_to_the_nanosecond(seconds: float, whole: int, nanos: int) -> None:
    made = duration(seconds)

    assert (made.seconds, made.nanos) == (whole, nanos)
