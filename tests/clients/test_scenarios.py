"""Every scenario, in every language. See README.md."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clients.conftest import Drivers
from clients.driving import LANGUAGES
from clients.scenario import SCENARIOS, play
from clients.serving import Servers

# A scenario mostly waits, so some languages play it at the same time. More would wait for the machine.
_AT_ONCE = 3

# The first test of a language builds its driver.
pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1800)]


class Stage:
    """What became of each scenario in each language that was asked for."""

    def __init__(
        self, request: pytest.FixtureRequest, drivers: Drivers, servers: Servers, folder: Path
    ) -> None:
        self._items = request.session.items
        self._drivers = drivers
        self._servers = servers
        self._folder = folder
        self._outcomes: dict[Path, dict[str, BaseException | None]] = {}

    def outcome(self, scenario: Path, language: str) -> BaseException | None:
        """Have all languages play the scenario, unless they have. Return what went wrong in this one."""
        if scenario not in self._outcomes:
            languages = [asked["language"] for asked in self._asked() if asked.get("scenario") == scenario]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                played = pool.map(lambda language: self._played(scenario, language), languages)
                self._outcomes[scenario] = dict(zip(languages, played, strict=True))
        return self._outcomes[scenario][language]

    def _asked(self) -> list[dict[str, Any]]:
        return [item.callspec.params for item in self._items if hasattr(item, "callspec")]

    def _played(self, scenario: Path, language: str) -> BaseException | None:
        folder = self._folder / f"{scenario.stem}-{language}"
        folder.mkdir()
        try:
            play(scenario, self._drivers.get(language), self._servers, folder)
        except BaseException as error:
            return error
        return None


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest,
    drivers: Drivers,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stage:
    return Stage(request, drivers, servers, tmp_path_factory.mktemp("scenarios"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", LANGUAGES)
def test_scenario(language: str, scenario: Path, stage: Stage) -> None:
    if (error := stage.outcome(scenario, language)) is not None:
        raise error
