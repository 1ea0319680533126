"""What each client's own tools say of it: format, linter, and its tests of what needs no server."""

import os
import subprocess
from pathlib import Path

import pytest

from support import REPOSITORY

CHECKS = sorted((REPOSITORY / "clients").glob("*/check"))
CHECK_SECONDS = 1500.0

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda path: path.parent.name)
def test_a_package_is_in_order(check: Path) -> None:
    done = subprocess.run(
        [check],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
        check=False,
    )
    if done.returncode == 3 and os.environ.get("CI") != "true":
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
