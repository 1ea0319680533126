"""The command line in this process: what it prints, and its exit code."""

import io
import sys
from pathlib import Path

import pytest
from cli_support import Command, Done

from runwire_server.cli.commands import app
from runwire_server.cli.failures import run_command


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Command:
    """Run `runwire` with these arguments in an empty directory; `stdin` is what it reads."""
    monkeypatch.chdir(tmp_path)
    for name in ("RUNWIRE_STORE", "RUNWIRE_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, stdin: str | bytes = "") -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "argv", ["runwire", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capfdbinary.readouterr()  # what servers said that were started for the test
        code = run_command(app)
        sys.stdout.flush()
        captured = capfdbinary.readouterr()
        return Done(code, captured.out.decode(), captured.err.decode())

    return run
