"""SQLite against kill -9, in real processes."""

import subprocess
import sys
from pathlib import Path

from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.sessions import EventQuery
from runwire_server.storage.opener import open_store

CHILD = Path(__file__).parent / "appending_child.py"
ENOUGH = 60


def start(url: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(CHILD), url, name], stdout=subprocess.PIPE, text=True)


def kill_in_mid_work(child: subprocess.Popen[str]) -> int:
    """Let it work for a while, kill it, and return the last sequence that it was told is stored."""
    assert child.stdout is not None
    acknowledged = 0
    with child:
        for line in child.stdout:
            acknowledged = int(line)
            if acknowledged == ENOUGH:
                child.kill()
    # A last line may have been cut off by the kill; what was read whole was acknowledged.
    return acknowledged


async def check(url: str, name: str, acknowledged: int) -> None:
    async with open_store(url) as store:
        run = await store.get_run(RunKey("app", name))
        log = await store.list_run_events(run.key, after=0, limit=1_000_000)
        session = await store.get_session(SessionKey("app", "ann", name))
        said = await store.list_session_events(session.key, EventQuery(limit=1_000_000))

    assert acknowledged >= ENOUGH
    assert run.last_sequence >= acknowledged
    assert [event.sequence for event in log] == list(range(1, run.last_sequence + 1))
    assert [item.position for item in said] == list(range(1, run.last_sequence + 1))
    assert session.last_position == run.last_sequence
    assert session.state == {"count": run.last_sequence}


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"

    acknowledged = kill_in_mid_work(start(url, "r1"))

    await check(url, "r1", acknowledged)


async def test_two_processes_start_at_once_on_one_new_file_and_both_survive_kill_9(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    children = {name: start(url, name) for name in ("r1", "r2")}

    acknowledged = {name: kill_in_mid_work(child) for name, child in children.items()}

    for name, last in acknowledged.items():
        await check(url, name, last)
