"""The examples, run as a user would: the approvals app, and the client beside it."""

import subprocess
import sys

import pytest

from runwire import Client
from runwire.v1 import run_pb2
from support import REPOSITORY, child_environment, server_process

pytestmark = pytest.mark.may_block
FOLDER = REPOSITORY / "examples" / "approvals"
MEMORY = {"RUNWIRE_STORE": "memory:"}


def run_client(address: str, answer: str) -> str:
    done = subprocess.run(
        [sys.executable, "client.py", address],
        cwd=FOLDER,
        env=child_environment(),
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_client_answers_what_its_runs_ask() -> None:
    with server_process("app:app", cwd=FOLDER, **MEMORY) as server:
        approved = run_client(server.address, "y\n")
        denied = run_client(server.address, "n\n")

    assert "clock says: 2" in approved
    assert "bob will read it. Approve?" in approved
    assert "send_message says: sent to bob: hi -- written by an agent" in approved
    assert "The tool send_message failed: asked at the terminal." in denied


async def test_the_app_allows_denies_redacts_and_stops() -> None:
    with server_process("app:app", cwd=FOLDER, **MEMORY) as server:
        async with Client(server.address, user_id="ann") as client:
            refused = await client.chat("send a message to everyone: hi")
            redacted = await client.chat(
                "send a message to ann: 1234 5678 1234 5678", options={"plugins": ["redaction"]}
            )
            for _ in range(2):
                await client.chat("send a message to ann: hi")
            async with client.run("send a message to ann: hi") as run:
                last = await run.result()

    assert "messages to everyone are not allowed" in refused
    assert "sent to ann: [redacted card] -- written by an agent" in redacted
    assert (last.outcome, last.stop_reason) == (run_pb2.OUTCOME_COMPLETED, "stop_error")
    assert last.error.message == "3 messages are enough"
