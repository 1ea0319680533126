"""The benchmarks run. What they measure is no test's business."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.may_block
def test_the_stores_are_measured(tmp_path: Path) -> None:
    report = tmp_path / "stores.json"
    command = [sys.executable, "-m", "benchmarks.stores", "--stores", "sqlite", "--seconds", "0"]

    done = subprocess.run(
        [*command, "--json", str(report)], cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": "tests"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "| sqlite | append, 100 writers" in done.stdout
    assert {result["store"] for result in json.loads(report.read_text())["results"]} == {"sqlite"}
