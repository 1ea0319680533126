"""What SQLite does beyond the contract: group commit, one writer, several processes."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from runwire_server.domain import events as ev
from runwire_server.domain.errors import FencedError, UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.retention import Retention
from runwire_server.domain.runs import Run, RunState
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Append, Store
from runwire_server.storage.sql.append import append_all
from runwire_server.storage.sql.migrate import migrate
from runwire_server.storage.sql.open_sql import beginning, prepare_sqlite
from runwire_server.storage.sql.sqlite import SqliteDatabase
from runwire_server.storage.sql.store import SqlStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OWNER = ReplicaId("me")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[tuple[SqlStore, SqliteDatabase]]:
    """A store, and its database to look into."""
    await asyncio.to_thread(prepare_sqlite, path, migrate)
    transaction = beginning(Retention(), lambda: 0.0)
    database = await SqliteDatabase.open(
        path, lambda connection, writes: append_all(transaction(connection), writes), **options
    )
    store = SqlStore("sqlite", database, Retention(), transaction)
    try:
        yield store, database
    finally:
        await store.close()


@asynccontextmanager
async def busy_writer(database: SqliteDatabase) -> AsyncIterator[None]:
    """Keep the writer's thread in a commit of its own until the block ends, so that what is written gathers."""
    is_busy, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(_connection: Any) -> None:
        loop.call_soon_threadsafe(is_busy.set)
        may_end.wait(10)

    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(work))
        async with asyncio.timeout(10):
            await is_busy.wait()
        try:
            yield
            # Tasks that were started in the block submit their writes now.
            await asyncio.sleep(0)
        finally:
            may_end.set()


async def claimed(store: Store, name: str) -> Run:
    session = SessionKey("app", "ann", name)
    await store.get_or_create_session(session, {}, NOW)
    run = Run(
        key=RunKey("app", name), session=session, agent_name="a", state=RunState.QUEUED, create_time=NOW
    )
    await store.create_run(run)
    taken = await store.claim_run(run.key, OWNER, attempt=0, now=NOW)
    assert taken is not None
    return taken


def step(run: Run, data: dict[str, Any] | None = None, count: int = 1) -> Append:
    events = tuple(
        ev.Event(
            request_id=run.key.request_id,
            sequence=run.last_sequence + place,
            create_time=NOW,
            author="a",
            payload=ev.Custom("n", data or {}),
            id=f"e{run.last_sequence + place}",
        )
        for place in range(1, count + 1)
    )
    following = replace(run, last_sequence=run.last_sequence + count)
    return Append(run=following, after=run.last_sequence, events=events, session_events=events)


async def sequences(store: Store, run: Run) -> list[int]:
    return [event.sequence for event in await store.list_run_events(run.key, after=0, limit=10_000)]


async def test_appends_that_come_during_a_commit_go_into_the_next_one(path: Path) -> None:
    async with opened(path) as (store, database):
        runs = [await claimed(store, f"r{n}") for n in range(50)]
        before = database.commit_count

        async with asyncio.TaskGroup() as group, busy_writer(database):
            for run in runs:
                group.create_task(store.append(step(run, count=3)))

        assert database.commit_count - before == 2  # the busy one, and all appends
        for run in runs:
            assert await sequences(store, run) == [1, 2, 3]


async def test_appends_of_one_run_may_share_a_commit(path: Path) -> None:
    async with opened(path) as (store, database):
        run = await claimed(store, "r")
        before = database.commit_count

        async with asyncio.TaskGroup() as group, busy_writer(database):
            following = run
            for _ in range(5):
                write = step(following, count=2)
                group.create_task(store.append(write))
                following = write.run

        assert database.commit_count - before == 2
        assert await sequences(store, run) == list(range(1, 11))
        assert (await store.get_session(run.session)).last_position == 10


async def test_a_refused_append_fails_alone(path: Path) -> None:
    async with opened(path) as (store, database):
        runs = [await claimed(store, f"r{n}") for n in range(4)]
        writes = [step(run) for run in runs]
        writes[1] = replace(writes[1], after=7)
        writes[2] = step(replace(runs[2], attempt=9))

        async with busy_writer(database):
            results = asyncio.gather(*(store.append(write) for write in writes), return_exceptions=True)

        assert [type(result) for result in await results] == [
            type(None),
            FencedError,
            FencedError,
            type(None),
        ]
        assert [await sequences(store, run) for run in runs] == [[1], [], [], [1]]


async def test_an_append_that_cannot_be_encoded_fails_alone(path: Path) -> None:
    async with opened(path) as (store, database):
        runs = [await claimed(store, f"r{n}") for n in range(3)]
        writes = [step(run) for run in runs]
        writes[0] = step(runs[0], {"what": object()})
        writes[1] = replace(writes[1], state_delta={"what": "\ud800"})

        async with busy_writer(database):
            results = asyncio.gather(*(store.append(write) for write in writes), return_exceptions=True)

        first, second, third = await results
        assert isinstance(first, ValueError)
        assert isinstance(second, ValueError)
        assert third is None
        assert [await sequences(store, run) for run in runs] == [[], [], [1]]


async def test_a_write_goes_on_when_its_caller_is_cancelled(path: Path) -> None:
    async with opened(path) as (store, database):
        gone, patient = await claimed(store, "gone"), await claimed(store, "patient")

        async with asyncio.TaskGroup() as group, busy_writer(database):
            task = group.create_task(store.append(step(gone)))
            group.create_task(store.append(step(patient)))
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        assert task.cancelled()
        assert await sequences(store, patient) == [1]
        assert await sequences(store, gone) == [1]


async def test_closing_finishes_what_waits_and_refuses_what_comes(path: Path) -> None:
    async with opened(path) as (store, database):
        run = await claimed(store, "r")
        async with asyncio.TaskGroup() as group, busy_writer(database):
            group.create_task(store.append(step(run)))
            await asyncio.sleep(0)
            group.create_task(store.close())
        with pytest.raises(UnavailableError, match="closed"):
            await store.append(step(run))
        with pytest.raises(UnavailableError, match="closed"):
            await store.get_run(run.key)

    async with open_store(f"sqlite:{path}") as again:
        assert await sequences(again, run) == [1]


async def test_more_writes_than_may_wait_are_refused(path: Path) -> None:
    async with opened(path, waiting_max=3) as (store, database):
        run = await claimed(store, "r")

        async with asyncio.TaskGroup() as group, busy_writer(database):
            for _ in range(2):
                group.create_task(store.renew_lease(OWNER, ttl_seconds=1))
            await asyncio.sleep(0)
            with pytest.raises(UnavailableError, match="more than 3 writes"):
                await store.append(step(run))

        await store.append(step(run))
        assert await sequences(store, run) == [1]


async def test_two_stores_share_a_file(path: Path) -> None:
    async with opened(path) as (one, _), opened(path) as (two, _):
        session = SessionKey("app", "ann", "s")
        made = await asyncio.gather(
            *(store.get_or_create_session(session, {}, NOW) for store in (one, two) for _ in range(5))
        )
        runs = [await claimed(store, name) for store, name in ((one, "a"), (two, "b"))]

        async def work(store: Store, run: Run) -> None:
            for number in range(30):
                write = step(run)
                await store.append(write)
                await store.update_state(run.session, Tier.APP, {f"{run.key.request_id}{number}": 1}, NOW)
                run = write.run

        await asyncio.gather(work(one, runs[0]), work(two, runs[1]))

        assert sum(is_made for _, is_made in made) == 1
        for store in (one, two):
            assert [await sequences(store, run) for run in runs] == [list(range(1, 31))] * 2
            assert len(await store.get_state(session, Tier.APP)) == 60


async def test_of_two_stores_one_claims_a_run(path: Path) -> None:
    async with opened(path) as (one, _), opened(path) as (two, _):
        run = await claimed(one, "r")

        claims = await asyncio.gather(
            *(store.claim_run(run.key, OWNER, attempt=1, now=NOW) for store in (one, two))
        )

        assert sum(claim is not None for claim in claims) == 1
        with pytest.raises(FencedError):
            await two.append(step(run))


async def test_waiting_sees_what_another_store_writes(path: Path) -> None:
    async with opened(path) as (one, _), opened(path) as (two, _):
        run = await claimed(one, "r")

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(two.wait(run.key, after=0, timeout_seconds=60))
            await one.append(step(run))


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's transaction, as it were."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    finally:
        connection.close()


async def test_a_write_waits_for_the_lock_and_reads_do_not(path: Path) -> None:
    async with opened(path, busy_seconds=60) as (store, _):
        run = await claimed(store, "r")

        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            with locked(path):
                write = group.create_task(store.append(step(run)))
                assert await sequences(store, run) == []
                assert not write.done()

        assert await sequences(store, run) == [1]


async def test_opening_waits_for_another_process_that_is_about_to_make_the_file(path: Path) -> None:
    with locked(path) as other:
        other.execute("CREATE TABLE theirs (x)")
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            opening = group.create_task(asyncio.to_thread(prepare_sqlite, path, migrate))
            # SQLite itself gives up at once when two connections want to turn a new file to WAL.
            done, _ = await asyncio.wait({opening}, timeout=0.3)
            other.execute("COMMIT")

    assert not done
    assert opening.result() == "0004"


async def test_a_lock_that_is_never_released_makes_writes_unavailable(path: Path) -> None:
    async with opened(path, busy_seconds=0.05) as (store, _):
        run = await claimed(store, "r")

        with locked(path):
            results = await asyncio.gather(
                store.append(step(run)),
                store.create_session(SessionKey("app", "ann", "new"), {}, NOW),
                return_exceptions=True,
            )

        for result in results:
            assert isinstance(result, UnavailableError)
            assert isinstance(result.__cause__, sqlite3.OperationalError)
            assert "database is locked" not in str(result)
        await store.append(step(run))
        assert await sequences(store, run) == [1]


async def test_the_drivers_exceptions_stay_inside(path: Path) -> None:
    async with opened(path) as (store, database):
        run = await claimed(store, "r")
        await database.write(lambda connection: connection.execute(text("DROP TABLE run_events")).close())

        for work in (store.append(step(run)), store.list_run_events(run.key, after=0, limit=1)):
            with pytest.raises(UnavailableError) as caught:
                await work
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert (await store.get_run(run.key)).last_sequence == 0
        assert (await store.get_session(run.session)).last_position == 0
