"""A long run whose connection is cut 100 times, at random: nothing is missing, nothing comes twice."""

import os
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clients.conftest import Drivers
from clients.driving import LANGUAGES, Driver
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


class Run:
    """A long run, read by one driver over a connection that breaks."""

    def __init__(self, driver: Driver, servers: Servers) -> None:
        self.driver = driver
        self.servers = servers
        self.request_id = f"cuts-{uuid.uuid4().hex}"
        self.relay = Relay(servers.address)
        self.items: list[dict[str, Any]] = []
        self.done: dict[str, Any] = {}

    def play(self) -> None:
        cutting = Cutting(self.relay, seed=100)
        request = run_request("keep looking 0.02", request_id=self.request_id)
        request.options.max_llm_calls = 1000

        def cut_then_end() -> None:
            cutting.run()
            with Desk(self.servers.address) as desk:
                desk.enqueue(self.request_id, "enough")

        def on_item(item: dict[str, Any]) -> None:
            self.items.append(item)
            cutting.note()

        cutter = threading.Thread(target=cut_then_end)
        cutter.start()
        try:
            command = {
                "op": "run",
                "target": self.relay.address,
                "read": "events",
                "request": encoded(request),
            }
            self.done = self.driver.play(command, on_item)
        finally:
            cutting.end()
            cutter.join(WAIT_SECONDS * 2)
            self.relay.close()


@pytest.fixture(scope="module")
def runs(drivers: Drivers, servers: Servers) -> dict[str, Any]:
    """What became of the run in each language. They go on at the same time: a run takes most of a minute."""

    def played(driver: Driver) -> Run | BaseException:
        run = Run(driver, servers)
        try:
            run.play()
        except BaseException as error:
            return error
        return run

    found: dict[str, Any] = {}
    for language in LANGUAGES:
        try:
            found[language] = drivers.get(language)
        except pytest.skip.Exception as error:
            found[language] = error
    with ThreadPoolExecutor(len(found)) as pool:
        return {
            language: made if isinstance(made, BaseException) else pool.submit(played, made)
            for language, made in found.items()
        }


@pytest.mark.parametrize("language", LANGUAGES)
def test_cuts(language: str, runs: dict[str, Any], servers: Servers) -> None:
    run = runs[language]
    if isinstance(run, BaseException):
        raise run
    if isinstance(run := run.result(), BaseException):
        raise run

    step = {"request": {"requestId": run.request_id}}
    expected = {"whole": True, "text": "That is enough 🦊 done. ", "outcome": "COMPLETED"}
    with Desk(servers.address) as desk:
        check(expected, step, run.items, run.done, desk)
    assert run.relay.cuts == CUTS
