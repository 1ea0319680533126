"""Every scenario, in every language. See README.md."""

from pathlib import Path

import pytest

from clients.conftest import Drivers
from clients.driving import LANGUAGES
from clients.scenario import SCENARIOS, play
from clients.serving import Servers

# The first test of a language builds its driver.
pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", LANGUAGES)
def test_scenario(language: str, scenario: Path, drivers: Drivers, servers: Servers, tmp_path: Path) -> None:
    play(scenario, drivers.get(language), servers, tmp_path)
