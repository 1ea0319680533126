"""Requests of Run: what is wrong with them, and what becomes of the right ones."""

import math
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from validation_support import nested, violations

from runwire.v1 import content_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.domain.content import Message, Part, Role, ToolCall
from runwire_server.domain.runs import RunInput, RunOptions
from runwire_server.domain.streams import Channel, StreamMode, StreamOptions
from runwire_server.transport import validate
from runwire_server.transport.convert.options import options_to_proto

HI: dict[str, Any] = {"userId": "u", "message": {"content": "hi"}}
MIB = 1024 * 1024


def run(**fields: Any) -> pb.RunRequest:
    """A right request, with these fields in JSON's spelling."""
    return ParseDict({**HI, **fields}, pb.RunRequest())


WRONG_RUNS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no user", {"userId": ""}, ["user_id"]),
    ("a blank user", {"userId": " \t"}, ["user_id"]),
    ("a long user", {"userId": "u" * 256}, ["user_id"]),
    ("a user with NUL", {"userId": "a\0b"}, ["user_id"]),
    ("a long app", {"appName": "u" * 256}, ["app_name"]),
    ("a long session", {"sessionId": "u" * 256}, ["session_id"]),
    ("a session with NUL", {"sessionId": "\0"}, ["session_id"]),
    ("a long request id", {"requestId": "ü" * 256}, ["request_id"]),
    ("a long agent", {"agentName": "u" * 256}, ["agent_name"]),
    ("no message", {"message": None}, ["message"]),
    ("an empty message", {"message": {}}, ["message.content"]),
    ("an empty history", {"message": None, "messages": [{}]}, ["message"]),
    ("an assistant's message", {"message": {"role": "ROLE_ASSISTANT", "content": "x"}}, ["message.role"]),
    ("an unknown role", {"message": {"role": 99, "content": "x"}}, ["message.role"]),
    ("too much content", {"message": {"content": "x" * (MIB + 1)}}, ["message.content"]),
    ("too many bytes", {"message": {"content": "é" * (MIB // 2 + 1)}}, ["message.content"]),
    ("too many parts", {"message": {"parts": [{"text": "x" * MIB}] * 3}}, ["message"]),
    ("an empty part", {"message": {"parts": [{"mediaType": "a/b"}]}}, ["message.parts[0]"]),
    (
        "a part without type",
        {"message": {"parts": [{"text": "x"}, {"uri": "https://x"}]}},
        ["message.parts[1].media_type"],
    ),
    (
        "large inline data",
        {"message": {"parts": [{"inlineData": "AAAA" * (MIB // 12 + 1), "mediaType": "a/b"}]}},
        ["message.parts[0].inline_data"],
    ),
    ("deep data", {"message": {"parts": [{"data": nested(31)}]}}, ["message.parts[0].data"]),
    ("data that is null", {"message": {"parts": [{"data": None}, {"text": "x"}]}}, ["message.parts[0].data"]),
    (
        "a user's tool call",
        {"message": {"content": "x", "toolCalls": [{"id": "c", "name": "n"}]}},
        ["message.tool_calls"],
    ),
    ("an unknown role in the history", {"messages": [{"content": "x"}, {"role": 9}]}, ["messages[1].role"]),
    (
        "an answer to nothing",
        {"messages": [{"role": "ROLE_TOOL", "content": "2"}]},
        ["messages[0].tool_call_id"],
    ),
    (
        "a nameless call",
        {"messages": [{"role": "ROLE_ASSISTANT", "toolCalls": [{"arguments": "{}"}]}]},
        ["messages[0].tool_calls[0].id", "messages[0].tool_calls[0].name"],
    ),
    ("a long history", {"messages": [{"content": "x"}] * 1001}, ["messages"]),
    ("cold", {"options": {"temperature": -0.1}}, ["options.temperature"]),
    ("hot", {"options": {"temperature": 2.1}}, ["options.temperature"]),
    ("no temperature", {"options": {"temperature": "NaN"}}, ["options.temperature"]),
    ("top_p", {"options": {"topP": 1.01}}, ["options.top_p"]),
    ("negative top_p", {"options": {"topP": -0.01}}, ["options.top_p"]),
    ("no tokens", {"options": {"maxTokens": 0}}, ["options.max_tokens"]),
    ("presence", {"options": {"presencePenalty": 2.5}}, ["options.presence_penalty"]),
    ("frequency", {"options": {"frequencyPenalty": -2.5}}, ["options.frequency_penalty"]),
    ("many stops", {"options": {"stop": ["x"] * 17}}, ["options.stop"]),
    ("an empty stop", {"options": {"stop": ["x", ""]}}, ["options.stop[1]"]),
    ("no calls", {"options": {"maxLlmCalls": 0}}, ["options.max_llm_calls"]),
    ("many calls", {"options": {"maxLlmCalls": 1001}}, ["options.max_llm_calls"]),
    ("negative rounds", {"options": {"maxToolRounds": -1}}, ["options.max_tool_rounds"]),
    ("many rounds", {"options": {"maxToolRounds": 1001}}, ["options.max_tool_rounds"]),
    ("no total", {"options": {"maxTotalTokens": 0}}, ["options.max_total_tokens"]),
    ("no time", {"options": {"maxRunDuration": "0s"}}, ["options.max_run_duration"]),
    ("negative time", {"options": {"maxRunDuration": "-1s"}}, ["options.max_run_duration"]),
    ("an unknown policy", {"options": {"sessionPolicy": 9}}, ["options.session_policy"]),
    ("a long model", {"options": {"model": "m" * 256}}, ["options.model"]),
    ("a nameless label", {"options": {"labels": {"": "x"}}}, ["options.labels"]),
    ("a long label", {"options": {"labels": {"a": "x" * 1025}}}, ["options.labels[a]"]),
    ("many labels", {"options": {"labels": {str(i): "" for i in range(65)}}}, ["options.labels"]),
    ("an unknown mode", {"stream": {"modes": ["messages", "all"]}}, ["stream.modes[1]"]),
    ("no channel", {"stream": {"channels": [0]}}, ["stream.channels[0]"]),
    ("an unknown channel", {"stream": {"channels": [1, 9]}}, ["stream.channels[1]"]),
    (
        "nothing at all",
        {"stream": {"wholeMessagesOnly": True, "partialsOnly": True}},
        ["stream.partials_only"],
    ),
    ("a fast heart", {"stream": {"heartbeatInterval": "0.5s"}}, ["stream.heartbeat_interval"]),
    ("a slow heart", {"stream": {"heartbeatInterval": "61s"}}, ["stream.heartbeat_interval"]),
    ("deep state", {"stateDelta": nested(31)}, ["state_delta"]),
    ("large state", {"stateDelta": {"k": "x" * (MIB // 4)}}, ["state_delta"]),
    ("a nameless key", {"stateDelta": {"": 1}}, ["state_delta"]),
    ("a tier without a key", {"stateDelta": {"user:": 1}}, ["state_delta"]),
    ("a long key", {"stateDelta": {"k" * 256: 1}}, ["state_delta"]),
    ("a key with NUL", {"stateDelta": {"a\0": 1}}, ["state_delta"]),
    ("resume with a message", {"resume": True}, ["message"]),
    (
        "several things",
        {"userId": "", "options": {"temperature": 3, "stop": [""]}, "stream": {"modes": ["x"]}},
        ["user_id", "options.temperature", "options.stop[0]", "stream.modes[0]"],
    ),
]


@pytest.mark.parametrize(
    ("fields", "wrong"), [row[1:] for row in WRONG_RUNS], ids=[row[0] for row in WRONG_RUNS]
)
def test_a_wrong_run_names_all_its_wrong_fields(fields: dict[str, Any], wrong: list[str]) -> None:
    assert violations(validate.run_request, run(**fields)) == wrong


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_state_that_json_does_not_have_is_refused(number: float) -> None:
    request = run()
    request.state_delta["k"] = [{"deep": number}]

    assert violations(validate.run_request, request) == ["state_delta"]


def test_data_that_json_does_not_have_is_refused() -> None:
    request = run()
    request.message.parts.add().data.number_value = math.nan

    assert violations(validate.run_request, request) == ["message.parts[0].data"]


@pytest.mark.parametrize(
    "span", [Duration(seconds=1, nanos=-1), Duration(nanos=10**9)], ids=["signs", "nanos"]
)
def test_a_duration_that_is_none_is_refused(span: Duration) -> None:
    request = run()
    request.options.max_run_duration.CopyFrom(span)

    assert violations(validate.run_request, request) == ["options.max_run_duration"]


def test_at_most_twenty_violations_are_collected() -> None:
    request = run(messages=[{"role": 9}] * 200)

    assert violations(validate.run_request, request) == [f"messages[{i}].role" for i in range(20)]


RIGHT_RUNS: list[dict[str, Any]] = [
    {"userId": "ü" * 255, "requestId": "r" * 255},
    {"message": {"role": "ROLE_USER", "content": "x" * MIB}},
    {"message": {"parts": [{"inlineData": "AAAA" * (MIB // 12 // 4), "mediaType": "a/b"}]}},
    {"message": {"parts": [{"data": nested(30)}]}},
    {"message": None, "messages": [{"content": "x"}]},
    {"message": {}, "messages": [{"content": "x"}]},
    {"stateDelta": nested(30)},
    {"stateDelta": {"app:a": 1, "user:b": None, "temp:c": [], "d": {}}},
    {"options": {"temperature": 0, "topP": 0, "maxToolRounds": 0, "maxLlmCalls": 1000, "stop": ["x"] * 16}},
    {"options": {"temperature": 2, "topP": 1, "maxTokens": 1, "presencePenalty": -2, "frequencyPenalty": 2}},
    {"options": {"sessionPolicy": "SESSION_POLICY_QUEUE", "seed": -5, "toolCallArgumentsJsonRepair": False}},
    {"stream": {"heartbeatInterval": "1s", "modes": list(StreamMode)}},
    {"stream": {"heartbeatInterval": "60s", "channels": [1, 2, 3]}},
]


@pytest.mark.parametrize("fields", RIGHT_RUNS, ids=range(len(RIGHT_RUNS)))
def test_what_is_just_within_bounds_is_taken(fields: dict[str, Any]) -> None:
    validate.run_request(run(**fields))


FULL_OPTIONS = {
    "model": "m",
    "temperature": 0.5,
    "stop": ["x"],
    "seed": "-5",
    "stream": False,
    "maxLlmCalls": 3,
    "maxToolRounds": 0,
    "maxTotalTokens": "9",
    "maxParallelTools": 2,
    "maxRunDuration": "2s",
    "waitingTimeout": "3.500s",
    "detachedCancel": True,
    "sessionPolicy": "SESSION_POLICY_INTERRUPT",
    "onLimit": "LIMIT_ACTION_ANSWER",
    "toolCallArgumentsJsonRepair": False,
    "keepInterruptedText": True,
    "outputSchema": '{"type": "object"}',
    "plugins": ["one", "two"],
    "labels": {"a": "b"},
    "tools": {
        "only": ["a"],
        "add": ["b"],
        "deny": ["c"],
        "clientTools": [
            {"name": "look", "description": "Look.", "parametersSchema": '{"type": "object"}', "clientSide": True,
             "requiresApproval": True}
        ],
    },
    "agents": {"agent/inner": {"model": "n", "topP": 0.1, "tools": {"deny": ["d"]}}},
}  # fmt: skip


def test_options_are_the_same_after_a_way_there_and_back() -> None:
    start, _ = validate.run_request(run(options=FULL_OPTIONS))

    back = json_format.MessageToDict(options_to_proto(start.input.options))

    assert back == FULL_OPTIONS


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"outputSchema": "no"}, "options.output_schema"),
        ({"outputSchema": "[1]"}, "options.output_schema"),
        ({"outputSchema": '{"type": "nothing"}'}, "options.output_schema"),
        ({"outputSchema": '{"a": "' + "x" * 70_000 + '"}'}, "options.output_schema"),
        ({"outputSchema": '{"allOf": [' + ", ".join(["{}"] * 4000) + "]}"}, "options.output_schema"),
        ({"plugins": [""]}, "options.plugins[0]"),
        ({"plugins": ["p"] * 300}, "options.plugins"),
        ({"tools": {"only": [""]}}, "options.tools.only[0]"),
        ({"tools": {"clientTools": [{"name": "a b"}]}}, "options.tools.client_tools[0].name"),
        ({"tools": {"clientTools": [{"name": "é"}]}}, "options.tools.client_tools[0].name"),
        (
            {"tools": {"clientTools": [{"name": "a", "parametersSchema": "{"}]}},
            "options.tools.client_tools[0].parameters_schema",
        ),
        ({"agents": {"a/b": {"temperature": 3}}}, 'options.agents["a/b"].temperature'),
        ({"agents": {"a/b": {"tools": {"deny": [""]}}}}, 'options.agents["a/b"].tools.deny[0]'),
        ({"onLimit": 7}, "options.on_limit"),
        ({"waitingTimeout": "0s"}, "options.waiting_timeout"),
        ({"waitingTimeout": "2592001s"}, "options.waiting_timeout"),
        ({"maxParallelTools": 0}, "options.max_parallel_tools"),
        ({"maxParallelTools": 65}, "options.max_parallel_tools"),
    ],
)
def test_options_are_refused_with_their_path(options: dict[str, Any], field: str) -> None:
    assert violations(validate.run_request, run(options=options)) == [field]


def test_the_smallest_request_is_a_whole_run() -> None:
    start, stream = validate.run_request(run())

    assert (start.app_name, start.user_id, start.session_id, start.request_id) == ("", "u", "", "")
    assert start.agent_name == ""
    assert start.input == RunInput(message=Message(Role.USER, "hi"))
    assert start.deadline_seconds is None
    assert stream == StreamOptions()


def test_a_full_request_is_taken_whole() -> None:
    request = run(
        appName="a",
        sessionId="s",
        requestId="r",
        agentName="g",
        message={"content": "hi", "parts": [{"data": {"n": 2**53}}]},
        messages=[
            {"role": "ROLE_SYSTEM", "content": "be nice"},
            {"content": "add"},
            {"role": "ROLE_ASSISTANT", "toolCalls": [{"id": "c", "name": "add", "arguments": "{"}]},
            {"role": "ROLE_TOOL", "content": "2", "toolCallId": "c", "toolName": "add"},
        ],
        stateDelta={"k": 1, "gone": None},
        options={"temperature": 0, "maxRunDuration": "1.5s", "detachedCancel": True, "labels": {"a": "b"}},
        stream={
            "modes": ["messages", "custom"],
            "channels": ["CHANNEL_PROGRESS"],
            "wholeMessagesOnly": True,
            "heartbeatInterval": "2.5s",
        },
    )

    start, stream = validate.run_request(request)

    assert (start.app_name, start.session_id, start.request_id, start.agent_name) == ("a", "s", "r", "g")
    assert start.input == RunInput(
        message=Message(Role.USER, "hi", parts=(Part(data={"n": 2**53}),)),
        messages=(
            Message(Role.SYSTEM, "be nice"),
            Message(Role.USER, "add"),
            Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "add", "{"),)),
            Message(Role.TOOL, "2", tool_call_id="c", tool_name="add"),
        ),
        state_delta={"k": 1, "gone": None},
        options=RunOptions(temperature=0.0, max_run_seconds=1.5, detached_cancel=True, labels={"a": "b"}),
    )
    assert stream == StreamOptions(
        modes=frozenset({StreamMode.MESSAGES, StreamMode.CUSTOM}),
        channels=frozenset({Channel.PROGRESS}),
        whole_messages_only=True,
        heartbeat_seconds=2.5,
    )


def test_equal_requests_have_equal_fingerprints_whatever_they_want_to_see() -> None:
    labels = {str(i): "x" for i in range(20)}
    one = run(options={"labels": labels}, stateDelta={"a": 1, "b": 2})
    other = run(
        options={"labels": dict(reversed(labels.items()))},
        stateDelta={"b": 2, "a": 1},
        stream={"wholeMessagesOnly": True},
    )

    prints = {validate.run_request(request)[0].fingerprint for request in (one, other)}

    assert len(prints) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"message": {"content": "ho"}},
        {"userId": "v"},
        {"options": {"temperature": 0}},
        {"stateDelta": {"a": 1}},
        {"messages": [{"content": "x"}]},
    ],
    ids=["message", "user", "options", "state", "messages"],
)
def test_another_request_has_another_fingerprint(fields: dict[str, Any]) -> None:
    assert validate.run_request(run(**fields))[0].fingerprint != validate.run_request(run())[0].fingerprint


def test_every_role_of_the_api_may_be_in_a_history() -> None:
    for role in content_pb2.Role.values():
        validate.run_request(run(messages=[{"role": role, "content": "x", "toolCallId": "c"}]))
