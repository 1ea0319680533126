"""The client without `await`, from a thread that has no event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from scripted_server import (
    Answers,
    Hang,
    ScriptedRunner,
    Step,
    answer,
    asks,
    delta,
    ended,
    resolved,
    serving,
    started,
)

from runwire import CallError, RunFailedError
from runwire.sync import Client
from runwire.v1 import event_pb2, run_pb2

T = TypeVar("T")
SCRIPT: list[Step] = [started(), delta("Hel", 0), answer("Hello", 2), ended(3)]


async def beside(runner: ScriptedRunner, work: Callable[[Client], T]) -> T:
    """Do work with a client in a thread, while the server runs on this loop."""

    def connected(address: str) -> T:
        with Client(address, user_id="u") as client:
            return work(client)

    async with serving(runner) as address, asyncio.timeout(30):
        return await asyncio.to_thread(connected, address)


async def test_events_text_and_pieces_come_without_await() -> None:
    def work(client: Client) -> tuple[list[int], str, list[str], str]:
        with client.run("hi") as run:
            sequences = [event.sequence for event in run]
            text = run.text()
        with client.run("hi") as run:
            pieces = list(run.deltas())
        return sequences, text, pieces, client.chat("hi")

    done = await beside(ScriptedRunner(SCRIPT, SCRIPT, SCRIPT), work)

    assert done == ([1, 1, 2, 3], "Hello", ["Hel", "lo"], "Hello")


async def test_a_conversation_remembers_its_session() -> None:
    runner = ScriptedRunner(SCRIPT, SCRIPT)

    def work(client: Client) -> tuple[str, str, str]:
        conversation = client.conversation()
        return conversation.chat("hi"), conversation.chat("again"), conversation.session_id

    said = await beside(runner, work)

    assert said == ("Hello", "Hello", "s1")
    assert [request.session_id for request in runner.runs] == ["", "s1"]


async def test_leaving_a_run_early_closes_the_call() -> None:
    runner = ScriptedRunner([started(), Hang()])

    def work(client: Client) -> None:
        with client.run("hi") as run:
            next(iter(run))

    await beside(runner, work)

    async with asyncio.timeout(10):
        await runner.left.wait()


async def test_a_list_may_be_left_in_the_middle() -> None:
    def work(client: Client) -> str:
        for found in client.runs():
            return str(found.request_id)
        raise AssertionError

    assert await beside(ScriptedRunner(), work) == "0"


async def test_errors_are_the_same() -> None:
    def work(client: Client) -> str:
        with pytest.raises(CallError) as refused:
            client.status("r")
        return refused.value.reason

    assert await beside(ScriptedRunner(), work) == "ODD_REQUEST"


async def test_closing_ends_the_thread_also_when_a_run_is_left_open() -> None:
    def work(client: Client) -> threading.Thread:
        next(iter(client.run("hi")))
        client.close()
        client.close()
        return client._loop._thread

    thread = await beside(ScriptedRunner([started(), Hang()]), work)

    assert not thread.is_alive()


async def test_messages_and_their_pieces_come_without_await() -> None:
    def work(client: Client) -> tuple[list[str], list[list[str]], list[str], list[str]]:
        with client.run("hi") as run:
            pieces = [list(stream) for stream in run.message_streams()]
            whole = [message.content for message in run.messages()]
            (stream,) = run.message_streams()
            return whole, pieces, list(stream), [stream.message().content, stream.message_id]

    done = await beside(ScriptedRunner(SCRIPT), work)

    assert done == (["Hello"], [["Hel", "lo"]], ["Hello"], ["Hello", "m1"])


async def test_a_run_that_fails_raises_after_its_messages() -> None:
    script: list[Step] = [started(), answer("one", 2), ended(3, run_pb2.OUTCOME_FAILED, "no")]

    def work(client: Client) -> list[str]:
        found: list[str] = []
        with client.run("hi") as run, pytest.raises(RunFailedError):  # noqa: PT012
            for message in run.messages():
                found.append(message.content)  # noqa: PERF401 -- it raises
        return found

    assert await beside(ScriptedRunner(script), work) == ["one"]


async def test_an_ordinary_function_answers_from_a_thread_of_its_own() -> None:
    runner = ScriptedRunner([started(), asks(2), Answers(1), resolved(3), answer("sent", 4), ended(5)])

    def work(client: Client) -> str:
        def approve(asked: event_pb2.ApprovalRequested) -> bool:
            # The loop is free meanwhile: the same client can be used.
            return client.enqueue("other", asked.reason).message_id == "made"

        return str(client.chat("hi", approve=approve))

    assert await beside(runner, work) == "sent"
    assert len(runner.resolved) == 1


async def test_a_subscriber_in_one_thread_hears_what_another_sends() -> None:
    runner = ScriptedRunner()
    runner.of_run["r1"] = [SCRIPT, SCRIPT]

    def work(client: Client) -> list[str]:
        conversation = client.conversation()
        kinds: list[str] = []
        events = conversation.subscribe(["progress"])

        heard = threading.Event()

        def listen() -> None:
            for event in events:
                kinds.append(event.WhichOneof("payload"))
                if kinds[-1] == "completion":
                    heard.set()

        listener = threading.Thread(target=listen)
        listener.start()
        conversation.send("hi", request_id="r1")
        heard.wait(10)
        conversation.close()
        listener.join()
        return kinds

    kinds = await beside(runner, work)

    assert kinds == ["run_started", "text_delta", "message", "completion"]
