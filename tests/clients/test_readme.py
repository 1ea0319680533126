"""The README's sessions with grpcurl and buf curl, typed as they stand there, against a server."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.driving import run_tool
from clients.serving import Desk
from runwire.v1 import run_pb2
from runwire.v1 import runner_service_pb2 as pb
from support import REPOSITORY, child_environment, server_process

COMMAND_SECONDS = 60.0
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# What a person has to fill in: ids that are in what an earlier command printed.
_PLACEHOLDERS = {"008af8e9…": "a1", "call_295b87ae20b7": "c1"}

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(600)]


def commands() -> Iterator[str]:
    """Yield the commands of the README's console blocks, in order, with their comments."""
    for block in re.findall(r"^```console\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        yield from (command.strip() for command in re.split(r"^\$ ", block, flags=re.MULTILINE) if command)


def is_typed(command: str) -> bool:
    """Whether the command is one of these sessions, or makes the run that one of them is about."""
    is_start = re.match(r"\.venv/bin/runwire run .*--detach|\.venv/bin/runwire run .*--session s\b", command)
    return command.startswith(("grpcurl ", "rw ")) or bool(is_start)


class Terminal:
    """A shell beside a server."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._address = address
        self._left: list[subprocess.Popen[str]] = []
        (folder / "rw").write_text('#!/bin/sh\nexec buf curl --protocol grpc --http2-prior-knowledge "$@"\n')
        (folder / "rw").chmod(0o755)
        tools = [folder, REPOSITORY / ".tools/grpcurl", REPOSITORY / ".tools/codegen/bin"]
        path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])
        self._environment = child_environment(PATH=path, RUNWIRE_TARGET=address, RUNWIRE_USER="u")

    def type(self, command: str) -> str:
        """Type it, and return what it prints. One that the README leaves or breaks off is left, or broken off."""
        comment = command.rpartition(" # ")[2] if " # " in command else ""
        script = command.replace("localhost:50051", self._address)
        script = script.replace(".venv/bin/runwire", f"{sys.executable} -m runwire")
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        if "another terminal" in comment:
            self._left.append(process)
            return ""
        if "Ctrl-C" in comment:
            assert process.stdout is not None
            said = process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=COMMAND_SECONDS)
            return said
        said, _ = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode == 0, f"{command}\n{said}"
        return said

    def close(self) -> None:
        for process in self._left:
            process.communicate(timeout=COMMAND_SECONDS)
            assert process.returncode == 0


def filled_in(command: str, desk: Desk) -> str:
    """Put the ids in that a person would copy from what an earlier command printed."""
    for placeholder, request_id in _PLACEHOLDERS.items():
        if placeholder in command:
            question = desk.until(request_id, lambda run: bool(run.pending)).pending[0]
            command = command.replace(placeholder, question.approval_id or question.tool_call.id)
    return command


@pytest.fixture(scope="session")
def grpcurl() -> None:
    """Build it when it is not there."""
    run_tool(REPOSITORY / "tools/grpcurl", "-version")


@pytest.mark.usefixtures("grpcurl")
def test_the_sessions_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    assert shutil.which("bash")
    with server_process(cwd=tmp_path) as server, Desk(server.address) as desk:
        terminal = Terminal(tmp_path, server.address)
        said = {}
        for command in filter(is_typed, commands()):
            said[command] = terminal.type(filled_in(command, desk))
        desk.runner.SubmitToolOutputs(_outputs(desk), timeout=10)
        terminal.close()

        texts = [text for command, text in said.items() if "25*4" in command]
        assert len(texts) == 2
        assert all('"25*4 = 100."' in text for text in texts)
        # On a slow machine the report may be written before anyone has typed so much.
        has_cancelled = any(
            '"changed": true' in text for command, text in said.items() if "/Cancel" in command
        )
        state = run_pb2.RUN_STATE_CANCELLED if has_cancelled else run_pb2.RUN_STATE_COMPLETED
        assert desk.ended("r1").state == state
        assert any("hello" in event.approval_resolved.arguments for event in desk.log("a1"))
        assert desk.ended("c1").state == run_pb2.RUN_STATE_COMPLETED


def _outputs(desk: Desk) -> pb.SubmitToolOutputsRequest:
    """Answer what c1 asks."""
    call = desk.until("c1", lambda run: bool(run.pending)).pending[0].tool_call
    request = pb.SubmitToolOutputsRequest(request_id="c1")
    request.outputs.add(tool_call_id=call.id, tool_name=call.name, content="12:00")
    return request
