"""docs/edge_cases.md names only tests that exist, and says something of every edge case."""

import re

import pytest

from support import REPOSITORY

PAGE = REPOSITORY / "docs" / "edge_cases.md"
ROW = re.compile(r"^\| ([A-Z]+)-?(\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


@pytest.mark.may_block
def test_every_test_that_is_named_exists() -> None:
    named = set(TEST.findall(PAGE.read_text()))
    assert named
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not (file := REPOSITORY / "tests" / path).is_file()
        or not re.search(rf"^(async )?def {name}\(", file.read_text(), re.MULTILINE)
    ]
    assert missing == []


@pytest.mark.may_block
def test_every_row_says_something() -> None:
    for series, number, what, answer in ROW.findall(PAGE.read_text()):
        assert what.strip(), (series, number)
        assert TEST.search(answer) or answer.startswith(("our rule:", "later:", "not covered:")), (
            series,
            number,
        )


@pytest.mark.may_block
@pytest.mark.parametrize(("series", "last"), [("E", 82), ("A", 33), ("D", 50)])
def test_no_edge_case_is_missing(series: str, last: int) -> None:
    found = {int(number) for name, number, _, _ in ROW.findall(PAGE.read_text()) if name == series}
    gaps = {"D": {18, 19}}.get(series, set())
    assert found == set(range(1, last + 1)) - gaps
