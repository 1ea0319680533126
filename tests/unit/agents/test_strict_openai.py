"""The validator that other tests rely on refuses what it should."""

from typing import Any

import pytest

from strict_openai import problems

U = {"role": "user", "content": "hi"}
T = {"role": "tool", "tool_call_id": "a", "content": "1"}


def said(*ids: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    calls = [{"id": i, "type": "function", "function": {"name": name, "arguments": arguments}} for i in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def test_a_conversation_in_order_is_accepted() -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "x"}]}
    system = {"role": "system", "content": ""}

    assert problems([system, U, said("a", "b"), T, {**T, "tool_call_id": "b"}, system, parts]) == []


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": "x"}],
        [{"role": "assistant", "content": "x"}, U],
        [U, {"role": "assistant", "content": "x"}],
        [U, {"role": "assistant", "content": ""}, U],
        [U, {"role": "bot", "content": "x"}, U],
        [U, {"role": "system", "content": None}],
        [{"role": "user", "content": "\ud800"}],
        [U, T],
        [U, said("a")],
        [U, said("a"), U, T],
        [U, said("a"), T, T],
        [U, said("a", "b"), {**T, "tool_call_id": "b"}, T],
        [U, said("a", "a"), T, T],
        [U, said(""), {**T, "tool_call_id": ""}],
        [U, said(), U],
        [U, said("a", name="a b"), T],
        [U, said("a", name=""), T],
        [U, said("a", arguments="[]"), T],
        [U, said("a", arguments=""), T],
        [U, said("a", arguments='{"x": NaN}'), T],
        [U, said("a"), {**T, "content": None}],
        [{**said("a"), "role": "user", "content": "x"}, T],
    ],
)
def test_what_a_provider_refuses_is_refused(messages: list[dict[str, Any]]) -> None:
    assert problems(messages)
