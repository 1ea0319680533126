"""Commands that answer, steer and edit; what they show of runs that wait."""

import pytest
from cli_support import Command
from scripted import beside

from runwire.v1 import content_pb2, event_pb2, run_pb2
from unit.client.scripted_server import (
    ScriptedRunner,
    ScriptedSessions,
    answer,
    asks,
    ended,
    output,
    resolved,
    started,
    wants_outputs,
)

CALL = content_pb2.ToolCall(id="c1", name="send", arguments='{"to": "bob"}')


def test_an_approval_is_approved_with_other_arguments(command: Command) -> None:
    runner = ScriptedRunner()
    with beside(runner) as target:
        done = command(
            "approve", "r", "a1", "--arguments", '{"n": 1}', "--comment", "ok", "-u", "ann", "-t", target
        )

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("approved; the run is ")
    (sent,) = runner.resolved
    assert (sent.request_id, sent.approval_id, sent.arguments, sent.comment) == ("r", "a1", '{"n": 1}', "ok")
    assert (sent.decision, sent.decided_by) == (event_pb2.APPROVAL_DECISION_APPROVED, "ann")


def test_an_approval_is_denied(command: Command) -> None:
    runner = ScriptedRunner()
    with beside(runner) as target:
        done = command("deny", "r", "a1", "--comment", "no mail", "-t", target)

    assert (done.code, done.err) == (0, "")
    assert runner.resolved[0].decision == event_pb2.APPROVAL_DECISION_DENIED
    assert runner.resolved[0].comment == "no mail"


def test_outputs_and_messages_are_given(command: Command) -> None:
    runner = ScriptedRunner()
    with beside(runner) as target:
        given = command("outputs", "r", "c1=a=b", "c2=", "-t", target)
        said = command("enqueue", "r", "be quick", "--message-id", "m7", "-t", target)

    assert (given.code, given.err) == (0, "")
    assert [(each.tool_call_id, each.content) for each in runner.outputs[0].outputs] == [
        ("c1", "a=b"),
        ("c2", ""),
    ]
    assert (said.code, said.out) == (0, "m7  queued, 1\n")
    assert runner.enqueued[0].message.content == "be quick"


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", "r"),
        ("approve", "r", "a1", "--arguments", "{"),
        ("approve", "r", "a1", "--arguments", "[1]"),
        ("deny", "r"),
        ("outputs", "r"),
        ("outputs", "r", "c1"),
        ("outputs", "r", "=text"),
        ("outputs", "r", "c1=a", "c1=b"),
        ("enqueue", "r"),
        ("run",),
        ("run", "hi", "--resume", "--session", "s"),
        ("run", "--resume"),
        ("sessions", "truncate", "s"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_2(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1


def test_a_server_that_refuses_is_one_line_and_exit_2(command: Command) -> None:
    import grpc

    runner = ScriptedRunner()
    runner.refusals.append(grpc.StatusCode.FAILED_PRECONDITION)
    with beside(runner) as target:
        done = command("approve", "r", "a1", "-t", target)

    assert (done.code, done.out, done.err) == (2, "", "runwire: not now (FAILED_PRECONDITION)\n")


def test_a_run_is_resumed(command: Command) -> None:
    runner = ScriptedRunner([started(), answer("done", 2), ended(3)])
    with beside(runner) as target:
        done = command("run", "--resume", "--session", "s", "-t", target)

    assert (done.code, done.out) == (0, "done\n")
    assert runner.runs[0].resume
    assert not runner.runs[0].HasField("message")


def test_a_run_that_asks_says_how_to_answer_and_goes_on(command: Command) -> None:
    failed = event_pb2.Event(sequence=3)
    failed.plugin_error.plugin, failed.plugin_error.hook = "audit", "on_event"
    failed.plugin_error.error.message = "disk full"
    wants = wants_outputs(5, add='{"a": 1}')
    script = [
        started(),
        asks(2),
        failed,
        resolved(4),
        output("par", 0, after=4),
        output("tial", 3, after=4),
        wants,
        answer("ok", 6),
        ended(7),
    ]
    with beside(ScriptedRunner(script)) as target:
        done = command("run", "hi", "--request-id", "r", "-t", target)

    assert done.code == 0
    assert done.out.splitlines() == [
        '? may send({"to": "bob"}) be called? (it is mail)',
        "  runwire approve r a1   or   runwire deny r a1",
        "! plugin audit failed in on_event: disk full",
        "approved",
        "partial",
        '? the run waits for the output of add({"a": 1})',
        "  runwire outputs r add=TEXT",
        "ok",
    ]


def waiting() -> run_pb2.Run:
    run = run_pb2.Run(request_id="r", state=run_pb2.RUN_STATE_WAITING, queued_message_count=2)
    run.pending.add(approval_id="a1", tool_call=CALL, reason="it is mail")
    run.pending.add(tool_call=content_pb2.ToolCall(id="c2", name="add", arguments="{}"))
    run.wait_expire_time.seconds = 1_800_000_000
    return run


def test_status_shows_what_a_run_waits_for(command: Command) -> None:
    runner = ScriptedRunner()
    runner.known.append(waiting())
    with beside(runner) as target:
        done = command("status", "r", "-t", target)

    lines = done.out.splitlines()
    assert done.code == 0
    assert "state    waiting" in lines
    assert "queued   2" in lines
    assert 'approval a1: send({"to": "bob"}) (it is mail)' in lines
    assert "outputs  c2: add({})" in lines


def test_runs_shows_what_they_wait_for_and_survives_states_of_a_newer_server(command: Command) -> None:
    runner = ScriptedRunner()
    odd = run_pb2.Run(request_id="odd", state=77)  # type: ignore[arg-type]
    runner.known.extend([waiting(), odd])
    with beside(runner) as target:
        done = command("runs", "-t", target)

    first, second = done.out.splitlines()
    assert done.code == 0
    assert first.startswith("r  waiting")
    assert first.endswith("waits for send a1, add c2")
    assert second.startswith("odd  77")


def test_a_session_is_truncated(command: Command) -> None:
    sessions = ScriptedSessions()
    with beside(ScriptedRunner(), sessions) as target:
        done = command("sessions", "truncate", "s", "e5", "-t", target)

    assert (done.code, done.out) == (0, "3 events deleted\n")
    assert sessions.asked[0].event_id == "e5"
