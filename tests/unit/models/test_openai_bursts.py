"""Many events in one read: taken together, and yet the same as each for itself."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_openai import call_delta, chunk, usage_chunk
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk, EndChunk, ReasoningChunk, RetryChunk, TextChunk, ToolCallChunk
from runwire_server.models.openai.answer import AnswerReader
from runwire_server.models.openai.client import _Answer


class Shown:
    """A sink that puts an answer together."""

    def __init__(self) -> None:
        self.lists = 0
        self.text = ""
        self.reasoning = ""
        self.calls: dict[int, str] = {}
        self.end: EndChunk | None = None

    def take(self, chunks: Sequence[Chunk]) -> None:
        self.lists += 1
        for one in chunks:
            match one:
                case TextChunk(text=text):
                    self.text += text
                case ReasoningChunk(text=text):
                    self.reasoning += text
                case ToolCallChunk(index=index, name=name, arguments=arguments):
                    # Not its id: one that a server leaves out is made up.
                    self.calls[index] = self.calls.get(index, "") + name + arguments
                case EndChunk():
                    self.end = one

    async def retry(self, retry: RetryChunk) -> None:
        raise AssertionError(retry)


def event(value: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def text_event(text: str) -> bytes:
    return event(chunk({"content": text}))


def read(data: bytes, cuts: Sequence[int]) -> tuple[Shown, str]:
    """Read the bytes, cut there. Return what was shown, and the code of the error that ended it."""
    shown = Shown()
    answer = _Answer(shown, AnswerReader(), is_whole=False)
    at = 0
    try:
        for cut in [*sorted(cuts), len(data)]:
            if answer.take(data[at:cut]):
                break
            at = cut
        answer.end()
    except ModelError as error:
        return shown, error.code
    return shown, ""


def everything(shown: Shown) -> tuple[object, ...]:
    return shown.text, shown.reasoning, shown.calls, shown.end


ODD = [
    event(chunk({"reasoning_content": "hm"})),
    event(chunk({"content": "\ud83d"})),
    event(chunk({"content": "\ude00"})),
    event(chunk({"content": "x"}) | {"usage": {"completion_tokens": 2}}),
    event(chunk(call_delta("{", call_id="call-1", name="f"))),
    event(chunk(call_delta("}"))),
    event(chunk({}, "stop")),
    event(usage_chunk()),
    event({"error": {"message": "overloaded", "code": 503}}),
    b": ping\n\n",
    b"\n\n",
    b"\n",
    b"data: [DONE]\n\n",
    b"data: {broken\n\n",
    b"data:" + text_event("tight")[6:],
    text_event("crlf").replace(b"\n", b"\r\n"),
    b"event: message\nid: 7\n" + text_event("named"),
    b"data: {},{}\n\n",
    b'data: {"choices":\ndata: []}\n\n',
    text_event("cut").replace(b', "choices"', b',\n"choices"'),
    text_event("cut").replace(b', "choices"', b',\r"choices"'),
    text_event("blank")[:-1] + b" \n\n",
]
PLAIN = st.integers(1, 12).map(lambda count: b"".join(text_event(f"token {n} ") for n in range(count)))
BODIES = st.lists(st.one_of(PLAIN, st.sampled_from(ODD)), min_size=1, max_size=12).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(body=BODIES, data=st.data())
def test_a_burst_is_read_like_its_events(body: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=3))

    at_once, code = read(body, cuts)

    # In pieces as small as these no event is ever seen whole.
    slowly, code_slowly = read(body, range(0, len(body), 11))
    assert (everything(at_once), code) == (everything(slowly), code_slowly)


def test_an_answer_in_one_read_is_shown_in_a_few_lists() -> None:
    tokens = [text_event(f"token {n} ") for n in range(200)]
    end = [event(chunk({}, "stop")), event(usage_chunk()), b"data: [DONE]\n\n"]

    shown, code = read(b"".join(tokens + end), [])

    assert code == ""
    assert shown.text == "".join(f"token {n} " for n in range(200))
    assert shown.lists <= 3
