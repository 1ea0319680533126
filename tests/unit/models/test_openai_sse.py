"""The event-stream parser, and that how the network cuts bytes changes nothing."""

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_openai import call_delta, chunk, stream, usage_chunk
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk
from runwire_server.models.openai.answer import AnswerReader
from runwire_server.models.openai.body import BodyReader, parsed
from runwire_server.models.openai.sse import EventTooLargeError, SseParser


def payloads(*parts: bytes) -> list[bytes]:
    parser = SseParser()
    found = [payload for part in parts for payload in parser.feed(part)]
    return found + parser.close()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data\n\n", [b""]),
        (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
        (b": ping\n\n:\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"event: x\n\n\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"database: a\n\n", []),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_says(data: bytes, expected: list[bytes]) -> None:
    assert payloads(data) == expected


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_a_split_at_any_byte_gives_the_same_events(newline: bytes) -> None:
    data = newline.join(["data: grüße 👋".encode(), b": ping", b"data: x", b"", b"data: y", b"", b""])
    expected = ["grüße 👋\nx".encode(), b"y"]

    assert [payloads(data[:cut], data[cut:]) for cut in range(len(data) + 1)] == [expected] * (len(data) + 1)
    assert payloads(*(data[i : i + 1] for i in range(len(data)))) == expected


@given(
    lines=st.lists(
        st.sampled_from([b"data: a", b"data:b", b"data", b"", b"", b": c", b"event: d", b"data: \xc3\xbc"])
        | st.binary(max_size=8)
    ),
    newlines=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=1),
    cuts=st.lists(st.integers(0, 400)),
)
def test_any_split_of_any_bytes_gives_the_same_events(
    lines: list[bytes], newlines: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(line + newlines[i % len(newlines)] for i, line in enumerate(lines))

    assert payloads(*split(data, cuts)) == payloads(data)


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(places)]


ANSWERS = {
    "text": stream(
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": w}) for w in ("grü", "ße 👋", "\ud83d", "\ude00")),
        chunk({}, "stop"),
        usage_chunk(),
    ),
    "calls": stream(
        *(
            chunk(call_delta(p, index=i, call_id=c, name=n))
            for p, i, c, n in (
                ("", 0, "a", "f"),
                ("", 1, "b", "g"),
                ('{"x"', 0, None, None),
                ("{}", 1, None, None),
                (":1}", 0, None, None),
            )
        ),
        chunk({}, "tool_calls"),
        newline="\r\n",
    ),
    "error in mid-stream": stream(chunk({"content": "x"}), {"error": {"message": "boom", "code": 500}}),
    "broken JSON": stream(chunk({"content": "x"}), "data: {bad"),
    "cut": stream(chunk({"content": "x"}), ": ping", 'data: {"cho', done=False),
    "HTML": stream("<html>", done=False),
    "whole": stream(json.dumps(chunk({"content": "x"}, "stop")), done=False),
}


def outcome(parts: Sequence[bytes]) -> tuple[list[Chunk], str]:
    """Read a body to its end, with what is merged into one list, and the code of its error."""
    body, reader, chunks = BodyReader(), AnswerReader(), []
    try:
        for part in parts:
            for payload in body.take(part):
                chunks.extend(reader.take(parsed(payload)))
        for payload in body.end():
            chunks.extend(reader.take(parsed(payload)))
        chunks.extend(reader.end(is_done=body.is_done))
    except ModelError as error:
        return chunks, error.code
    return chunks, ""


@pytest.mark.parametrize("name", ANSWERS)
@given(cuts=st.lists(st.integers(0, 1200), max_size=40))
def test_any_split_of_an_answer_gives_the_same_chunks(name: str, cuts: list[int]) -> None:
    data = b"".join(step for step in ANSWERS[name].steps if isinstance(step, bytes))

    assert outcome(split(data, cuts)) == outcome([data])


def test_what_comes_after_done_is_not_read() -> None:
    body = BodyReader()

    assert body.take(b'data: {"a":1}\n\ndata: [DONE]\n\ndata: {"b":2}\n\n') == [b'{"a":1}']
    assert body.is_done
    assert body.take(b"data: x\n\n") == []


@pytest.mark.parametrize("flood", [b"data: " + b"x" * 60, b"data: xxxx\n" * 12, b":" + b"x" * 80])
def test_an_event_without_end_is_refused_before_memory_is(flood: bytes) -> None:
    parser = SseParser(event_bytes_max=50)

    with pytest.raises(EventTooLargeError):
        parser.feed(flood)


def test_a_whole_body_without_end_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        BodyReader(bytes_max=50).take(b"{" + b" " * 60)

    assert caught.value.code == "MODEL_OUTPUT_TOO_LARGE"
