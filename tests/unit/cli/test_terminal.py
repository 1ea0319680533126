"""`runwire run` on a terminal: it asks, and the person answers."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from scripted import beside

from runwire.v1 import event_pb2
from support import child_environment
from unit.client.scripted_server import Answers, ScriptedRunner, answer, asks, ended, resolved, started


@pytest.mark.parametrize(
    ("typed", "decision"),
    [
        (b"y\n", event_pb2.APPROVAL_DECISION_APPROVED),
        (b"n\n", event_pb2.APPROVAL_DECISION_DENIED),
        (b"\x04", event_pb2.APPROVAL_DECISION_DENIED),
    ],
    ids=["yes", "no", "end of input"],
)
def test_a_run_on_a_terminal_asks(typed: bytes, decision: int, tmp_path: Path) -> None:
    runner = ScriptedRunner([started(), asks(2), Answers(1), resolved(3), answer("sent", 4), ended(5)])
    ours, theirs = pty.openpty()
    with beside(runner) as target:
        command = [sys.executable, "-m", "runwire", "run", "write to bob", "-t", target]
        process = subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.PIPE, cwd=tmp_path, env=child_environment()
        )
        os.close(theirs)
        os.write(ours, typed)
        out, _ = process.communicate(timeout=60)
        os.close(ours)

    assert process.returncode == 0
    assert runner.resolved[0].decision == decision
    assert b'? may send({"to": "bob"}) be called? (it is mail)\napprove? y/N/e' in out
    assert out.endswith(b"sent\n")
