"""The model contract: a request in, a stream of chunks out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runwire_server.domain.content import Message, ToolSpec, Usage
from runwire_server.domain.runs import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the model writes. None means the provider's default: unset and zero are different."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    reasoning_effort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What to ask. `messages` begin with the system message, if any; each tool call in them has a result.

    With `stream` False the answer still comes as chunks, but only when it is whole. Without `may_call_tools` the
    model is told its tools, because the conversation has calls of them, and that it must not call any.
    `output_schema` is the JSON Schema, as JSON text, that the answer must satisfy; empty: any text.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    stream: bool = True
    may_call_tools: bool = True
    output_schema: str = ""


@dataclass(slots=True)
class TextChunk:
    """A piece of text. Not empty."""

    text: str


@dataclass(slots=True)
class ReasoningChunk:
    """A piece of reasoning. Not empty."""

    text: str


@dataclass(slots=True)
class ToolCallChunk:
    """A piece of the answer's call number `index`, from 0 in order of first appearance, whatever the vendor sent.

    `id` and `name` are set in the call's first chunk and empty in later ones; the model adapter makes an id where
    the vendor sent none, and never sends an empty name.
    """

    index: int
    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class RetryChunk:
    """A try failed before its first token; the next comes after `delay_seconds`."""

    failed_attempt: int
    error: RunError
    delay_seconds: float


@dataclass(slots=True)
class EndChunk:
    """The last chunk, exactly once, of every answer that came whole."""

    finish_reason: str
    usage: Usage | None = None
    model: str = ""
    response_id: str = ""


Chunk = TextChunk | ReasoningChunk | ToolCallChunk | EndChunk


class Sink(Protocol):
    """Where an answer goes while it comes."""

    def take(self, chunks: Sequence[Chunk]) -> None:
        """Take all chunks of one read from the provider together, never none. Raises what ends the answer.

        May be called from anywhere in the loop, by whatever reads the connection: no task has to wake up for it.
        """
        ...

    async def retry(self, retry: RetryChunk) -> None:
        """Take the news that there will be another try. Only before all chunks."""
        ...


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """How the provider calls the model; shown in AgentService."""
        ...

    async def stream(self, request: ModelRequest, sink: Sink) -> None:
        """Give the answer to the sink as it comes, and return when it has ended.

        A cancel stops the request. An answer that ends without its EndChunk is an error, so a truncated answer never
        looks whole. Every wait has a timeout. A model that never waits lets others have the loop now and then.

        Raises:
            ModelError: With code MODEL_UNAUTHENTICATED (401, 403), MODEL_RATE_LIMITED (429), MODEL_REJECTED (other
                4xx), MODEL_UNAVAILABLE (5xx, no connection), MODEL_TIMEOUT, MODEL_BAD_RESPONSE (what came cannot be
                understood: HTML, broken JSON), MODEL_DISCONNECTED (it ended in the middle) or
                MODEL_OUTPUT_TOO_LARGE. Its text is safe to show: no keys, no headers. `retryable` says whether
                trying later may help.
        """
        ...
