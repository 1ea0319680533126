"""A chat completion, streamed or whole, as Chunks. Pure: JSON in, chunks out."""

from collections.abc import Mapping, Sequence
from typing import Any

from runwire_server.domain.content import Usage, clean_text
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk, EndChunk, ReasoningChunk, TextChunk
from runwire_server.models.openai.body import parsed
from runwire_server.models.openai.calls import CallAssembler, utf8_length
from runwire_server.models.openai.errors import body_error
from runwire_server.models.openai.plain import plain_texts

# Text, reasoning and arguments of one answer together, in bytes of UTF-8: it travels in one event.
ANSWER_BYTES_MAX = 2 * 1024 * 1024
# More is no count of tokens, and would not fit the protos.
_TOKENS_MAX = 2**48
# As many as may end an answer: what is not text is likely among them.
_FEW = 3


class AnswerReader:
    """Reads the pieces of one answer, in order. Raises ModelError for what cannot be understood."""

    def __init__(self, *, secret: str = "", bytes_max: int = ANSWER_BYTES_MAX) -> None:
        self._secret = secret
        self._bytes_max = bytes_max
        self._bytes = 0
        self._calls = CallAssembler()
        self._text = _Halves()
        self._reasoning = _Halves()
        self._is_empty = True
        self._finish_reason = ""
        self._usage = Usage()
        self._model = ""
        self._response_id = ""

    @property
    def has_names(self) -> bool:
        """Whether the answer's model and id are known. Until then every chunk may have them."""
        return bool(self._model and self._response_id)

    def take_texts(self, reasoning: str, text: str) -> list[Chunk]:
        """Return the chunks of pieces of text, after `has_names`. Raises: ModelError MODEL_OUTPUT_TOO_LARGE."""
        if (
            not reasoning
            and text.isascii()
            and not self._text.waits
            and self._bytes + len(text) <= self._bytes_max
        ):
            # By far the most: nothing to count twice, nothing to join.
            self._bytes += len(text)
            return [TextChunk(text)] if text else []
        chunks: list[Chunk] = []
        self._take_text(reasoning, text, chunks)
        return chunks

    def read(self, payloads: Sequence[bytes]) -> tuple[list[Chunk], ModelError | None]:
        """Return the chunks of these payloads, and the error that ended them.

        What came before an error is passed on first, however the network has cut the bytes.
        """
        chunks: list[Chunk] = []
        try:
            if self.has_names and len(payloads) > _FEW and (texts := plain_texts(payloads)) is not None:
                self._take_text(*texts, chunks)
                return chunks, None
            for payload in payloads:
                texts = plain_texts((payload,)) if self.has_names else None
                if texts is None:
                    chunks.extend(self.take(parsed(payload)))
                else:
                    self._take_text(*texts, chunks)
        except ModelError as error:
            return chunks, error
        return chunks, None

    def take(self, piece: Any) -> list[Chunk]:
        """Return the chunks of one streamed chunk, or of a whole completion. May be none.

        Raises: ModelError: MODEL_BAD_RESPONSE for another shape, MODEL_OUTPUT_TOO_LARGE, or the error it
            holds.
        """
        if not isinstance(piece, Mapping):
            raise _bad("something else than a JSON object")
        if piece.get("error") or piece.get("object") == "error":
            raise body_error(piece, secret=self._secret)
        self._is_empty = False
        self._model = self._model or _name(piece.get("model"))
        self._response_id = self._response_id or _name(piece.get("id"))
        if piece.get("usage"):
            self._usage = _larger(self._usage, _usage(piece["usage"]))
        chunks: list[Chunk] = []
        for choice in _objects(piece.get("choices"), "choices"):
            # Only one answer is ever asked for.
            if choice.get("index") in (0, None):
                self._take_choice(choice, chunks)
        self._check_size()
        return chunks

    def end(self, *, is_done: bool) -> list[Chunk]:
        """Return the last chunks. `is_done` says that [DONE] came, or a whole body.

        Raises: ModelError: MODEL_DISCONNECTED when neither that nor a finish reason came; MODEL_BAD_RESPONSE
            for an answer without anything, or a tool call without a name.
        """
        if not self._finish_reason and not is_done:
            raise ModelError(
                "the connection to the model server ended in the middle of the answer",
                "MODEL_DISCONNECTED",
                retryable=True,
            )
        if self._is_empty:
            raise _bad("an empty stream")
        self._calls.finish()
        chunks: list[Chunk] = []
        if left := self._reasoning.take(""):
            chunks.append(ReasoningChunk(left))
        if left := self._text.take(""):
            chunks.append(TextChunk(left))
        finish_reason = self._finish_reason or ("tool_calls" if self._calls else "stop")
        usage = self._usage if self._usage != Usage() else None
        return [*chunks, EndChunk(finish_reason, usage, self._model, self._response_id)]

    def _take_choice(self, choice: Mapping[str, Any], chunks: list[Chunk]) -> None:
        delta = choice.get("delta")
        is_whole = delta is None
        if is_whole:
            delta = choice.get("message") or {}
        if not isinstance(delta, Mapping):
            raise _bad("a delta that is not an object")
        self._take_text(*_texts(delta), chunks)
        if calls := delta.get("tool_calls"):
            for position, call in enumerate(_objects(calls, "tool calls")):
                # Without an id or an index, the entries of a whole message are still different calls.
                self._take_call({"index": position, **call} if is_whole else call, chunks)
        elif delta.get("function_call"):
            self._take_call({"function": delta["function_call"]}, chunks)
        if reason := choice.get("finish_reason"):
            self._finish_reason = _name(reason)

    def _take_text(self, reasoning: str, text: str, chunks: list[Chunk]) -> None:
        self._bytes += utf8_length(reasoning) + utf8_length(text)
        self._check_size()
        if reasoning and (reasoning := self._reasoning.take(reasoning)):
            chunks.append(ReasoningChunk(reasoning))
        if text and (text := self._text.take(text)):
            chunks.append(TextChunk(text))

    def _check_size(self) -> None:
        if self._bytes > self._bytes_max:
            raise ModelError(
                f"the model's answer is larger than {self._bytes_max} bytes", "MODEL_OUTPUT_TOO_LARGE"
            )

    def _take_call(self, call: Mapping[str, Any], chunks: list[Chunk]) -> None:
        added, size = self._calls.take(call)
        self._bytes += size
        chunks.extend(added)


class _Halves:
    """Joins characters that a server cut into two surrogates, between two chunks."""

    def __init__(self) -> None:
        self._half = ""

    @property
    def waits(self) -> bool:
        """Whether there is a half that waits for the other."""
        return bool(self._half)

    def take(self, text: str) -> str:
        """Return the text without a half at its end, which waits for the other. Empty text: what waits."""
        if not self._half and text.isascii():
            return text
        is_last = not text
        text = self._half + text
        self._half = ""
        if not is_last and "\ud800" <= text[-1] <= "\udbff":
            self._half = text[-1]
            text = text[:-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
            return clean_text(joined)
        return text


def _texts(delta: Mapping[str, Any]) -> tuple[str, str]:
    """Return a delta's reasoning and text, whichever way the vendor spells them."""
    # vLLM has sent the same reasoning under both names.
    reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
    content = delta.get("content") or delta.get("refusal") or ""
    if isinstance(content, list):
        return _sections(content)
    if not isinstance(content, str) or not isinstance(reasoning, str):
        raise _bad("content that is not text")
    return reasoning, content


def _sections(content: list[Any]) -> tuple[str, str]:
    """Return the reasoning and the text of Mistral's sections; its thinking holds sections itself."""
    reasoning, text = [], []
    for section in _objects(content, "content"):
        thinking = section.get("thinking") or ""
        if isinstance(thinking, list):
            thinking = "".join(str(item.get("text") or "") for item in _objects(thinking, "thinking"))
        reasoning.append(str(thinking))
        text.append(str(section.get("text") or ""))
    return "".join(reasoning), "".join(text)


def _objects(value: Any, what: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects; None is an empty one. Null entries are left out."""
    if value is None:
        return ()
    if not isinstance(value, list) or any(not isinstance(item, Mapping | None) for item in value):
        raise _bad(f"{what} that are not a list of objects")
    return [item for item in value if item is not None]


def _name(value: Any) -> str:
    return clean_text(value)[:200] if isinstance(value, str) else ""


def _usage(usage: Any) -> Usage:
    """Return what a usage object reports; what is missing or no number counts as zero."""
    if not isinstance(usage, Mapping):
        return Usage()
    read = _count(usage, "prompt_tokens")
    written = _count(usage, "completion_tokens")
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        input_tokens=read,
        cached_input_tokens=cached or _count(usage, "prompt_cache_hit_tokens"),
        output_tokens=written,
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        total_tokens=_count(usage, "total_tokens") or read + written,
    )


def _count(fields: Any, key: str) -> int:
    value = fields.get(key) if isinstance(fields, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _TOKENS_MAX:
        return 0
    return int(value)


def _larger(one: Usage, other: Usage) -> Usage:
    """Return the larger of each count: usage in every chunk is what it came to so far."""
    return Usage(
        max(one.input_tokens, other.input_tokens),
        max(one.cached_input_tokens, other.cached_input_tokens),
        max(one.output_tokens, other.output_tokens),
        max(one.reasoning_tokens, other.reasoning_tokens),
        max(one.total_tokens, other.total_tokens),
    )


def _bad(what: str) -> ModelError:
    return ModelError(f"the model server sent {what}", "MODEL_BAD_RESPONSE")
