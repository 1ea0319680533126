"""What a model is shown of a conversation, however mangled that is."""

import json

from agents_support import USER, called, result
from hypothesis import given
from hypothesis import strategies as st

from runwire_server.agents.prompt import build_messages
from runwire_server.domain.content import Message, Part, Role, ToolCall
from runwire_server.domain.history import GO_ON, NO_BEGINNING, model_view
from runwire_server.domain.toolcalls import last_round, parse_arguments, with_unique_ids
from runwire_server.models.model import ModelRequest
from runwire_server.models.openai.wire import request_body
from strict_openai import problems

A, B = ("a", "f", "{}"), ("b", "f", "{}")
ANSWER = Message(Role.ASSISTANT, "done")


def shape(messages: list[Message]) -> list[str]:
    return [
        f"{m.role.value[0]}:{m.content or m.tool_call_id or '+'.join(c.id for c in m.tool_calls)}"
        for m in messages
    ]


def test_a_conversation_in_order_stays_as_it_is() -> None:
    messages = [USER, called(A, B), result("a", "1"), result("b", "2"), ANSWER, USER]

    view = model_view(messages)

    assert all(shown is given for shown, given in zip(view, messages, strict=True))


def test_results_follow_their_calls_in_order_whatever_lies_between() -> None:
    system = Message(Role.SYSTEM, "sys")
    messages = [USER, called(A, B), system, result("b", "2"), Message(Role.USER, "more"), result("a", "1")]

    assert shape(model_view(messages)) == ["u:hi", "a:a+b", "t:1", "t:2", "s:sys", "u:more"]


def test_a_missing_result_gets_a_stand_in_in_the_shape_of_all_failures() -> None:
    stand_in = model_view([USER, called(A), USER])[2]

    error = json.loads(stand_in.content)
    assert (stand_in.role, stand_in.tool_call_id) == (Role.TOOL, "a")
    assert (error["ok"], error["error"]["code"]) == (False, "NOT_EXECUTED")


def test_orphans_and_second_results_are_told_as_such() -> None:
    messages = [USER, result("x", "lost"), called(A), result("a", "1"), result("a", "again")]

    assert shape(model_view(messages)) == [
        "u:hi",
        "u:[orphan_tool_result] lost",
        "a:a",
        "t:1",
        "u:[duplicate_tool_result] again",
    ]


def test_an_id_that_is_used_again_in_a_later_round_belongs_to_that() -> None:
    messages = [USER, called(A), result("a", "1"), called(A), result("a", "2")]

    assert shape(model_view(messages)) == ["u:hi", "a:a", "t:1", "a:a", "t:2"]


def test_interleaved_rounds_of_two_runs_are_told_apart() -> None:
    messages = [USER, called(A), USER, called(B), result("a", "1"), result("b", "2")]

    assert shape(model_view(messages)) == ["u:hi", "a:a", "t:1", "u:hi", "a:b", "t:2"]


def test_ids_and_names_that_nobody_takes_are_replaced_the_same_way_each_time() -> None:
    messages = [
        USER,
        called(("", "f", "{}"), ("a", "no name!", "{}"), ("a", "", "{}")),
        result("a", "1"),
        result(""),
    ]

    view = model_view(messages)

    calls = view[1].tool_calls
    assert len({call.id for call in calls}) == 3
    assert [call.name for call in calls] == ["f", "no_name_", "unknown_tool"]
    assert [m.tool_call_id for m in view[2:]] == [call.id for call in calls]
    assert view[3].content == "1"
    assert view == model_view(messages)


def test_arguments_that_are_no_object_stay_readable() -> None:
    view = model_view(
        [USER, called(("a", "f", '{"x'), ("b", "f", " "), ("c", "f", "[1]"), ("d", "f", '{"x":NaN}'))]
    )

    told = [json.loads(call.arguments) for call in view[1].tool_calls]
    assert told == [
        {"__invalid_arguments__": '{"x'},
        {},
        {"__invalid_arguments__": "[1]"},
        {"__invalid_arguments__": '{"x":NaN}'},
    ]


def test_empty_answers_are_left_out_and_the_ends_are_what_providers_want() -> None:
    empty = Message(Role.ASSISTANT, reasoning_content="hm")

    assert shape(model_view([USER, empty])) == ["u:hi"]
    assert shape(model_view([])) == [f"u:{NO_BEGINNING}"]
    assert shape(model_view([Message(Role.SYSTEM, "s"), ANSWER])) == [
        "s:s",
        f"u:{NO_BEGINNING}",
        "a:done",
        f"u:{GO_ON}",
    ]


def test_the_round_that_a_conversation_stands_at() -> None:
    system = Message(Role.SYSTEM, "sys")
    begun = last_round([USER, called(A, B), system, result("b")])

    assert begun is not None
    assert begun.open == (0,)
    assert last_round([USER, called(A), USER]) is None
    assert last_round([USER, ANSWER]) is None
    assert last_round([]) is None
    twice = last_round([USER, called(A, A), result("a")])
    assert twice is not None
    assert twice.open == (1,)


def test_ids_of_a_message_become_unique() -> None:
    calls = with_unique_ids([ToolCall("a", "f", ""), ToolCall("a", "f", ""), ToolCall("", "f", "")])

    assert calls[0].id == "a"
    assert len({call.id for call in calls}) == 3


ids = st.sampled_from(["", "a", "b", "c", "a_1"])
texts = st.sampled_from(["", "text", "\ud800", "[orphan_tool_result]"])
arguments = st.sampled_from(
    ["", " ", "{}", '{"x": 1}', '{"x', "[]", "null", '{"x": NaN}', "[" * 5000, '"\\ud800"']
)
names = st.sampled_from(["f", "", "a b", "x" * 70, "ünicode"])
calls = st.lists(st.builds(ToolCall, ids, names, arguments), max_size=4).map(tuple)
parts = st.sampled_from([(), (), (Part(text="t"),), (Part(uri="http://x/i.png", media_type="image/png"),)])
mangled = st.lists(
    st.builds(Message, st.sampled_from(list(Role)), texts, parts, calls, ids, names, texts), max_size=12
)


@given(mangled, st.sampled_from(["", "Be brief."]))
def test_a_strict_provider_accepts_every_view(messages: list[Message], instructions: str) -> None:
    before = list(messages)

    request = ModelRequest(messages=build_messages(instructions, messages))

    assert problems(request_body("m", request)["messages"]) == []
    assert messages == before


@given(mangled)
def test_a_view_of_a_view_is_that_view(messages: list[Message]) -> None:
    view = model_view(messages)

    assert model_view(view) == view


@given(mangled)
def test_no_result_is_lost(messages: list[Message]) -> None:
    told = "\n".join(m.content for m in model_view(messages))

    for message in messages:
        if message.role is Role.TOOL:
            assert message.content in told


def test_numbers_that_python_refuses_are_no_arguments() -> None:
    for text in ('{"x": ' + "9" * 5000 + "}", "[" * 100_000):
        try:
            parse_arguments(text)
        except ValueError:
            continue
        raise AssertionError(text[:20])
