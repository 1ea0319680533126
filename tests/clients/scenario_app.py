"""What the scenarios run: an agent whose model does what the last user message says, in so many words.

`tell N [SECONDS]`     N words, that long apart (0.01); every seventh has characters beyond the first plane
`look N [SECONDS]`     N rounds of a sentence and a call of the tool `look`, then an answer
`keep looking`         the same, without end, until a message `enough` is enqueued
`fail`                 the model fails in the middle of its text
`send`                 a call of `send`, which must be approved, then an answer
`how often`            says how many user messages the session has
"""

import asyncio
from collections.abc import Iterator

from runwire_server.app import App, LlmAgent
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import Chunk, EndChunk, ModelRequest, Sink, TextChunk, ToolCallChunk
from runwire_server.tools.function import tool

WORD_SECONDS = 0.01


def word(number: int) -> str:
    """Return the word of that number, from 1."""
    return f"🦊é{number} " if number % 7 == 0 else f"word{number} "


def look(what: str) -> str:
    """Look at something."""
    return f"{what} looks good"


@tool(requires_approval=True)
def send(text: str) -> str:
    """Send something. Somebody must allow it."""
    return f"sent {text}"


class ObedientModel:
    """Does what the last user message says. Deterministic."""

    name = "obedient"

    async def stream(self, request: ModelRequest, sink: Sink) -> None:
        """See Model."""
        said = [message.content for message in request.messages if message.role is Role.USER]
        verb, *numbers = said[-1].split()
        seconds = float(numbers[1]) if len(numbers) > 1 else WORD_SECONDS
        for chunk in _chunks(verb, said, request.messages):
            if isinstance(chunk, TextChunk):
                await asyncio.sleep(seconds)
            sink.take([chunk])
        if verb == "fail":
            raise ModelError("the model does not want to", code="MODEL_REJECTED")


def _chunks(verb: str, said: list[str], messages: tuple[Message, ...]) -> Iterator[Chunk]:
    """Yield the answer; none to `fail` beyond a few words."""
    asked = said[-1].split()
    rounds = _rounds(messages)
    if verb == "tell":
        yield from (TextChunk(word(number)) for number in range(1, int(asked[1]) + 1))
    elif (verb == "look" and rounds < int(asked[1])) or verb == "keep":
        yield from _look(rounds + 1)
        return
    elif verb == "send" and not rounds:
        yield ToolCallChunk(0, "send-1", "send", '{"text": "hello"}')
        yield EndChunk("tool_calls")
        return
    elif verb == "fail":
        yield from (TextChunk(word(number)) for number in range(1, 4))
        return
    elif verb == "how":
        yield TextChunk(f"{len(said)} times")
    else:
        yield from (TextChunk(f"{piece} ") for piece in ("That", "is", verb, "🦊", "done."))
    yield EndChunk("stop")


def _look(number: int) -> Iterator[Chunk]:
    yield from (TextChunk(word(piece)) for piece in range(1, 9))
    yield ToolCallChunk(0, f"look-{number}", "look", f'{{"what": "thing {number}"}}')
    yield EndChunk("tool_calls")


def _rounds(messages: tuple[Message, ...]) -> int:
    """Return how many results came since the last message of the user that began something."""
    began = max(at for at, message in enumerate(messages) if message.role is Role.USER)
    return sum(message.role is Role.TOOL for message in messages[began:])


app = App("scenarios", [LlmAgent("teller", model=ObedientModel(), tools=[look, send])])
