"""The messages of a run, whole or piece by piece, for any number of readers, whatever happens."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from scripted_server import (
    Abort,
    Hang,
    ScriptedRunner,
    Step,
    Until,
    answer,
    calls,
    caught_up,
    delta,
    ended,
    output,
    question,
    results,
    serving,
    started,
)

from runwire import (
    CallError,
    Client,
    MessageCutError,
    MessageStream,
    ReaderLagsError,
    RunEndedError,
    RunFailedError,
)
from runwire import pulling as pulling_module
from runwire.run import RunStream
from runwire.v1 import content_pb2, event_pb2, run_pb2

BROKEN = Abort(grpc.StatusCode.UNAVAILABLE)
TALK: list[Step] = [
    started(),
    question("hi", 2),
    calls(3, "c1", "c2"),
    output("half", 0, after=3),
    results(4, c1="half and half", c2="two"),
    delta("He", 0, after=4, message_id="m2"),
    delta("llo", 2, after=4, message_id="m2"),
    answer("Hello", 5, message_id="m2"),
    ended(6),
]
WHOLE = ["", "half and half", "two", "Hello"]


@asynccontextmanager
async def running(*scripts: list[Step]) -> AsyncGenerator[tuple[RunStream, ScriptedRunner], None]:
    runner = ScriptedRunner(*scripts)
    async with asyncio.timeout(30), serving(runner) as address, Client(address, user_id="u") as client:
        async with client.run("hi") as run:
            yield run, runner


async def whole_texts(run: RunStream) -> list[str]:
    return [message.content async for message in run.messages()]


async def streamed(run: RunStream) -> list[str]:
    return ["".join([piece async for piece in stream]) async for stream in run.message_streams()]


async def test_whole_messages_come_in_order_with_calls_and_results() -> None:
    async with running(TALK) as (run, _):
        messages = [message async for message in run.messages()]

    assert [message.role for message in messages] == [
        content_pb2.ROLE_ASSISTANT,
        content_pb2.ROLE_TOOL,
        content_pb2.ROLE_TOOL,
        content_pb2.ROLE_ASSISTANT,
    ]
    assert [message.content for message in messages] == WHOLE
    assert [call.id for call in messages[0].tool_calls] == ["c1", "c2"]
    assert [message.tool_call_id for message in messages[1:3]] == ["c1", "c2"]


async def test_a_stream_opens_with_the_first_piece_and_says_whose_message_it_is() -> None:
    go_on = asyncio.Event()
    piece = delta("Hel", 0)
    piece.author, piece.branch = "chef", "boss/chef"
    async with running([started(), piece, Until(go_on), answer("Hello", 2), ended(3)]) as (run, _):
        stream = await anext(run.message_streams())
        assert (stream.message_id, stream.author, stream.branch) == ("m1", "chef", "boss/chef")
        assert stream.role == content_pb2.ROLE_ASSISTANT
        assert not stream.is_whole
        pieces = aiter(stream)
        assert await anext(pieces) == "Hel"
        go_on.set()
        assert [piece async for piece in pieces] == ["lo"]
        assert (await stream.message()).content == "Hello"


async def test_a_message_without_pieces_is_one_piece() -> None:
    async with running([started(), answer("all at once", 2), ended(3)]) as (run, _):
        pieces = [[piece async for piece in stream] async for stream in run.message_streams()]

    assert pieces == [["all at once"]]


async def test_tools_that_write_as_they_work_have_streams_too() -> None:
    async with running(TALK) as (run, _):
        streams = [stream async for stream in run.message_streams()]
        texts = ["".join([piece async for piece in stream]) for stream in streams]

    assert [stream.message_id for stream in streams] == ["m1", "c1", "c2", "m2"]
    assert texts == WHOLE


async def test_both_views_in_any_order_again_after_the_end_and_after_closing() -> None:
    async with running(TALK) as (run, runner):
        assert await streamed(run) == WHOLE
        assert await whole_texts(run) == WHOLE
        assert await streamed(run) == WHOLE
    assert await whole_texts(run) == WHOLE
    assert await run.text() == "Hello"
    assert len(runner.runs) == 1


async def test_many_readers_at_once_each_from_the_beginning() -> None:
    async with running(TALK) as (run, runner):
        readers = [read(run) for read in (whole_texts, streamed) for _ in range(5)]
        found = await asyncio.gather(*readers)
        completion = await run.result()

    assert found == [WHOLE] * 10
    assert completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert len(runner.runs) == 1


async def test_events_and_messages_can_be_read_at_the_same_time() -> None:
    async def sequences(run: RunStream) -> list[int]:
        return [event.sequence async for event in run if not event.partial]

    async with running(TALK) as (run, _):
        texts, *numbers, pieces = await asyncio.gather(
            whole_texts(run), sequences(run), sequences(run), streamed(run)
        )

    assert texts == pieces == WHOLE
    assert numbers == [[1, 2, 3, 4, 5, 6]] * 2


async def test_a_reader_of_events_that_falls_far_behind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling_module, "_EVENTS_AHEAD_MAX", 3)
    async with running(TALK) as (run, _):
        events = aiter(run)
        await run.result()
        with pytest.raises(ReaderLagsError):
            await anext(events)


@pytest.mark.parametrize("read", [whole_texts, streamed])
async def test_a_run_that_fails_before_its_first_message_ends_every_reader(
    read: Callable[[RunStream], Awaitable[list[str]]],
) -> None:
    async with running([started(), ended(2, run_pb2.OUTCOME_FAILED, "no model")]) as (run, _):
        for _ in range(2):
            with pytest.raises(RunFailedError, match="no model"):
                await read(run)


async def test_the_error_comes_in_band_once_after_all_messages() -> None:
    async with running([started(), answer("one", 2), ended(3, run_pb2.OUTCOME_FAILED, "broke")]) as (run, _):
        messages = run.messages()
        assert (await anext(messages)).content == "one"
        with pytest.raises(RunFailedError):
            await anext(messages)
        with pytest.raises(StopAsyncIteration):
            await anext(messages)
        again = run.messages()
        assert (await anext(again)).content == "one"
        with pytest.raises(RunFailedError):
            await anext(again)


async def test_a_message_that_is_never_whole_raises_what_ended_the_run() -> None:
    script: list[Step] = [started(), delta("Hal", 0), ended(2, run_pb2.OUTCOME_LOST, "gone")]
    async with running(script) as (run, _):
        stream = await anext(run.message_streams())
        pieces = aiter(stream)
        assert await anext(pieces) == "Hal"
        with pytest.raises(RunEndedError):
            await anext(pieces)
        with pytest.raises(RunEndedError):
            await stream.message()
        with pytest.raises(RunEndedError):
            await streamed(run)


async def test_an_outcome_that_only_a_newer_server_knows_is_an_error_too() -> None:
    end = event_pb2.Event.FromString(
        event_pb2.Event(sequence=2).SerializeToString() + b"\x8a\x01\x02\x08\x63"
    )
    assert end.completion.outcome == 99
    async with running([started(), end]) as (run, _):
        with pytest.raises(RunEndedError, match="OUTCOME 99"):
            await whole_texts(run)


async def test_unknown_payloads_and_roles_survive() -> None:
    unknown = event_pb2.Event.FromString(event_pb2.Event(sequence=2).SerializeToString() + b"\xf2\x3f\x01x")
    odd = event_pb2.Event(sequence=3)
    odd.message.message.content = "from somebody new"
    odd.message.message.role = 77  # type: ignore[assignment]
    async with running([started(), unknown, odd, ended(4)]) as (run, _):
        assert await streamed(run) == ["from somebody new"]
        assert await whole_texts(run) == ["from somebody new"]


async def test_a_refused_run_is_an_error_for_every_reader_and_is_sent_once() -> None:
    async with running([Abort(grpc.StatusCode.INVALID_ARGUMENT, "no")]) as (run, runner):
        found = await asyncio.gather(
            whole_texts(run), streamed(run), run.text(), anext(aiter(run)), return_exceptions=True
        )
        with pytest.raises(CallError):
            await whole_texts(run)

    assert [type(error) for error in found] == [CallError] * 4
    assert len(runner.runs) == 1


async def test_when_the_reader_that_reads_is_cancelled_another_goes_on() -> None:
    first: list[Step] = [started(), delta("Hel", 0), Hang()]
    second: list[Step] = [delta("Hello", 0), caught_up(1), answer("Hello!", 2), ended(3)]
    async with running(first, second) as (run, runner):
        stream = await anext(run.message_streams())
        reading = asyncio.create_task(stream.message())
        others = [asyncio.create_task(whole_texts(run)), asyncio.create_task(streamed(run))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reading.cancel()
        assert await asyncio.gather(*others) == [["Hello!"], ["Hello!"]]
        assert reading.cancelled()

    assert [attach.after_sequence for attach in runner.attaches] == [1]


async def test_closing_the_run_ends_those_who_wait() -> None:
    async with running([started(), delta("Hel", 0), Hang()]) as (run, runner):
        stream = await anext(run.message_streams())
        waiting = [asyncio.create_task(work) for work in (stream.message(), whole_texts(run), streamed(run))]
        events = asyncio.create_task(anext(aiter(run), None))
        await asyncio.sleep(0)
        await run.aclose()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert await events is None
        await runner.left.wait()

    assert [type(error) for error in found] == [RuntimeError] * 3


async def test_text_that_is_written_anew_is_never_mixed() -> None:
    """What was yielded cannot be taken back: the pieces end, and the message is the truth."""
    script: list[Step] = [
        started(),
        delta("one two", 0),
        delta("one three", 0),
        delta(" four", 9),
        answer("one three four", 2),
        ended(3),
    ]
    async with running(script) as (run, _):
        stream = await anext(run.message_streams())
        pieces = [piece async for piece in stream]
        assert pieces == ["one two"]
        assert (await stream.message()).content == "one three four"
        assert [piece async for piece in stream] == ["one three four"]


async def test_a_gap_waits_for_the_whole() -> None:
    script: list[Step] = [started(), delta("a", 0), delta("c", 2), delta("d", 3), answer("abcd", 2), ended(3)]
    async with running(script) as (run, _):
        stream = await anext(run.message_streams())
        assert [piece async for piece in stream] == ["a", "bcd"]


async def test_what_an_earlier_attempt_began_is_cut() -> None:
    one, again, whole = delta("Hel", 0), delta("Bye", 0, message_id="m2"), answer("Bye!", 3, message_id="m2")
    one.attempt, again.attempt, whole.attempt = 1, 2, 2
    async with running([started(), one, again, whole, ended(4)]) as (run, _):
        streams = [stream async for stream in run.message_streams()]
        texts = ["".join([piece async for piece in stream]) for stream in streams]
        with pytest.raises(MessageCutError):
            await streams[0].message()
        assert await whole_texts(run) == ["Bye!"]

    assert texts == ["Hel", "Bye!"]


async def test_what_a_tool_wrote_before_a_wait_is_one_message_with_its_result() -> None:
    written, finished, given = (
        output("one, t", 0, after=3),
        event_pb2.Event(sequence=4),
        results(5, c1="one, two"),
    )
    finished.tool_finished.result.tool_call_id = "c1"
    written.attempt, finished.attempt, given.attempt = 1, 1, 2
    async with running([started(), written, finished, given, ended(6)]) as (run, _):
        assert await streamed(run) == ["one, two"]


async def test_a_message_that_only_the_end_brings_is_a_message() -> None:
    end = ended(3)
    end.completion.message.role = content_pb2.ROLE_ASSISTANT
    end.completion.message.content = "Hello!"
    async with running([started(), end]) as (run, _):
        assert await whole_texts(run) == ["Hello!"]
    async with running([started(), delta("Hel", 0), end]) as (run, _):
        assert await streamed(run) == ["Hello!"]
        assert await whole_texts(run) == ["Hello!"]


async def test_pieces_of_finished_messages_are_not_kept() -> None:
    async with running(TALK) as (run, _):
        streams: list[MessageStream] = [stream async for stream in run.message_streams()]
        await run.result()

    assert [stream._text._parts for stream in streams] == [[], [], [], []]
