"""The chunk that is by far the most common, read faster than any other: a piece of text and nothing else."""

from typing import Any

import msgspec


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta
    index: int | None = 0
    finish_reason: Any = None


class _Piece(msgspec.Struct, gc=False):
    choices: list[_Choice]
    object: str = ""
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Piece).decode


def plain_read(data: bytes) -> tuple[str, str] | None:
    """Return the reasoning and the text of whole events, as they came in one read, that hold nothing else.

    None for all others: then not a byte of them counts as read.
    """
    if not data.startswith(b"data: {") or not data.endswith(b"}\n\n"):
        return None
    payloads = data[6:-2].split(b"\n\ndata: ")
    if len(payloads) == 1:
        return plain_texts(payloads[0])
    reasoning: list[str] = []
    text: list[str] = []
    for payload in payloads:
        found = plain_texts(payload)
        if found is None or (found[0] and text):
            return None
        reasoning.append(found[0])
        if found[1]:
            text.append(found[1])
    return "".join(reasoning), "".join(text)


def plain_texts(payload: bytes) -> tuple[str, str] | None:
    """Return the reasoning and the text of a chunk that holds nothing else; None for all others, broken ones too."""
    try:
        piece = _decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if piece.error or piece.usage or piece.object == "error" or len(piece.choices) != 1:
        return None
    choice = piece.choices[0]
    delta = choice.delta
    if choice.finish_reason or choice.index or delta.tool_calls or delta.refusal or delta.function_call:
        return None
    # vLLM has sent the same reasoning under both names.
    return delta.reasoning_content or delta.reasoning or "", delta.content or ""
