"""The client without `await`, from a thread that has no event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from scripted_server import Hang, ScriptedRunner, Step, answer, delta, ended, serving, started

from runwire import CallError
from runwire.sync import Client

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
