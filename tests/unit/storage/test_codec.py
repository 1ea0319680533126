"""Text and back: nothing is lost, and other versions' text is read."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult, ToolStatus, Usage
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import (
    NO_MAIL,
    Answer,
    Decision,
    Question,
    QuestionKind,
    QueuedMessage,
    RunMail,
)
from runwire_server.domain.runs import Outcome, Run, RunError, RunInput, RunOptions, RunState
from runwire_server.storage import codec

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
# JSON holds every character but lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(0, 2**63 - 1)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
SCALAR = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | NUMBER | TEXT
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
OBJECT = st.dictionaries(TEXT, VALUE, max_size=4)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
PART = st.one_of(
    st.builds(Part, text=TEXT),
    st.builds(Part, inline_data=st.binary(max_size=20), media_type=TEXT, filename=TEXT),
    st.builds(Part, uri=TEXT),
    st.builds(Part, data=VALUE),
)
CALL = st.builds(ToolCall, TEXT, TEXT, TEXT)
RESULT = st.builds(ToolResult, TEXT, TEXT, TEXT, st.sampled_from(ToolStatus), TEXT)
MESSAGE = st.builds(
    Message,
    st.sampled_from(Role),
    TEXT,
    st.lists(PART, max_size=2).map(tuple),
    st.lists(CALL, max_size=2).map(tuple),
    TEXT,
    TEXT,
    TEXT,
)
ERROR = st.builds(RunError, TEXT, TEXT, TEXT, TEXT, st.booleans())
OPTIONS = st.builds(
    RunOptions,
    model=TEXT,
    temperature=st.none() | NUMBER,
    max_tokens=st.none() | COUNT,
    stop=st.lists(TEXT, max_size=2).map(tuple),
    stream=st.none() | st.booleans(),
    labels=st.dictionaries(TEXT, TEXT, max_size=2),
)
ANSWER = st.builds(
    Answer,
    question_id=TEXT,
    decision=st.sampled_from(Decision),
    arguments=TEXT,
    output=st.none() | RESULT,
    time=st.none() | TIME,
)
MAIL = st.builds(
    RunMail,
    version=COUNT,
    messages=st.lists(st.builds(QueuedMessage, TEXT, MESSAGE), max_size=2).map(tuple),
    read_ids=st.lists(TEXT, max_size=2).map(tuple),
    answers=st.lists(ANSWER, max_size=2).map(tuple),
)
QUESTION = st.builds(
    Question, id=TEXT, kind=st.sampled_from(QuestionKind), tool_call=CALL, is_settled=st.booleans()
)
RUN = st.builds(
    Run,
    key=st.builds(RunKey, TEXT, TEXT),
    session=st.builds(SessionKey, TEXT, TEXT, TEXT),
    agent_name=TEXT,
    state=st.sampled_from(RunState),
    create_time=TIME,
    attempt=COUNT,
    end_time=st.none() | TIME,
    usage=USAGE,
    outcome=st.none() | st.sampled_from(Outcome),
    error=st.none() | ERROR,
    message=st.none() | MESSAGE,
    owner=TEXT.map(ReplicaId),
    input=st.builds(
        RunInput,
        st.none() | MESSAGE,
        st.lists(MESSAGE, max_size=2).map(tuple),
        st.booleans(),
        st.none() | OBJECT,
        OPTIONS,
    ),
    mail=MAIL,
    questions=st.lists(QUESTION, max_size=2).map(tuple),
    due_time=st.none() | TIME,
    worked_seconds=NUMBER,
    tool_rounds=COUNT,
)
STATE = st.sampled_from(RunState)
PAYLOADS: dict[type, st.SearchStrategy[Any]] = {
    ev.MessagePayload: st.builds(ev.MessagePayload, TEXT, MESSAGE, TEXT, st.none() | USAGE, TEXT, TEXT),
    ev.ToolResults: st.builds(ev.ToolResults, st.lists(RESULT, max_size=2).map(tuple), TEXT),
    ev.ToolStarted: st.builds(ev.ToolStarted, CALL, COUNT),
    ev.ToolFinished: st.builds(ev.ToolFinished, RESULT, COUNT, NUMBER),
    ev.RunStarted: st.builds(
        ev.RunStarted, RUN, OPTIONS, st.lists(TEXT, max_size=2).map(tuple), st.booleans(), st.booleans()
    ),
    ev.Completion: st.builds(
        ev.Completion,
        st.sampled_from(Outcome),
        TEXT,
        st.none() | ERROR,
        USAGE,
        st.none() | MESSAGE,
        st.none() | OBJECT,
        TEXT,
    ),
    ev.ErrorPayload: st.builds(ev.ErrorPayload, ERROR),
    ev.RunStateChanged: st.builds(ev.RunStateChanged, STATE, STATE, TEXT),
    ev.ModelRetry: st.builds(ev.ModelRetry, COUNT, ERROR, NUMBER),
    ev.ApprovalRequested: st.builds(ev.ApprovalRequested, TEXT, CALL, st.none() | TIME, TEXT),
    ev.ApprovalResolved: st.builds(ev.ApprovalResolved, TEXT, st.sampled_from(Decision), TEXT, TEXT, TEXT),
    ev.ToolOutputsRequested: st.builds(
        ev.ToolOutputsRequested, st.lists(CALL, max_size=2).map(tuple), st.none() | TIME
    ),
    ev.PluginFailed: st.builds(ev.PluginFailed, TEXT, TEXT, ERROR),
    ev.Custom: st.builds(ev.Custom, TEXT, OBJECT),
}
EVENT = st.builds(
    ev.Event,
    request_id=TEXT,
    sequence=COUNT,
    create_time=TIME,
    author=TEXT,
    payload=st.one_of(list(PAYLOADS.values())),
    id=TEXT,
    branch=TEXT,
    filter_key=TEXT,
    invocation_id=TEXT,
    parent_invocation_id=TEXT,
    tag=TEXT,
    state_delta=st.none() | OBJECT,
    attempt=COUNT,
)
# The same examples on every run, and no verdict on how long one takes.
STEADY = settings(deadline=None, derandomize=True, max_examples=60)


def decode(stored: codec.StoredEvent) -> ev.Event:
    return codec.decode_event(stored.kind, stored.payload, stored.envelope)


def message_event(**fields: Any) -> ev.Event:
    payload = ev.MessagePayload("m", Message(Role.USER, "hi"))
    return ev.Event(request_id="r", sequence=1, create_time=NOW, author="a", payload=payload, **fields)


def test_every_durable_payload_is_covered() -> None:
    assert set(PAYLOADS) == set(get_args(ev.DurablePayload))


@STEADY
@given(EVENT)
def test_an_event_comes_back_as_it_was(event: ev.Event) -> None:
    assert decode(codec.encode_event(event)) == event


@STEADY
@given(RUN)
def test_a_run_comes_back_as_it_was(run: Run) -> None:
    assert codec.decode_run(codec.encode_run(run)) == run
    assert codec.decode_input(codec.encode_input(run.input)) == run.input
    assert codec.decode_mail(codec.encode_mail(run.mail)) == run.mail


@STEADY
@given(RUN)
def test_a_record_has_all_but_what_is_kept_beside_it(run: Run) -> None:
    beside = {"cancel": None, "fingerprint": "", "input": RunInput(), "mail": NO_MAIL, "due_time": None}

    text = codec.encode_record(run)

    assert codec.decode_run(text) == replace(run, **beside)
    assert not beside.keys() & json.loads(text).keys()
    # As an older version wrote it.
    assert codec.decode_run(codec.encode_run(replace(run, **beside))) == replace(run, **beside)


@STEADY
@given(VALUE)
def test_a_json_value_comes_back_as_it_was(value: Any) -> None:
    assert codec.decode_value(codec.encode_value(value)) == value


def test_bytes_are_base64() -> None:
    event = ev.Event(
        request_id="",
        sequence=0,
        create_time=NOW,
        author="",
        payload=ev.MessagePayload("m", Message(Role.USER, parts=(Part(inline_data=b"\xfb\xff\x00"),))),
    )

    stored = json.loads(codec.encode_event(event).payload)

    text = stored["message"]["parts"][0]["inline_data"]
    assert base64.urlsafe_b64decode(text) == b"\xfb\xff\x00"


def test_kinds_have_stable_names() -> None:
    # Stored events have these names: a change here needs a migration.
    assert sorted(codec._KINDS) == [
        "approval_requested",
        "approval_resolved",
        "completion",
        "custom",
        "error",
        "message",
        "model_retry",
        "plugin_failed",
        "run_started",
        "run_state_changed",
        "tool_finished",
        "tool_outputs_requested",
        "tool_results",
        "tool_started",
    ]


def test_fields_of_a_newer_version_are_ignored() -> None:
    stored = codec.encode_event(message_event())
    payload = json.loads(stored.payload)
    payload["mood"] = payload["message"]["mood"] = "good"
    envelope = {**json.loads(stored.envelope), "mood": "good"}

    event = codec.decode_event(stored.kind, json.dumps(payload), json.dumps(envelope))

    assert event == message_event()


def test_fields_that_an_older_version_did_not_write_take_their_defaults() -> None:
    event = codec.decode_event(
        "message",
        '{"message_id": "m", "message": {"role": "user", "content": "hi"}}',
        '{"create_time": "2026-11-21T12:00:00Z", "request_id": "r", "sequence": 1, "author": "a"}',
    )

    assert event == message_event()


def test_an_unknown_kind_says_so() -> None:
    with pytest.raises(ValueError, match=r"unknown kind of event 'telepathy'.*newer version"):
        codec.decode_event("telepathy", "{}", "{}")


@pytest.mark.parametrize("value", [object(), "\ud800", {"a": {"b": b"\xff"}, "c": object()}])
def test_what_json_cannot_hold_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        codec.encode_value(value)
