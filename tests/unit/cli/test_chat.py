"""A conversation at the terminal: questions, steering, and Ctrl-C while it asks."""

import asyncio
import os
from collections.abc import Callable

import pytest

from runwire import Client
from runwire.v1 import event_pb2, run_pb2
from runwire_server.cli.chat import Chat
from runwire_server.cli.lines import Lines
from unit.client.scripted_server import (
    Answers,
    Hang,
    ScriptedRunner,
    Step,
    answer,
    asks,
    ended,
    resolved,
    serving,
    started,
)

ASKING: list[Step] = [started(), asks(2), Answers(1), resolved(3), answer("sent", 4), ended(5)]


async def chat(runner: ScriptedRunner, typed: str, later: Callable[[int], object] | None = None) -> None:
    """Type that, and the end of input, unless `later` types it."""
    reading, writing = os.pipe()
    try:
        os.write(writing, typed.encode())
        async with asyncio.timeout(30), serving(runner) as address, Client(address, user_id="u") as client:
            talk = Chat(client, "", "", Lines(reading)).talk()
            if later is None:
                os.close(writing)
                await talk
            else:
                await asyncio.gather(talk, asyncio.to_thread(later, writing))
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("typed", "decision", "arguments", "comment"),
    [
        ("y\n", event_pb2.APPROVAL_DECISION_APPROVED, "", ""),
        ("perhaps\nYES\n", event_pb2.APPROVAL_DECISION_APPROVED, "", ""),
        ("n not him\n", event_pb2.APPROVAL_DECISION_DENIED, "", "not him"),
        ("\n", event_pb2.APPROVAL_DECISION_DENIED, "", ""),
        ("", event_pb2.APPROVAL_DECISION_DENIED, "", ""),
        ('e\n[1]\ne {"to": "eve"}\n', event_pb2.APPROVAL_DECISION_APPROVED, '{"to": "eve"}', ""),
        ('e\n{"to": "eve"}\n', event_pb2.APPROVAL_DECISION_APPROVED, '{"to": "eve"}', ""),
    ],
)
async def test_the_person_is_asked(
    typed: str, decision: int, arguments: str, comment: str, capfd: pytest.CaptureFixture[str]
) -> None:
    runner = ScriptedRunner(ASKING)
    await chat(runner, f"write to bob\n{typed}")

    (sent,) = runner.resolved
    assert (sent.decision, sent.arguments, sent.comment) == (decision, arguments, comment)
    out = capfd.readouterr().out
    assert '? may send({"to": "bob"}) be called? (it is mail)' in out
    assert "runwire approve" not in out
    assert out.endswith("sent\n")


async def test_cancel_ends_the_question_too(capfd: pytest.CaptureFixture[str]) -> None:
    cancelled = ended(3, run_pb2.OUTCOME_CANCELLED)
    runner = ScriptedRunner([started(), asks(2), Answers(1), cancelled])

    def later(descriptor: int) -> None:
        import time

        while not runner.runs:
            time.sleep(0.01)
        os.write(descriptor, b"/cancel\n/exit\n")
        os.close(descriptor)

    await chat(runner, "write to bob\n", later)

    assert runner.resolved == []
    assert len(runner.cancels) == 1
    assert "the run ended cancelled" in capfd.readouterr().err


async def test_steer_says_something_to_the_run_at_work() -> None:
    runner = ScriptedRunner([started(), Answers(1), answer("shorter", 2), ended(3)])

    def later(descriptor: int) -> None:
        import time

        while not runner.runs:
            time.sleep(0.01)
        os.write(descriptor, b"/steer be brief\n/exit\n")
        os.close(descriptor)

    await chat(runner, "tell me\n", later)

    assert [each.message.content for each in runner.enqueued] == ["be brief"]


async def test_steering_when_nothing_runs_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    await chat(ScriptedRunner([Hang()]), "/steer hurry\n")

    assert capfd.readouterr().out == "nothing is running\n"
