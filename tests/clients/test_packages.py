"""What each client's own tools say of it: format, linter, and its tests of what needs no server."""

from pathlib import Path

import pytest

from clients.driving import run_tool
from support import REPOSITORY

CHECKS = sorted((REPOSITORY / "clients").glob("*/check"))

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda path: path.parent.name)
def test_a_package_is_in_order(check: Path) -> None:
    run_tool(check)
