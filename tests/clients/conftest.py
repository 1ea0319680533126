"""Fixtures of the clients' tests, and the table of their results."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.driving import LANGUAGES, Driver, build
from clients.serving import Servers

_RESULT = pytest.StashKey[dict[str, dict[str, str]]]()
_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The server that all scenarios share which leave it alone."""
    with Servers(tmp_path_factory.mktemp("shared")) as shared:
        yield shared


class Drivers:
    """The drivers, each built and started when it is first needed, and again when it has ended."""

    def __init__(self) -> None:
        self._running: dict[str, Driver] = {}
        self._built: set[str] = set()

    def get(self, language: str) -> Driver:
        if language not in self._built:
            build(language)
            self._built.add(language)
        driver = self._running.get(language)
        if driver is None or not driver.is_alive:
            driver = self._running[language] = Driver(language)
        return driver

    def close(self) -> None:
        for driver in self._running.values():
            driver.close()


@pytest.fixture(scope="session")
def drivers() -> Iterator[Drivers]:
    made = Drivers()
    yield made
    made.close()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULT] = defaultdict(dict)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    callspec = getattr(item, "callspec", None)
    if callspec is None or "language" not in callspec.params:
        return
    if report.when == "call" or report.outcome != "passed":
        row = callspec.params.get("scenario") or item.originalname.removeprefix("test_")
        name = row.stem if isinstance(row, Path) else str(row)
        item.config.stash[_RESULT][name][callspec.params["language"]] = _MARKS[report.outcome]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(_RESULT, {})
    if not rows:
        return
    width = max(map(len, rows))
    terminalreporter.section("clients")
    terminalreporter.write_line(f"{'':{width}}  " + "  ".join(f"{name:14}" for name in LANGUAGES))
    for name, results in rows.items():
        cells = "  ".join(f"{results.get(language, '-'):14}" for language in LANGUAGES)
        terminalreporter.write_line(f"{name:{width}}  {cells}")
