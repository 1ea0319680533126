"""The request's JSON, and what errors of a provider mean."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolSpec
from runwire_server.models.model import ModelRequest, Sampling
from runwire_server.models.openai.errors import (
    body_error,
    provider_message,
    retry_after_seconds,
    status_error,
)
from runwire_server.models.openai.wire import request_body

HI = Message(Role.USER, "hi")


def sent(*messages: Message) -> list[dict[str, Any]]:
    body = request_body("m", ModelRequest(messages=messages))
    shown: list[dict[str, Any]] = body["messages"]
    return shown


def test_what_the_request_leaves_open_is_not_sent() -> None:
    assert request_body("m", ModelRequest(messages=(HI,))) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert request_body("m", ModelRequest(messages=(HI,), stream=False)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }


def test_all_sampling_is_sent_and_zero_is_not_unset() -> None:
    sampling = Sampling(
        temperature=0.0,
        top_p=0.5,
        max_tokens=7,
        stop=("a", "b"),
        presence_penalty=0.0,
        frequency_penalty=-1.0,
        seed=0,
        reasoning_effort="low",
    )

    body = request_body(
        "m", ModelRequest(messages=(HI,), sampling=sampling), max_tokens_field="max_completion_tokens"
    )

    assert {k: v for k, v in body.items() if k not in {"model", "messages", "stream", "stream_options"}} == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_completion_tokens": 7,
        "stop": ["a", "b"],
        "presence_penalty": 0.0,
        "frequency_penalty": -1.0,
        "seed": 0,
        "reasoning_effort": "low",
    }


def test_a_model_that_must_not_call_tools_is_told_them_all_the_same() -> None:
    body = request_body("m", ModelRequest(messages=(HI,), tools=(ToolSpec("f", ""),), may_call_tools=False))

    assert body["tool_choice"] == "none"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    for fields in ({"may_call_tools": False}, {"tools": (ToolSpec("f", ""),)}):
        assert "tool_choice" not in request_body("m", ModelRequest(messages=(HI,), **fields))


def test_an_output_schema_is_wished_for_and_not_strictly() -> None:
    body = request_body("m", ModelRequest(messages=(HI,), output_schema='{"type": "object"}'))

    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": {"type": "object"}, "strict": False},
    }


def test_tools_are_described_and_one_without_parameters_takes_an_empty_object() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    tools = (ToolSpec("f", "does f", schema), ToolSpec("g", ""))

    assert request_body("m", ModelRequest(messages=(HI,), tools=tools))["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "does f", "parameters": schema}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    ]


def test_a_tool_round_is_sent_as_call_and_result() -> None:
    call = ToolCall("c1", "f", '{"x":1}')
    asked = Message(Role.ASSISTANT, tool_calls=(call,), reasoning_content="hm")
    answered = Message(Role.TOOL, "2", tool_call_id="c1", tool_name="f")

    assert sent(Message(Role.SYSTEM, "be brief"), HI, asked, answered, Message(Role.ASSISTANT, "two")) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
        {"role": "assistant", "content": "two"},
    ]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(text="x"), {"type": "text", "text": "x"}),
        (
            Part(uri="http://a/b", media_type="image/png"),
            {"type": "image_url", "image_url": {"url": "http://a/b"}},
        ),
        (
            Part(inline_data=b"\x00\xff", media_type="image/png"),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AP8="}},
        ),
        (Part(data={"a": "ü"}), {"type": "text", "text": '{"a": "ü"}'}),
        (Part(inline_data="ü".encode(), media_type="text/plain"), {"type": "text", "text": "ü"}),
        (
            Part(inline_data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
            {
                "type": "text",
                "text": "[attachment a.pdf (application/pdf), which cannot be shown to the model]",
            },
        ),
        (
            Part(uri="s3://b/k"),
            {"type": "text", "text": "[attachment at s3://b/k, which cannot be shown to the model]"},
        ),
    ],
)
def test_parts_of_a_user_message_become_sections(part: Part, expected: dict[str, Any]) -> None:
    assert sent(Message(Role.USER, "see", parts=(part,))) == [
        {"role": "user", "content": [{"type": "text", "text": "see"}, expected]}
    ]


def test_parts_of_other_messages_become_text() -> None:
    image = Part(uri="http://a/b", media_type="image/png")

    assert sent(Message(Role.TOOL, "here", parts=(image, Part(text="x")), tool_call_id="c")) == [
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": "here\n[attachment (image/png) at http://a/b, which cannot be shown to the model]\nx",
        }
    ]


def test_lone_surrogates_never_reach_the_wire() -> None:
    bad = "a\ud800"
    messages = (
        Message(Role.SYSTEM, bad),
        Message(Role.USER, bad),
        Message(Role.USER, bad, parts=(Part(text=bad),)),
        Message(Role.ASSISTANT, bad, tool_calls=(ToolCall("c", "f", bad),)),
        Message(Role.TOOL, bad, tool_call_id="c"),
    )
    request = ModelRequest(messages=messages, tools=(ToolSpec("f", bad),), sampling=Sampling(stop=(bad,)))

    text = json.dumps(request_body("m", request), ensure_ascii=False)

    assert text.encode()
    assert text.count("a?") == 9


@pytest.mark.parametrize(
    ("status", "code", "is_retryable"),
    [
        (302, "MODEL_BAD_RESPONSE", False),
        (400, "MODEL_REJECTED", False),
        (401, "MODEL_UNAUTHENTICATED", False),
        (403, "MODEL_UNAUTHENTICATED", False),
        (404, "MODEL_REJECTED", False),
        (408, "MODEL_TIMEOUT", True),
        (422, "MODEL_REJECTED", False),
        (429, "MODEL_RATE_LIMITED", True),
        (500, "MODEL_UNAVAILABLE", True),
        (502, "MODEL_UNAVAILABLE", True),
        (529, "MODEL_UNAVAILABLE", True),
        (599, "MODEL_UNAVAILABLE", True),
    ],
)
def test_each_status_has_its_code(status: int, code: str, is_retryable: bool) -> None:
    error = status_error(status, {"message": "why"})

    assert (error.code, error.retryable) == (code, is_retryable)
    assert str(status) in str(error)
    assert ("why" in str(error)) == (400 <= status < 500 and status != 401)


def test_more_tries_do_not_bring_more_money() -> None:
    assert not status_error(429, {"message": "pay", "code": "insufficient_quota"}).retryable


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": "no"}, "no"),
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ([{"error": {"message": "no"}}], "no"),
        ("no", "no"),
        ("  <html>no</html>", ""),
        (None, ""),
        ({"message": 5}, ""),
        ({"message": "a\n\tb\x00\x1b[31m"}, "a b[31m"),
        ({"message": "key sk-secret-1 is bad"}, "key *** is bad"),
        ({"message": "x" * 400}, "x" * 299 + "…"),
        ({"message": "\ud800"}, "?"),
    ],
)
def test_the_providers_words_are_one_short_safe_line(body: Any, expected: str) -> None:
    assert provider_message(body, "sk-secret-1") == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"message": "x", "type": "invalid_request_error"}}, "MODEL_REJECTED"),
        ({"error": {"message": "x", "code": "context_length_exceeded"}}, "MODEL_REJECTED"),
        ({"error": {"message": "x", "type": "authentication_error"}}, "MODEL_UNAUTHENTICATED"),
        ({"error": {"message": "x", "code": "503"}}, "MODEL_UNAVAILABLE"),
        ({"error": {"message": "x", "status": "overloaded"}}, "MODEL_UNAVAILABLE"),
        ({"error": {"message": "x", "code": 10**40}}, "MODEL_UNAVAILABLE"),
    ],
)
def test_an_error_that_comes_with_status_200_is_told_by_its_words(body: Any, code: str) -> None:
    assert body_error(body).code == code


def test_the_wish_to_wait_is_read_in_all_its_spellings() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=9), usegmt=True)

    assert retry_after_seconds({"retry-after": "1.5"}, now) == 1.5
    assert retry_after_seconds({"retry-after-ms": "250", "retry-after": "9"}, now) == 0.25
    assert retry_after_seconds({"retry-after": later}, now) == 9.0
    assert retry_after_seconds({"retry-after": later}, now + timedelta(days=1)) == 0.0
    for nonsense in ("soon", "nan", "inf", "-1", ""):
        assert retry_after_seconds({"retry-after": nonsense}, now) is None
    assert retry_after_seconds({}, now) is None
