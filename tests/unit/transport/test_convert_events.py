"""Events, whatever their payload."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from google.protobuf.json_format import MessageToDict

from runwire.v1 import event_pb2
from runwire.v1 import runner_service_pb2 as service_pb
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult, ToolStatus, Usage
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import Decision
from runwire_server.domain.runs import Outcome, Run, RunError, RunOptions, RunState
from runwire_server.transport.convert.events import event_from_proto, event_to_proto, event_to_wire

NOW = datetime(2026, 11, 21, 7, 0, 1, 250_000, UTC)
CALL = ToolCall("c1", "add", '{"a": 1')
RESULT = ToolResult("c1", "add", "no", ToolStatus.ERROR, "INVALID_ARGUMENTS")
ERROR = RunError("model_error", "too busy", "MODEL_RATE_LIMITED", "e1", retryable=True)
RUN = Run(
    key=RunKey("app", "r"),
    session=SessionKey("app", "u", "s"),
    agent_name="agent",
    state=RunState.RUNNING,
    create_time=NOW,
)

# Each payload, the field it is in, and what that holds, as JSON.
PAYLOADS: list[tuple[ev.Payload, str, dict[str, Any]]] = [
    (ev.TextDelta("m", "hé", 3), "text_delta", {"message_id": "m", "text": "hé", "offset": "3"}),
    (ev.ReasoningDelta("m", "so", 1), "reasoning_delta", {"message_id": "m", "text": "so", "offset": "1"}),
    (
        ev.ToolCallDelta("m", 1, "c1", "add", '{"a', 2),
        "tool_call_delta",
        {
            "message_id": "m",
            "index": 1,
            "tool_call_id": "c1",
            "tool_name": "add",
            "arguments": '{"a',
            "offset": "2",
        },
    ),
    (
        ev.ToolProgress("c1", "add", "half", 0.5),
        "tool_progress",
        {"tool_call_id": "c1", "tool_name": "add", "message": "half", "fraction": 0.5},
    ),
    (
        ev.MessagePayload(
            "m",
            Message(Role.ASSISTANT, "hi", tool_calls=(CALL,), reasoning_content="hm"),
            "tool_calls",
            Usage(1, 2, 3, 4, 5, 6),
            "gpt",
            "x",
        ),
        "message",
        {
            "message_id": "m",
            "message": {
                "role": "ROLE_ASSISTANT",
                "content": "hi",
                "tool_calls": [{"id": "c1", "name": "add", "arguments": '{"a": 1'}],
                "reasoning_content": "hm",
            },
            "finish_reason": "tool_calls",
            "usage": {
                "input_tokens": "1",
                "cached_input_tokens": "2",
                "output_tokens": "3",
                "reasoning_tokens": "4",
                "total_tokens": "5",
                "model_calls": 6,
            },
            "model": "gpt",
            "response_id": "x",
        },
    ),
    (
        ev.ToolResults((RESULT,), "m"),
        "tool_results",
        {
            "results": [
                {
                    "tool_call_id": "c1",
                    "tool_name": "add",
                    "content": "no",
                    "status": "TOOL_STATUS_ERROR",
                    "reason": "INVALID_ARGUMENTS",
                }
            ],
            "message_id": "m",
        },
    ),
    (
        ev.ToolStarted(CALL, 2),
        "tool_started",
        {"tool_call": {"id": "c1", "name": "add", "arguments": '{"a": 1'}, "index": 2},
    ),
    (
        ev.ToolFinished(ToolResult("c1", "add", "2"), 2, 1.5),
        "tool_finished",
        {
            "result": {"tool_call_id": "c1", "tool_name": "add", "content": "2", "status": "TOOL_STATUS_OK"},
            "index": 2,
            "duration": "1.500s",
        },
    ),
    (
        ev.RunStarted(RUN, RunOptions(max_tokens=0), ("add",), joined=True, session_created=True),
        "run_started",
        {
            "run": {
                "app_name": "app",
                "request_id": "r",
                "state": "RUN_STATE_RUNNING",
                "agent_name": "agent",
                "session": {"app_name": "app", "user_id": "u", "session_id": "s"},
                "create_time": "2026-11-21T07:00:01.250Z",
                "usage": {},
            },
            "options": {
                "max_tokens": 0,
                "session_policy": "SESSION_POLICY_QUEUE",
                "on_limit": "LIMIT_ACTION_FAIL",
            },
            "tools": ["add"],
            "joined": True,
            "session_created": True,
        },
    ),
    (
        ev.Completion(
            Outcome.FAILED, "error", ERROR, Usage(1), Message(Role.ASSISTANT, "bye"), {"n": 1}, "why"
        ),
        "completion",
        {
            "outcome": "OUTCOME_FAILED",
            "stop_reason": "error",
            "error": {
                "type": "model_error",
                "message": "too busy",
                "code": "MODEL_RATE_LIMITED",
                "error_id": "e1",
                "retryable": True,
            },
            "usage": {"input_tokens": "1"},
            "message": {"role": "ROLE_ASSISTANT", "content": "bye"},
            "state": {"n": 1},
            "last_sequence": "7",
            "cancel_reason": "why",
        },
    ),
    (
        ev.ErrorPayload(RunError("run_error", "oh", "INTERNAL")),
        "error",
        {"error": {"type": "run_error", "message": "oh", "code": "INTERNAL"}},
    ),
    (
        ev.RunStateChanged(RunState.RUNNING, RunState.WAITING, "asks"),
        "run_state_changed",
        {"previous_state": "RUN_STATE_RUNNING", "state": "RUN_STATE_WAITING", "reason": "asks"},
    ),
    (
        ev.ModelRetry(1, RunError("model_error", "oh", "X"), 0.25),
        "model_retry",
        {
            "failed_attempt": 1,
            "error": {"type": "model_error", "message": "oh", "code": "X"},
            "delay": "0.250s",
        },
    ),
    (ev.Custom("mine", {"a": [1]}), "custom", {"name": "mine", "data": {"a": [1]}}),
    (
        ev.ToolOutputDelta("c1", "add", "pi", 2),
        "tool_output_delta",
        {"tool_call_id": "c1", "tool_name": "add", "text": "pi", "offset": "2"},
    ),
    (
        ev.ApprovalRequested("a1", CALL, NOW, "costs money"),
        "approval_requested",
        {
            "approval_id": "a1",
            "tool_call": {"id": "c1", "name": "add", "arguments": '{"a": 1'},
            "expire_time": "2026-11-21T07:00:01.250Z",
            "reason": "costs money",
        },
    ),
    (
        ev.ApprovalResolved("a1", Decision.DENIED, "alice", "no", "{}"),
        "approval_resolved",
        {
            "approval_id": "a1",
            "decision": "APPROVAL_DECISION_DENIED",
            "decided_by": "alice",
            "comment": "no",
            "arguments": "{}",
        },
    ),
    (
        ev.ToolOutputsRequested((CALL,), NOW),
        "tool_outputs_requested",
        {
            "tool_calls": [{"id": "c1", "name": "add", "arguments": '{"a": 1'}],
            "expire_time": "2026-11-21T07:00:01.250Z",
        },
    ),
    (
        ev.PluginFailed("p", "on_event", RunError("plugin_error", "oh", "PLUGIN_FAILED")),
        "plugin_error",
        {
            "plugin": "p",
            "hook": "on_event",
            "error": {"type": "plugin_error", "message": "oh", "code": "PLUGIN_FAILED"},
        },
    ),
    (ev.CaughtUp(), "caught_up", {"last_sequence": "7"}),
    (ev.Heartbeat(RunState.QUEUED), "heartbeat", {"state": "RUN_STATE_QUEUED"}),
    (
        ev.Reconnect(ev.ReconnectReason.DRAINING, 2.0),
        "reconnect",
        {"reason": "REASON_DRAINING", "delay": "2s"},
    ),
]


def event(payload: ev.Payload, **fields: Any) -> ev.Event:
    """Event 7 of run r."""
    return ev.Event(request_id="r", sequence=7, create_time=NOW, author="agent", payload=payload, **fields)


def test_every_payload_of_the_domain_is_in_the_table() -> None:
    assert {type(payload) for payload, _, _ in PAYLOADS} == set(get_args(ev.Payload))


@pytest.mark.parametrize(("payload", "field", "expected"), PAYLOADS, ids=[row[1] for row in PAYLOADS])
def test_a_payload_is_sent_whole(payload: ev.Payload, field: str, expected: dict[str, Any]) -> None:
    made = event_to_proto(event(payload))

    assert made.WhichOneof("payload") == field
    assert MessageToDict(getattr(made, field), preserving_proto_field_name=True) == expected


@pytest.mark.parametrize(
    ("payload", "field"), [row[:2] for row in PAYLOADS], ids=[row[1] for row in PAYLOADS]
)
def test_the_wire_form_is_a_response_of_run_and_of_attach(payload: ev.Payload, field: str) -> None:
    wire = event_to_wire(event(payload))

    assert service_pb.RunResponse.FromString(wire).event == event_to_proto(event(payload))
    assert service_pb.AttachResponse.FromString(wire).event.WhichOneof("payload") == field


@pytest.mark.parametrize("payload", [row[0] for row in PAYLOADS], ids=[row[1] for row in PAYLOADS])
def test_only_deltas_and_progress_are_partial(payload: ev.Payload) -> None:
    made = event_to_proto(event(payload))

    assert made.partial == isinstance(payload, ev.PARTIAL_PAYLOADS)
    assert (made.request_id, made.sequence, made.author) == ("r", 7, "agent")
    assert made.create_time.ToDatetime(UTC) == NOW
    assert made.object


def test_the_envelope_of_a_stored_event_is_sent_whole() -> None:
    envelope = {
        "id": "i",
        "branch": "a/b",
        "filter_key": "f",
        "invocation_id": "v",
        "parent_invocation_id": "p",
        "tag": "t;u",
        "attempt": 2,
    }

    made = event_to_proto(event(ev.Custom("x", {}), state_delta={"gone": None, "n": 2**60}, **envelope))

    assert {name: getattr(made, name) for name in envelope} == envelope
    assert MessageToDict(made.state_delta) == {"gone": None, "n": str(2**60)}


def test_an_event_is_encoded_once() -> None:
    told = event(ev.TextDelta("m", "hi"))

    first = event_to_wire(told)

    assert event_to_wire(told) is first


@pytest.mark.parametrize("kind", [ev.TextDelta, ev.ReasoningDelta])
@pytest.mark.parametrize("text", ["", "a", "hé ", "x" * 127, "y" * 128, "z" * 4095, "ü" * 70_000, "\ud83d"])
@pytest.mark.parametrize("offset", [0, 1, 127, 128, 2**31])
@pytest.mark.parametrize("fields", [{}, {"branch": "a/b"}])
def test_deltas_written_by_hand_say_the_same(
    kind: type[ev.TextDelta], text: str, offset: int, fields: dict[str, Any]
) -> None:
    for time in (NOW, datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(1970, 1, 1, tzinfo=UTC)):
        told = replace(event(kind("m" * 32, text, offset), **fields), create_time=time)

        made = service_pb.RunResponse.FromString(event_to_wire(told)).event

        assert made == event_to_proto(told)


def test_an_empty_delta_is_still_a_delta() -> None:
    made = event_to_proto(event(ev.TextDelta("", "", 0)))

    assert made.WhichOneof("payload") == "text_delta"


def test_a_time_before_1970_is_a_valid_time() -> None:
    told = ev.Event(
        request_id="r",
        sequence=1,
        create_time=datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC),
        author="a",
        payload=ev.CaughtUp(),
    )

    assert event_to_proto(told).create_time.ToJsonString() == "1969-12-31T23:59:59.500Z"


BAD = "x\ud800"


@pytest.mark.parametrize(
    "payload",
    [
        ev.TextDelta("m", BAD),
        ev.ReasoningDelta("m", BAD),
        ev.ToolCallDelta("m", 0, BAD, BAD, BAD),
        ev.ToolProgress(BAD, BAD, BAD),
        ev.MessagePayload(
            "m",
            Message(
                Role.ASSISTANT,
                BAD,
                parts=(Part(text=BAD, filename=BAD), Part(uri=BAD, media_type=BAD), Part(data={BAD: BAD})),
                tool_calls=(ToolCall(BAD, BAD, BAD),),
                reasoning_content=BAD,
            ),
        ),
        ev.MessagePayload("m", Message(Role.TOOL, BAD, tool_call_id=BAD, tool_name=BAD)),
        ev.ToolResults((ToolResult(BAD, BAD, BAD),)),
        ev.ToolStarted(ToolCall(BAD, BAD, BAD), 0),
        ev.Custom(BAD, {BAD: BAD}),
        ev.ErrorPayload(RunError("agent_error", BAD, "X")),
    ],
)
def test_a_lone_surrogate_in_what_an_agent_says_does_not_end_the_stream(payload: ev.Payload) -> None:
    assert b"x?" in event_to_wire(event(payload))


@pytest.mark.parametrize(
    "payload",
    [
        ev.MessagePayload(
            "m",
            Message(
                Role.USER,
                "hi",
                parts=(
                    Part(text="t", filename="f"),
                    Part(inline_data=b"\0\xff", media_type="image/png"),
                    Part(uri="https://x", media_type="image/png"),
                    Part(data={"a": [1, None]}),
                ),
            ),
            "stop",
            Usage(1, 2, 3, 4, 5, 6),
            "gpt",
            "x",
        ),
        ev.MessagePayload("m", Message(Role.TOOL, "2", tool_call_id="c", tool_name="add")),
        ev.MessagePayload("m", Message(Role.ASSISTANT, tool_calls=(CALL,), reasoning_content="hm")),
        ev.ToolResults((RESULT, ToolResult("c2", "add", "2")), "m"),
        ev.Custom("mine", {"a": 1.5}),
    ],
)
def test_an_event_that_a_caller_may_append_survives_a_round_trip(payload: ev.Payload) -> None:
    told = event(
        payload,
        id="i",
        branch="b",
        filter_key="f",
        invocation_id="v",
        parent_invocation_id="p",
        tag="t",
        state_delta={"k": None},
    )

    back = event_from_proto(event_to_proto(told))

    told.sequence = 0  # it is not of a run's log
    assert back == told


@pytest.mark.parametrize(
    ("role", "author"),
    [(Role.USER, "user"), (Role.ASSISTANT, "assistant"), (Role.SYSTEM, "system"), (Role.TOOL, "tool")],
)
def test_an_appended_message_without_author_is_from_who_speaks(role: Role, author: str) -> None:
    asked = event_to_proto(event(ev.MessagePayload("m", Message(role, "hi"))))
    asked.author = ""

    assert event_from_proto(asked).author == author


def test_what_an_appended_event_leaves_empty_is_filled_in() -> None:
    asked = event_pb2.Event()
    asked.message.message.content = "hi"
    before = datetime.now(UTC)

    made = event_from_proto(asked)

    assert made.create_time >= before
    assert made.payload == ev.MessagePayload("", Message(Role.USER, "hi"))


def test_an_appended_event_of_state_alone_is_no_message() -> None:
    asked = event_pb2.Event()
    asked.state_delta["k"] = 1

    made = event_from_proto(asked)

    assert made.state_delta == {"k": 1}
    assert isinstance(made.payload, ev.Custom)
