"""What is made of a provider's chunks, however each vendor writes them."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from fake_openai import call_delta, chunk, usage, usage_chunk
from runwire_server.domain.content import Usage
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk, EndChunk, ReasoningChunk, TextChunk, ToolCallChunk
from runwire_server.models.openai.answer import AnswerReader


def read(pieces: Sequence[Any], *, is_done: bool = True, bytes_max: int = 10_000) -> list[Chunk]:
    reader = AnswerReader(bytes_max=bytes_max)
    chunks = [c for piece in pieces for c in reader.take(piece)]
    return chunks + reader.end(is_done=is_done)


def calls(chunks: Sequence[Chunk]) -> list[tuple[str, str, str]]:
    """Put calls together as an agent does: (id, name, arguments)."""
    found: list[tuple[str, str, str]] = []
    for c in chunks:
        if isinstance(c, ToolCallChunk):
            if c.index == len(found):
                assert c.id
                assert c.name
                found.append((c.id, c.name, ""))
            else:
                assert (c.id, c.name) == ("", "")
            call_id, name, arguments = found[c.index]
            found[c.index] = (call_id, name, arguments + c.arguments)
    return found


def text_of(chunks: Sequence[Chunk]) -> str:
    return "".join(c.text for c in chunks if isinstance(c, TextChunk))


D = call_delta
A, B = ("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')
CALLS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, str]]]] = {
    "as OpenAI does": ([D("", call_id="a", name="f"), D('{"x"'), D(":1}")], [A]),
    "two, one after the other": (
        [
            D("", call_id="a", name="f"),
            D('{"x":1}'),
            D("", index=1, call_id="b", name="g"),
            D('{"y":2}', index=1),
        ],
        [A, B],
    ),
    "two, interleaved": (
        [
            D("", call_id="a", name="f"),
            D("", index=1, call_id="b", name="g"),
            D('{"x"'),
            D('{"y"', index=1),
            D(":1}"),
            D(":2}", index=1),
        ],
        [A, B],
    ),
    "without an index": ([D('{"x":1}', index=None, call_id="a", name="f")], [A]),
    "without an index, in pieces": (
        [
            D('{"x"', index=None, call_id="a", name="f"),
            D(":1}", index=None),
            D('{"y"', index=None, call_id="b", name="g"),
            D(":2}", index=None),
        ],
        [A, B],
    ),
    "without an index, interleaved by id": (
        [
            D('{"x"', index=None, call_id="a", name="f"),
            D('{"y"', index=None, call_id="b", name="g"),
            D(":1}", index=None, call_id="a"),
            D(":2}", index=None, call_id="b"),
        ],
        [A, B],
    ),
    "all with index 0": (
        [D('{"x":1}', call_id="a", name="f"), D('{"y"', call_id="b", name="g"), D(":2}")],
        [A, B],
    ),
    "index from 1": ([D('{"x":1}', index=1, call_id="a", name="f")], [A]),
    "id and name in every delta": (
        [D('{"x"', call_id="a", name="f"), D(":1}", call_id="a", name="f")],
        [A],
    ),
    "name in every delta": ([D('{"x"', call_id="a", name="f"), D(":1}", name="f")], [A]),
    "null id, name and type": (
        [
            D('{"x"', call_id="a", name="f"),
            {
                "tool_calls": [
                    {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": ":1}"}}
                ]
            },
        ],
        [A],
    ),
    "arguments as an object": ([D({"x": "ü"}, call_id="a", name="f")], [("a", "f", '{"x": "ü"}')]),
    "null arguments": (
        [{"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": None}}]}],
        [("a", "f", "")],
    ),
    "the name after the id": ([D("", call_id="a"), D('{"x":1}', name="f")], [A]),
    "a later call is named first": (
        [D("", call_id="a"), D('{"y":2}', index=1, call_id="b", name="g"), D('{"x":1}', name="f")],
        [A, B],
    ),
    "null entries": ([{"tool_calls": [None, D('{"x":1}', call_id="a", name="f")["tool_calls"][0]]}], [A]),
    "no calls": ([{"content": "x", "tool_calls": None}, {"tool_calls": []}], []),
}


@pytest.mark.parametrize("name", CALLS)
def test_tool_calls_are_put_together(name: str) -> None:
    deltas, expected = CALLS[name]

    assert calls(read([*(chunk(delta) for delta in deltas), chunk({}, "tool_calls")])) == expected


MADE_IDS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "no ids, by index": ([D("{}", name="f"), D("{}", index=1, name="f")], [("f", "{}"), ("f", "{}")]),
    "no ids, all whole with index 0": (
        [D('{"x":1}', name="f"), D('{"x":2}', name="f")],
        [("f", '{"x":1}'), ("f", '{"x":2}')],
    ),
    "no ids and no index": (
        [D("{}", index=None, name="f"), D("{}", index=None, name="g")],
        [("f", "{}"), ("g", "{}")],
    ),
    "empty id": ([D("{}", call_id="", name="f")], [("f", "{}")]),
    "an id that comes late": ([D('{"x"', name="f"), D(":1}", call_id="late")], [("f", '{"x":1}')]),
    "the old function_call": (
        [{"function_call": {"name": "f", "arguments": "{"}}, {"function_call": {"arguments": "}"}}],
        [("f", "{}")],
    ),
}


@pytest.mark.parametrize("name", MADE_IDS)
def test_calls_without_an_id_get_one_of_their_own(name: str) -> None:
    deltas, expected = MADE_IDS[name]

    found = calls(read([*(chunk(delta) for delta in deltas), chunk({}, "tool_calls")]))

    assert [(call[1], call[2]) for call in found] == expected
    assert len({call[0] for call in found}) == len(found)
    assert all(re.fullmatch(r"call_[0-9a-f]{32}", call[0]) for call in found)


def test_ids_are_unique_even_if_the_vendor_repeats_one() -> None:
    found = calls(
        read([chunk(D("{}", call_id="a", name="f")), chunk(D("{}", index=1, call_id="a", name="g"))])
    )

    assert [(call[1], call[2]) for call in found] == [("f", "{}"), ("g", "{}")]
    assert found[0][0] != found[1][0]


def test_a_whole_message_has_as_many_calls_as_entries() -> None:
    entry = {"function": {"name": "f", "arguments": "{}"}}
    choice = {
        "index": 0,
        "message": {"content": "hi", "tool_calls": [entry, entry]},
        "finish_reason": "tool_calls",
    }

    chunks = read([chunk(choices=[choice])])

    assert text_of(chunks) == "hi"
    assert [call[1] for call in calls(chunks)] == ["f", "f"]


@pytest.mark.parametrize("choices", [None, [], "missing"])
def test_chunks_without_choices_say_nothing(choices: Any) -> None:
    empty = chunk(choices=choices)
    if choices == "missing":
        del empty["choices"]

    assert text_of(read([empty, chunk({"content": "x"}, "stop"), empty])) == "x"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_read_under_both_names(field: str) -> None:
    chunks = read([chunk({"content": None, field: "hm"}), chunk({"content": "x", field: None}, "stop")])

    assert chunks[:2] == [ReasoningChunk("hm"), TextChunk("x")]


def test_sections_of_thinking_and_text_are_read() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    chunks = read([chunk({"content": [thinking, {"type": "text", "text": "x"}]}, "stop")])

    assert chunks[:2] == [ReasoningChunk("hm"), TextChunk("x")]


@pytest.mark.parametrize(
    ("pieces", "is_done", "reason"),
    [
        ([chunk({"content": "x"}, "insufficient_system_resource")], True, "insufficient_system_resource"),
        ([chunk({"content": "x"}, "length")], False, "length"),
        ([chunk({"content": "x"})], True, "stop"),
        ([chunk(D("{}", call_id="a", name="f"))], True, "tool_calls"),
        ([chunk({"content": "x"}, "stop"), chunk({}, None)], True, "stop"),
    ],
)
def test_the_finish_reason_is_the_vendors_or_what_the_answer_shows(
    pieces: list[Any], is_done: bool, reason: str
) -> None:
    end = read(pieces, is_done=is_done)[-1]

    assert end == EndChunk(reason, None, "fake-1", "chatcmpl-1")


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ([usage(3, 5)], Usage(3, 0, 5, 0, 8)),
        ([usage(3, 1), usage(3, 2), usage(3, 5)], Usage(3, 0, 5, 0, 8)),
        ([{"prompt_tokens": 3, "completion_tokens": 5}], Usage(3, 0, 5, 0, 8)),
        (
            [
                {
                    **usage(3, 5),
                    "prompt_tokens_details": {"cached_tokens": 2},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                }
            ],
            Usage(3, 2, 5, 4, 8),
        ),
        (
            [{**usage(3, 5), "prompt_cache_hit_tokens": 2, "completion_tokens_details": None}],
            Usage(3, 2, 5, 0, 8),
        ),
        ([{"prompt_tokens": "x", "completion_tokens": -1, "total_tokens": 10**30}], None),
        ([{"prompt_tokens": float("nan"), "completion_tokens": True}], None),
        ([None], None),
        (["x"], None),
    ],
)
def test_usage_is_read_where_and_as_it_comes(reported: list[Any], expected: Usage | None) -> None:
    pieces = [chunk({"content": "x"}, "stop"), *(chunk(choices=[], usage=u) for u in reported)]

    end = read(pieces)[-1]

    assert isinstance(end, EndChunk)
    assert end.usage == expected


def test_usage_after_the_finish_is_read() -> None:
    end = read([chunk({"content": "x"}, "stop"), usage_chunk(1, 2)])[-1]

    assert isinstance(end, EndChunk)
    assert end.usage == Usage(1, 0, 2, 0, 3)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["\ud83d", "\ude00"], "😀"),
        (["a\ud83d", "\ude00b"], "a😀b"),
        (["\ud83d", "b"], "?b"),
        (["\ude00"], "?"),
        (["a\ud83d"], "a?"),
        (["ü", "👋"], "ü👋"),
    ],
)
def test_characters_that_were_cut_in_two_are_joined_and_lone_halves_replaced(
    pieces: list[str], expected: str
) -> None:
    assert text_of(read([*(chunk({"content": p}) for p in pieces), chunk({}, "stop")])) == expected


@pytest.mark.parametrize(
    ("pieces", "is_done", "code"),
    [
        ([chunk({"content": "x"})], False, "MODEL_DISCONNECTED"),
        ([], False, "MODEL_DISCONNECTED"),
        ([], True, "MODEL_BAD_RESPONSE"),
        ([chunk(D("{}", call_id="a"), "tool_calls")], True, "MODEL_BAD_RESPONSE"),
        ([chunk(D("{}", call_id="a", name=""), "tool_calls")], True, "MODEL_BAD_RESPONSE"),
        ([chunk({"tool_calls": [{"index": 0, "function": "f"}]})], True, "MODEL_BAD_RESPONSE"),
        (
            [chunk({"tool_calls": [{"index": 0, "id": 5, "function": {"name": "f"}}]})],
            True,
            "MODEL_BAD_RESPONSE",
        ),
        ([chunk({"tool_calls": "x"})], True, "MODEL_BAD_RESPONSE"),
        ([chunk({"content": 5})], True, "MODEL_BAD_RESPONSE"),
        ([chunk(choices=[{"index": 0, "delta": "x"}])], True, "MODEL_BAD_RESPONSE"),
        ([chunk(choices={"0": 1})], True, "MODEL_BAD_RESPONSE"),
        (["x"], True, "MODEL_BAD_RESPONSE"),
        ([[1]], True, "MODEL_BAD_RESPONSE"),
        ([{"error": {"message": "boom"}}], True, "MODEL_UNAVAILABLE"),
        ([{"error": {"message": "slow down", "code": 429}}], True, "MODEL_RATE_LIMITED"),
        ([{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}], True, "MODEL_RATE_LIMITED"),
        ([{"object": "error", "message": "no", "code": 400}], True, "MODEL_REJECTED"),
        ([{"error": "boom"}], True, "MODEL_UNAVAILABLE"),
        ([chunk({"content": "x" * 101}, "stop")], True, "MODEL_OUTPUT_TOO_LARGE"),
        (
            [chunk({"reasoning": "x" * 60}), chunk({"content": "x" * 60}, "stop")],
            True,
            "MODEL_OUTPUT_TOO_LARGE",
        ),
        ([chunk(D("x" * 101, call_id="a", name="f"))], True, "MODEL_OUTPUT_TOO_LARGE"),
        ([chunk(D("", index=i, name="f")) for i in range(3)], True, "MODEL_OUTPUT_TOO_LARGE"),
    ],
)
def test_what_cannot_be_understood_or_is_not_whole_is_an_error(
    pieces: list[Any], is_done: bool, code: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read(pieces, is_done=is_done, bytes_max=100)

    assert caught.value.code == code


def test_what_counts_is_what_an_event_must_carry() -> None:
    # 40 characters, 120 bytes: an answer of 2 Mi such characters would not fit a message of gRPC.
    for delta in ({"content": "語" * 40}, {"reasoning_content": "語" * 40}, call_delta("語" * 40, name="f")):
        with pytest.raises(ModelError, match="larger than 100 bytes"):
            read([chunk(delta)], bytes_max=100)


BURSTS: dict[str, list[bytes]] = {
    "text and its end": [
        b'{"id":"i","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}',
        *(b'{"choices":[{"index":0,"delta":{"content":"%d "},"finish_reason":null}]}' % n for n in range(9)),
        b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":9}}',
    ],
    "reasoning, text, reasoning": [
        b'{"id":"i","model":"m","choices":[{"delta":{"reasoning":"a","content":"b"}}]}',
        b'{"choices":[{"delta":{"reasoning_content":"c"}}]}',
        b'{"choices":[{"delta":{"content":"d"}}]}',
        b'{"choices":[{"delta":{"reasoning":"e"}}]}',
        b'{"choices":[{"delta":{"content":"f"}}]}',
    ],
    "a second choice, a call, halves of a character": [
        b'{"id":"i","model":"m","choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"index":1,"delta":{"content":"not this"}}]}',
        b'{"choices":[{"delta":{"content":"\\ud83d"}}]}',
        b'{"choices":[{"delta":{"content":"\\ude00"}}]}',
        b'{"choices":[{"delta":{"content":"\xc3\xa4"}}],"usage":{"prompt_tokens":7}}',
        b'{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]}}]}',
        b'{"choices":[{"delta":{"tool_calls":[]},"finish_reason":""}]}',
    ],
    "an error": [
        b'{"id":"i","model":"m","choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"b"}}]}',
        b'{"object":"error","message":"no","choices":[{"delta":{"content":"c"}}]}',
        b'{"choices":[{"delta":{"content":"d"}}]}',
    ],
    "two halves of a chunk, which a comma joins": [
        b'{"id":"i","model":"m","choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"b"}}]',
        b'"object":""}',
    ],
    "two chunks in an event": [
        b'{"id":"i","model":"m","choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"b"}}]},{"choices":[{"delta":{"content":"c"}}]}',
    ],
    "what is no JSON": [
        b'{"id":"i","model":"m","choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"b"}}]}',
        b'{"choices":[{"delta":{"content":"c"',
    ],
}


@pytest.mark.parametrize("name", BURSTS)
def test_what_comes_at_once_is_read_as_if_it_came_piece_by_piece(name: str) -> None:
    def said(sizes: Sequence[int]) -> tuple[list[tuple[str, str]], str, list[Chunk]]:
        reader, payloads = AnswerReader(), list(BURSTS[name])
        texts: list[tuple[str, str]] = []
        for size in sizes:
            chunks, error = reader.read(payloads[:size])
            del payloads[:size]
            for c in chunks:
                if isinstance(c, TextChunk | ReasoningChunk):
                    kind = type(c).__name__
                    before = texts.pop()[1] if texts and texts[-1][0] == kind else ""
                    texts.append((kind, before + c.text))
            if error is not None:
                return texts, error.code, []
        return texts, "", [c for c in reader.end(is_done=True) if isinstance(c, EndChunk)]

    one_by_one = said([1] * len(BURSTS[name]))
    for first in range(len(BURSTS[name])):
        assert said([first, len(BURSTS[name]) - first]) == one_by_one
