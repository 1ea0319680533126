"""Several processes on one store: none loses what another writes, and kill -9 loses nothing that was acknowledged.

EVENTS and KILLS say how much of it; what CI does takes a minute for all stores.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from integration.writing_child import KEEP_ALL, KEY
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from servers.shared import STORES, empty_url

HERE = Path(__file__).parent
PROCESSES, WRITERS = 4, 16
EVENTS = int(os.environ.get("EVENTS", "2000"))
KILLS = int(os.environ.get("KILLS", "10"))
AT_ONCE = 5

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(900)]


@pytest.fixture(params=[kind for kind in STORES if kind != "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store that processes can share."""
    with empty_url(request.param, tmp_path) as made:
        yield made


def child(script: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_writers_of_many_processes_share_a_session(url: str) -> None:
    each = -(-EVENTS // (PROCESSES * WRITERS))
    total = each * PROCESSES * WRITERS
    async with open_store(url, retention=KEEP_ALL) as store:
        await store.create_session(KEY, {}, datetime.now(UTC))
    with ExitStack() as stack:
        children = [
            stack.enter_context(child("writing_child.py", url, f"p{n}", str(WRITERS), str(each)))
            for n in range(PROCESSES)
        ]
        for one in children:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in children:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        assert [one.wait(600) for one in children] == [0] * PROCESSES

    async with open_store(url, retention=KEEP_ALL) as store:
        found = await store.list_session_events(KEY, EventQuery(limit=1_000_000))
        session = await store.get_session(KEY)
        user = await store.get_state(KEY, Tier.USER)
    names = [f"p{process}.{writer}" for process in range(PROCESSES) for writer in range(WRITERS)]
    assert [item.position for item in found] == list(range(1, total + 1))
    by_author: dict[str, list[str]] = {}
    for item in found:
        by_author.setdefault(item.event.author, []).append(item.event.id)
    # Each writer's events are there, in its own order.
    assert by_author == {name: [f"{name}.{number}" for number in range(each)] for name in names}
    assert (session.event_count, session.last_position) == (total, total)
    assert session.state["all"] == dict.fromkeys(names, each - 1)
    assert all(session.state[f"last:{name}"] == each - 1 for name in names)
    assert user == dict.fromkeys(names, each - 1)


def kill_in_mid_work(children: dict[str, subprocess.Popen[str]]) -> dict[str, int]:
    """Kill each at some moment of its work, and return the last sequences that they were told are stored."""
    for one in children.values():
        assert one.stdout is not None
        one.stdout.readline()
    last: dict[str, int] = {}
    for name, one in children.items():
        time.sleep(random.Random(name).uniform(0, 0.02))
        one.kill()
        # A last line may have been cut off by the kill; what was read whole was acknowledged.
        assert one.stdout is not None
        lines = [line for line in one.stdout.read().split("\n")[:-1] if line]
        last[name] = int(lines[-1]) if lines else 3
        one.wait(10)
        one.stdout.close()
        assert one.stdin is not None
        one.stdin.close()
    return last


async def test_what_was_acknowledged_survives_kill_9(url: str) -> None:
    for round_ in range(-(-KILLS // AT_ONCE)):
        names = [f"r{round_}.{number}" for number in range(AT_ONCE)]
        acknowledged = kill_in_mid_work({name: child("appending_child.py", url, name) for name in names})

        async with open_store(url) as store:
            for name, last in acknowledged.items():
                run = await store.get_run(RunKey("app", name))
                log = await store.list_run_events(run.key, after=0, limit=1_000_000)
                session = await store.get_session(SessionKey("app", "ann", name))
                said = await store.list_session_events(session.key, EventQuery(limit=1_000_000))

                assert run.last_sequence >= last
                assert [event.sequence for event in log] == list(range(1, run.last_sequence + 1))
                assert said[-1].position == session.last_position == run.last_sequence
                assert all(two.position == one.position + 1 for one, two in pairwise(said))
                assert session.state == {"count": run.last_sequence}
