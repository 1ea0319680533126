"""The chunk that is by far the most common, read faster than any other: a piece of text and nothing else.

What else a chunk may say has a type here that only nothing fits, so the decoder finds it, in C.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

_Nothing = Literal[""] | None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: _Nothing = None
    tool_calls: tuple[()] | None = None
    function_call: None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta
    index: Literal[0] | None = 0
    finish_reason: _Nothing = None


class _Piece(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    object: Literal["", "chat.completion.chunk", "chat.completion"] = ""
    usage: None = None
    error: None = None


_decode = msgspec.json.Decoder(list[_Piece]).decode
_decode_one = msgspec.json.Decoder(_Piece).decode


def plain_read(data: bytes) -> tuple[str, str] | None:
    """Return the reasoning and the text of whole events, as they came in one read, that hold nothing else.

    None for all others: then not a byte of them counts as read.
    """
    if not data.startswith(b"data: {") or not data.endswith(b"}\n\n") or b"\r" in data:
        return None
    if data.find(b"\n") == len(data) - 2:
        # What a token brings that comes alone, which is all that is read of a run that the model server paces.
        try:
            delta = _decode_one(data[6:-2]).choices[0].delta
        except (ValueError, RecursionError):
            return None
        return delta.reasoning_content or delta.reasoning or "", delta.content or ""
    payloads = data[6:-2].split(b"\n\ndata: ")
    # A line end in the middle of a payload is white space to JSON, and the end of it here.
    return plain_texts(payloads) if data.count(b"\n") == 2 * len(payloads) else None


def plain_texts(payloads: Sequence[bytes]) -> tuple[str, str] | None:
    """Return the reasoning and the text of chunks that hold nothing else.

    None for all others, broken ones and reasoning after text too.
    """
    try:
        pieces = _decode(b"[%b]" % b",".join(payloads))
    except (ValueError, RecursionError):
        return None
    if len(pieces) != len(payloads):
        return None  # a comma of theirs, or half a chunk each
    reasoning: list[str] = []
    text: list[str] = []
    for piece in pieces:
        delta = piece.choices[0].delta
        # vLLM has sent the same reasoning under both names.
        if thought := delta.reasoning_content or delta.reasoning:
            if text:
                return None
            reasoning.append(thought)
        if delta.content:
            text.append(delta.content)
    return "".join(reasoning), "".join(text)
