"""The rules of the domain: state, history, transitions, what a run adds to its session."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runwire_server.domain.content import Message, Part, Role, ToolCall, clean_text
from runwire_server.domain.events import Event, MessagePayload
from runwire_server.domain.runs import CancelMode, CancelRequest, Outcome, RunState, can_become
from runwire_server.domain.sessions import SessionEvent, opening_messages, window
from runwire_server.domain.state import Tier, json_depth, merge_state, merged_view, split_delta
from runwire_server.domain.toolcalls import unanswered_calls

USER = Message(Role.USER, "hi")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def said(position: int, role: Role, content: str = "x") -> SessionEvent:
    event = Event(
        request_id="r",
        sequence=position,
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
        author="a",
        payload=MessagePayload(str(position), Message(role, content)),
    )
    return SessionEvent(position, event)


@pytest.mark.parametrize(
    ("current", "delta", "merged"),
    [
        # The table of RFC 7396, appendix A, as far as objects go.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_state_merges_as_rfc_7396_says(current: dict, delta: dict, merged: dict) -> None:  # type: ignore[type-arg]
    assert merge_state(current, delta) == merged


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.dictionaries(st.text(max_size=3), JSON))
def test_merging_a_delta_twice_changes_nothing_more(current: dict, delta: dict) -> None:  # type: ignore[type-arg]
    once = merge_state(current, delta)

    assert merge_state(once, delta) == once


def test_a_delta_reaches_its_tiers_and_temp_keys_none() -> None:
    delta = {"app:theme": "dark", "user:name": "Ann", "topic": "tea", "temp:x": 1}

    assert split_delta(delta) == {
        Tier.APP: {"theme": "dark"},
        Tier.USER: {"name": "Ann"},
        Tier.SESSION: {"topic": "tea"},
    }


def test_the_merged_view_has_prefixes() -> None:
    assert merged_view({"a": 1}, {"u": 2}, {"s": 3}) == {"app:a": 1, "user:u": 2, "s": 3}


def test_depth_counts_objects_and_lists() -> None:
    assert [json_depth(value) for value in (1, {}, {"a": [1]}, [[[]]])] == [0, 1, 2, 3]


def test_a_window_begins_with_a_user_message() -> None:
    items = [said(1, Role.ASSISTANT), said(2, Role.USER), said(3, Role.ASSISTANT)]

    assert [item.position for item in window(items, None)] == [2, 3]


def test_a_window_without_a_user_message_gets_the_latest_one_first() -> None:
    newest = [said(4, Role.ASSISTANT), said(5, Role.ASSISTANT)]

    assert [item.position for item in window(newest, said(1, Role.USER))] == [1, 4, 5]


def test_a_session_in_which_no_user_spoke_is_kept_whole() -> None:
    newest = [said(1, Role.ASSISTANT)]

    assert window(newest, None) == newest


# Equal text, but not an equal message (EDGE-41).
PICTURED = replace(USER, parts=(Part(uri="gs://a.png"),))


@pytest.mark.parametrize(
    ("seed", "message", "opening"),
    [
        ([], USER, [USER]),
        ([USER], USER, [USER]),
        ([USER, Message(Role.SYSTEM, "s")], USER, [USER, Message(Role.SYSTEM, "s")]),
        ([USER, Message(Role.ASSISTANT, "a")], USER, [USER, Message(Role.ASSISTANT, "a"), USER]),
        ([USER], Message(Role.USER, "other"), [USER, Message(Role.USER, "other")]),
        ([PICTURED], USER, [PICTURED, USER]),
        ([PICTURED], PICTURED, [PICTURED]),
        ([USER], None, [USER]),
        ([USER], Message(Role.USER, ""), [USER]),
    ],
)
def test_a_seed_opens_a_new_session(seed: list, message: Message | None, opening: list) -> None:  # type: ignore[type-arg]
    assert opening_messages(has_events=False, seed=seed, message=message) == opening


def test_a_seed_is_ignored_in_a_session_with_events() -> None:
    assert opening_messages(has_events=True, seed=[USER, USER], message=USER) == [USER]


def test_calls_without_results_are_unanswered_until_someone_else_speaks() -> None:
    calls = (ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}"))
    asked = Message(Role.ASSISTANT, tool_calls=calls)
    answer = Message(Role.TOOL, "ok", tool_call_id="1")

    assert unanswered_calls([USER, asked, answer]) == calls[1:]
    assert unanswered_calls([USER, asked, USER]) == ()
    assert unanswered_calls([]) == ()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_nothing_follows_a_terminal_state(outcome: Outcome) -> None:
    assert outcome.state.is_terminal
    assert not any(can_become(outcome.state, state) for state in RunState)


def test_a_cancel_is_overridden_only_by_a_more_urgent_one() -> None:
    soft, hard = CancelRequest(CancelMode.AFTER_TOOLS), CancelRequest(CancelMode.IMMEDIATE)

    assert soft.overrides(None)
    assert hard.overrides(soft)
    assert not soft.overrides(hard)
    assert not hard.overrides(hard)


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_can_always_be_encoded(text: str) -> None:
    clean_text(text).encode("utf-8")
