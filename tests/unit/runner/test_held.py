"""Answers that are stored together with the run's end."""

import asyncio
from typing import Any

import pytest

from runwire_server.agents.agent import AgentContext
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, Usage
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.mail import QueuedMessage
from runwire_server.domain.runs import Outcome
from runwire_server.domain.streams import StreamOptions
from runwire_server.runner import held
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append
from unit.runner.conftest import Bench, each, objects
from unit.runner.test_runner import FunctionAgent, completion

ANSWER = Message(Role.ASSISTANT, "done")
SAID = ev.MessagePayload("m1", ANSWER, finish_reason="stop", usage=Usage(1, 0, 2, 0, 3, 1))


async def answer(context: AgentContext) -> Message:
    assert await context.output.emit(SAID, may_wait=True) == SAID
    assert context.output.run.usage.total_tokens == 3
    return ANSWER


@pytest.fixture
def appends(monkeypatch: pytest.MonkeyPatch) -> list[Append]:
    """What is appended."""
    seen: list[Append] = []
    real = MemoryStore.append

    async def append(self: MemoryStore, write: Append) -> None:
        seen.append(write)
        await real(self, write)

    monkeypatch.setattr(MemoryStore, "append", append)
    return seen


def names(write: Append) -> list[str]:
    return [event.object for event in write.events]


async def test_an_answer_and_the_end_are_one_write(
    bench: Bench, appends: list[Append], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "_HOLD_SECONDS", 5.0)
    bench.serve(FunctionAgent(answer))

    events = await bench.run()

    assert objects(events) == ["runner.start", "chat.completion", "runner.completion"]
    assert [names(write) for write in appends] == [objects(events)[:1], objects(events)[1:]]
    assert completion(events).usage.total_tokens == 3


async def test_an_answer_does_not_wait_for_long(bench: Bench) -> None:
    gate = asyncio.Event()

    async def work(context: AgentContext) -> Message:
        await answer(context)
        await gate.wait()
        return ANSWER

    bench.serve(FunctionAgent(work))
    started = await bench.start()

    async with asyncio.timeout(5):
        async for event in each(bench.watching.follow_started(started, StreamOptions())):
            if event.object == "chat.completion":
                gate.set()
        assert gate.is_set()


async def test_a_run_that_is_cancelled_has_its_answer_once(bench: Bench) -> None:
    async def work(context: AgentContext) -> Message:
        context.output.partial(ev.TextDelta("m1", "done"))
        await answer(context)
        raise asyncio.CancelledError

    bench.serve(FunctionAgent(work))

    events = await bench.run(options={"keep_interrupted_text": True})

    assert objects(events).count("chat.completion") == 1
    assert completion(events).usage.total_tokens == 3


async def test_what_was_said_meanwhile_comes_after_the_answer(bench: Bench) -> None:
    calls = 0

    async def work(context: AgentContext) -> Message:
        nonlocal calls
        calls += 1
        if calls > 1:
            return Message(Role.ASSISTANT, "again")
        await answer(context)
        # Another replica took the message: nobody tells this one.
        run = await bench.store.get_run(context.run.key)
        mail = run.mail.with_message(QueuedMessage("q", Message(Role.USER, "more")))
        await bench.store.set_mail(run.key, mail, version=run.mail.version)
        return ANSWER

    bench.serve(FunctionAgent(work))

    events = await bench.run()

    said = [e.payload.message.content for e in events if isinstance(e.payload, ev.MessagePayload)]
    assert said == ["done", "more", "again"]
    assert completion(events).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_write_without_an_answer_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    real, tries = MemoryStore.append, 0

    async def append(self: Any, write: Append) -> None:
        nonlocal tries
        tries += 1
        if tries == 2 and is_done:
            await real(self, write)
        if tries == 2:
            raise UnavailableError("no answer")
        await real(self, write)

    monkeypatch.setattr(MemoryStore, "append", append)
    bench.serve(FunctionAgent(answer))

    events = await bench.run()

    assert objects(events) == ["runner.start", "chat.completion", "runner.completion"]
    assert completion(events).usage.total_tokens == 3
