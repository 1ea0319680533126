"""A long run whose connection is cut 100 times, at random: nothing is missing, nothing comes twice."""

import os
import random
import threading
import uuid
from typing import Any

import pytest

from clients.conftest import Drivers
from clients.driving import LANGUAGES
from clients.expecting import check
from clients.relay import Relay
from clients.scenario import encoded
from clients.serving import Desk, Servers
from support import run_request

CUTS = int(os.environ.get("CUTS", "100"))
WAIT_SECONDS = 30.0

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1800)]


class Cutting:
    """Cuts a connection again and again, each time after something came over it, and some time."""

    def __init__(self, relay: Relay, seed: int) -> None:
        self._relay = relay
        self._random = random.Random(seed)
        self._has_news = threading.Event()
        self._is_over = threading.Event()

    def note(self) -> None:
        self._has_news.set()

    def run(self) -> None:
        for _ in range(CUTS):
            self._has_news.clear()
            if not self._has_news.wait(WAIT_SECONDS) or self._is_over.wait(self._random.uniform(0, 0.1)):
                return
            self._relay.cut()

    def end(self) -> None:
        self._is_over.set()
        self._has_news.set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("read", ["events"])
def test_cuts(language: str, read: str, drivers: Drivers, servers: Servers) -> None:
    driver = drivers.get(language)
    request_id = f"cuts-{uuid.uuid4().hex}"
    request = run_request("keep looking 0.02", request_id=request_id)
    request.options.max_llm_calls = 1000
    relay = Relay(servers.address)
    cutting = Cutting(relay, seed=100)
    items: list[dict[str, Any]] = []

    def cut_then_end() -> None:
        cutting.run()
        with Desk(servers.address) as desk:
            desk.enqueue(request_id, "enough")

    def on_item(item: dict[str, Any]) -> None:
        items.append(item)
        cutting.note()

    cutter = threading.Thread(target=cut_then_end)
    cutter.start()
    try:
        command = {"op": "run", "target": relay.address, "read": read, "request": encoded(request)}
        done = driver.play(command, on_item)
    finally:
        cutting.end()
        cutter.join(WAIT_SECONDS * 2)
        relay.close()

    step = {"request": {"requestId": request_id}}
    with Desk(servers.address) as desk:
        check(
            {"whole": True, "text": "That is enough 🦊 done. ", "outcome": "COMPLETED"},
            step,
            items,
            done,
            desk,
        )
    assert relay.cuts == CUTS
