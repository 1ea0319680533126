"""Random conversations over connections that break anywhere: every reader reads the same texts."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from random import Random

import grpc
import grpc.aio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import answer, caught_up, delta, ended, output, reconnect, results, started

from runwire import following as following_module
from runwire.following import Following
from runwire.run import RunStream
from runwire.runs import RunCalls
from runwire.v1 import event_pb2

TEXTS = st.lists(st.text("aé🌍 ", max_size=40), max_size=5)


@dataclass
class RandomServer:
    """A run that goes on as it is read. A call begins where it is asked to, and breaks when the dice say so."""

    texts: list[str]
    random: Random
    log: list[event_pb2.Event] = field(default_factory=list)
    live: list[event_pb2.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        sequence = 1
        self.live.append(started())
        for number, text in enumerate(self.texts):
            name = f"m{number}"
            at = 0
            while self.random.random() < 0.8 and at < len(text):
                begin = self.random.randint(max(at - 3, 0), at)
                at = self.random.randint(at, len(text))
                self.live.append(piece_of(number, text[begin:at], begin, sequence))
            sequence += 1
            if number % 3 == 2:
                self.live.append(results(sequence, **{name: text}))
            else:
                self.live.append(answer(text, sequence, message_id=name))
        self.live.append(ended(sequence + 1))
        self.live.reverse()

    def call(self, after: int = 0) -> "RandomCall":
        return RandomCall(self, after)

    def events(self, after: int) -> Iterator[event_pb2.Event]:
        """What is stored, what grows, and what comes; may break anywhere."""
        while after and self.live and self.random.random() < 0.4:
            missed = self.live.pop()  # while nobody listened
            if not missed.partial:
                self.log.append(missed)
        yield from [event for event in self.log if event.sequence > after]
        if growing := self._growing():
            yield growing
        yield caught_up(len(self.log))
        while self.live:
            event = self.live.pop()
            if not event.partial:
                self.log.append(event)
            yield event

    def _growing(self) -> event_pb2.Event | None:
        """What a follower who comes late is given of the message that is being written; not by every server."""
        if not self.live or not self.live[-1].partial or self.random.random() < 0.5:
            return None
        event = self.live[-1]
        piece = event.text_delta if event.HasField("text_delta") else event.tool_output_delta
        number = int((event.text_delta.message_id or event.tool_output_delta.tool_call_id)[1:])
        return piece_of(number, self.texts[number][: piece.offset], 0, len(self.log))


def piece_of(number: int, text: str, offset: int, after: int) -> event_pb2.Event:
    """Every third message is a tool's."""
    if number % 3 == 2:
        return output(text, offset, after=after, call_id=f"m{number}")
    return delta(text, offset, after=after, message_id=f"m{number}")


class RandomCall:
    """One call, as gRPC's."""

    def __init__(self, server: RandomServer, after: int) -> None:
        self._server = server
        self._after = after

    async def initial_metadata(self) -> None:
        await asyncio.sleep(0)

    def cancel(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator["RandomCall"]:
        random = self._server.random
        for event in self._server.events(self._after):
            if random.random() < 0.3:
                await asyncio.sleep(0)
            self.event = event
            yield self
            if random.random() < 0.25:
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()
                )
            if random.random() < 0.1:
                self.event = reconnect(event.sequence)
                yield self


async def whole_texts(run: RunStream) -> list[str]:
    return [message.content async for message in run.messages()]


async def streamed(run: RunStream) -> list[str]:
    return ["".join([piece async for piece in stream]) async for stream in run.message_streams()]


@pytest.fixture
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "_DELAY_SECONDS_FIRST", 0.0)
    monkeypatch.setattr(following_module, "_TRIES_MAX", 1000)
    monkeypatch.setattr(following_module, "_FIRST_TRIES_MAX", 1000)


@given(texts=TEXTS, seed=st.integers(0, 2**32), readers=st.integers(1, 4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_cuts_and_cancelled_readers_change_no_text(
    texts: list[str], seed: int, readers: int, no_delays: None
) -> None:
    async def read() -> None:
        random = Random(seed)
        server = RandomServer(texts, random)
        following = Following(server.call, server.call)
        run = RunStream("r", following, RunCalls("127.0.0.1:1"))
        reading = [
            asyncio.ensure_future(kind(run)) for kind in (whole_texts, streamed) for _ in range(readers)
        ]
        doomed = [asyncio.ensure_future(kind(run)) for kind in (whole_texts, streamed) for _ in range(2)]
        for task in doomed:
            for _ in range(random.randint(0, 5)):
                await asyncio.sleep(0)
            task.cancel()
        found = await asyncio.gather(*reading)
        await asyncio.gather(*doomed, return_exceptions=True)
        assert found == [texts] * len(reading)
        assert await whole_texts(run) == await streamed(run) == texts
        assert await run.text() is not None

    asyncio.run(read())


@given(
    pieces=st.lists(st.tuples(st.integers(0, 8), st.text("ab", max_size=4)), max_size=12), whole=st.text("ab")
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_deltas_say_the_whole_wins_and_no_reader_yields_what_it_is_not(
    pieces: list[tuple[int, str]], whole: str
) -> None:
    """Offsets of a server out of its mind: what a reader joined is a text that there was, or its beginning."""

    async def read() -> None:
        events = [started(), *(delta(text, at) for at, text in pieces), answer(whole, 2), ended(3)]
        server = RandomServer([], Random(0))
        server.live = events[::-1]

        class Call(RandomCall):
            async def __aiter__(self) -> AsyncIterator[RandomCall]:
                while server.live:
                    self.event = server.live.pop()
                    yield self

        run = RunStream("r", Following(lambda: Call(server, 0), server.call), RunCalls("127.0.0.1:1"))
        there_was = {whole}
        async for stream in run.message_streams():
            seen = ""
            async for piece in stream:
                seen += piece
                there_was.add(stream._text.since(0))
                assert any(text.startswith(seen) for text in there_was)
            assert (await stream.message()).content == whole
            assert [piece async for piece in stream] == ([whole] if whole else [])

    asyncio.run(read())
