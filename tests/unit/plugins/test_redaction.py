"""Redaction: nothing that matches a pattern is left (P3)."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugins_support import DELTA, STRUCTURAL, Chain, context

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult
from runwire_server.domain.runs import RunError
from runwire_server.plugins.builtin import Redaction
from runwire_server.plugins.event_rules import kept_identity
from runwire_server.plugins.plugin import DROP

PATTERNS = {"card": r"\d{4}-\d{4}", "key": r"sk-\w+", "word": r"(?i)secret", "pair": r"<[^<>]*>"}
PLUGIN = Redaction(PATTERNS)

texts = st.lists(
    st.sampled_from(
        ["1234-5678", "sk-abc", "Secret", "<a>", "<", ">", "12", "-", "sk", "é", " ", '"', "plain", "\n"]
    )
    | st.text(max_size=5)
).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
calls = st.builds(ToolCall, st.just("c"), st.just("t"), texts)
results = st.builds(ToolResult, st.just("c"), st.just("t"), texts)
parts = st.builds(Part, text=texts) | st.builds(Part, data=json_values)
messages = st.builds(
    Message,
    st.sampled_from([Role.USER, Role.ASSISTANT, Role.SYSTEM]),
    texts,
    parts=st.lists(parts, max_size=2).map(tuple),
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    reasoning_content=texts,
)
errors = st.builds(RunError, st.just("t"), texts, st.just("C"))
payloads = st.one_of(
    st.builds(
        ev.MessagePayload,
        st.just("m"),
        messages,
        raw_arguments=st.dictionaries(st.just("c"), texts),
    ),
    st.builds(ev.ToolResults, st.lists(results, max_size=2).map(tuple)),
    st.builds(ev.ToolStarted, calls, st.just(0)),
    st.builds(ev.ToolFinished, results, st.just(0), st.just(0.0)),
    st.builds(ev.ErrorPayload, errors),
    st.builds(ev.ModelRetry, st.just(1), errors, st.just(0.0)),
    st.builds(ev.Custom, st.just("n"), st.dictionaries(texts, json_values, max_size=3)),
)


def all_texts(value: Any) -> Iterator[str]:
    """Every text anywhere in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from all_texts(key)
            yield from all_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from all_texts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from all_texts(getattr(value, field.name))


@settings(max_examples=300, deadline=None)
@given(payload=payloads)
async def test_nothing_that_matches_is_left(payload: Any) -> None:
    shown = await PLUGIN.on_event(context(), payload)
    for text in all_texts(shown):
        for pattern in PATTERNS.values():
            assert not re.search(pattern, text), text
    # And it is a replacement that the chain takes.
    assert shown is not None
    assert kept_identity(payload, shown) == shown


@settings(max_examples=100, deadline=None)
@given(payload=payloads)
async def test_what_matches_nothing_stays_as_it_is(payload: Any) -> None:
    plugin = Redaction({"never": "\x00\x00\x00\x00\x00\x00\x00"})
    assert await plugin.on_event(context(), payload) == payload


async def test_it_says_what_was_there() -> None:
    payload = ev.MessagePayload("m", Message(Role.USER, "my key is sk-abc, and sk-def."))
    shown = await PLUGIN.on_event(context(), payload)
    assert isinstance(shown, ev.MessagePayload)
    assert shown.message.content == "my key is [redacted key], and [redacted key]."


async def test_a_replacement_is_no_template_of_groups() -> None:
    plugin = Redaction({"x": r"(a)(b)"}, replacement=r"\1{name}\g<2>")
    shown = await plugin.on_event(context(), ev.Custom("n", {"k": "ab"}))
    assert isinstance(shown, ev.Custom)
    assert shown.data == {"k": r"\1x\g<2>"}


async def test_what_a_replacement_completes_is_replaced_too() -> None:
    plugin = Redaction({"outer": "ab", "inner": "x"}, replacement="")
    shown = await plugin.on_event(context(), ev.Custom("n", {"k": "axb"}))
    assert isinstance(shown, ev.Custom)
    assert shown.data == {"k": ""}


async def test_a_message_keeps_its_images_and_files() -> None:
    part = Part(inline_data=b"sk-abc", media_type="image/png", filename="a.png")
    payload = ev.MessagePayload("m", Message(Role.USER, "x", parts=(part,)))
    assert await PLUGIN.on_event(context(), payload) == payload


@pytest.mark.parametrize("payload", STRUCTURAL, ids=lambda p: type(p).__name__)
async def test_what_a_log_needs_stays(payload: Any) -> None:
    chain = Chain(PLUGIN)
    assert await chain.give("on_event", payload) == payload
    assert chain.failures() == []


@pytest.mark.parametrize(
    "payload",
    [DELTA, ev.ReasoningDelta("m", "x"), ev.ToolProgress("c", "t", "x"), ev.ToolOutputDelta("c", "t", "x")],
)
async def test_deltas_are_left_out(payload: Any) -> None:
    assert PLUGIN.on_partial(context(), payload) is DROP
    assert await Chain(PLUGIN).give("on_partial", payload) is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "pattern 'x'"), ("a*", "empty text"), ("", "empty text"), ("x", "replacement")],
)
def test_patterns_that_cannot_work_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Redaction({"x": pattern})


async def test_a_pattern_that_goes_on_for_ever_is_stopped() -> None:
    plugin = Redaction({"x": r"(?<=y)r"}, replacement="rr")
    assert await plugin.on_event(context(), ev.Custom("n", {"k": "yr"})) is not None


async def test_arguments_that_are_json_stay_json() -> None:
    call = ToolCall("c", "t", '{"key": "sk-abc", "n": 1}')
    shown = await PLUGIN.on_event(context(), ev.ToolStarted(call, 0))
    assert isinstance(shown, ev.ToolStarted)
    assert shown.tool_call.arguments == '{"key": "[redacted key]", "n": 1}'
