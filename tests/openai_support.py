"""What tests of the OpenAI adapter share: how to ask a model, and what a plain answer of the fake server is."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from runwire_server.domain.content import Message, Role, Usage
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk, EndChunk, ModelRequest, RetryChunk, TextChunk
from runwire_server.models.openai.client import OpenAIModel

KEY = "sk-secret-key-1"
HI = ModelRequest(messages=(Message(Role.USER, "hi"),))
WHOLE = ModelRequest(messages=HI.messages, stream=False)
END = EndChunk("stop", Usage(3, 0, 5, 0, 8), "fake-1", "chatcmpl-1")
SHORT = 0.15
LONG = 20.0

Connect = Callable[..., OpenAIModel]


class Reads:
    """Keeps what came, read by read, with the retries in between."""

    def __init__(self) -> None:
        self.lists: list[list[Any]] = []

    def take(self, chunks: Sequence[Chunk]) -> None:
        self.lists.append(list(chunks))

    async def retry(self, retry: RetryChunk) -> None:
        self.lists.append([retry])


async def lists_of(model: OpenAIModel, request: ModelRequest = HI) -> list[list[Chunk]]:
    sink = Reads()
    await model.stream(request, sink)
    return sink.lists


async def ask(model: OpenAIModel, request: ModelRequest = HI) -> list[Chunk]:
    return [c for chunks in await lists_of(model, request) for c in chunks]


async def failure(model: OpenAIModel, request: ModelRequest = HI) -> tuple[list[Chunk], ModelError]:
    """What came before the error, and the error."""
    sink = Reads()
    with pytest.raises(ModelError) as caught:
        await model.stream(request, sink)
    assert all(sink.lists)
    assert KEY not in str(caught.value)
    return [chunk for chunks in sink.lists for chunk in chunks], caught.value


def said(chunks: list[Chunk]) -> str:
    return "".join(c.text for c in chunks if isinstance(c, TextChunk))
