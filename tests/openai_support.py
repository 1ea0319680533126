"""What tests of the OpenAI adapter share: how to ask a model, and what a plain answer of the fake server is."""

from collections.abc import Callable
from contextlib import aclosing

import pytest

from runwire_server.domain.content import Message, Role, Usage
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk, EndChunk, ModelRequest, TextChunk
from runwire_server.models.openai.client import OpenAIModel

KEY = "sk-secret-key-1"
HI = ModelRequest(messages=(Message(Role.USER, "hi"),))
WHOLE = ModelRequest(messages=HI.messages, stream=False)
END = EndChunk("stop", Usage(3, 0, 5, 0, 8), "fake-1", "chatcmpl-1")
SHORT = 0.15
LONG = 20.0

Connect = Callable[..., OpenAIModel]


async def lists_of(model: OpenAIModel, request: ModelRequest = HI) -> list[list[Chunk]]:
    async with aclosing(model.stream(request)) as reads:
        return [chunks async for chunks in reads]


async def ask(model: OpenAIModel, request: ModelRequest = HI) -> list[Chunk]:
    return [c for chunks in await lists_of(model, request) for c in chunks]


async def failure(model: OpenAIModel, request: ModelRequest = HI) -> tuple[list[Chunk], ModelError]:
    """What came before the error, and the error."""
    found: list[Chunk] = []
    with pytest.raises(ModelError) as caught:  # noqa: PT012 -- what came before it counts, too
        async with aclosing(model.stream(request)) as reads:
            async for chunks in reads:
                assert chunks
                found.extend(chunks)
    assert KEY not in str(caught.value)
    return found, caught.value


def said(chunks: list[Chunk]) -> str:
    return "".join(c.text for c in chunks if isinstance(c, TextChunk))
