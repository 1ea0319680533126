"""Who writes to an SQLite file: the loop what is short, as long as nothing makes it wait; the thread all else."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from runwire_server.domain.errors import UnavailableError
from runwire_server.storage.sql import loop_time, sqlite_writer
from runwire_server.storage.sql.direct import driver_of
from runwire_server.storage.sql.sqlite import SqliteDatabase

LOOP, THREAD, READER = "MainThread", "sqlite-write", "sqlite-read"


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqliteDatabase]:
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE IF NOT EXISTS t (name TEXT, text TEXT)")
    database = await SqliteDatabase.open(path, lambda _connection, _writes: [], **options)
    try:
        yield database
    finally:
        await database.close()


def write(connection: Connection, seconds: float = 0.0, text: str = "") -> str:
    """Write a row that says who wrote it."""
    name = threading.current_thread().name
    driver = driver_of(connection)
    assert driver is not None
    driver.execute("INSERT INTO t VALUES (?, ?)", (name, text))
    if seconds:
        time.sleep(seconds)
    return name


def reader(_connection: Connection) -> str:
    return threading.current_thread().name


def written(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        return [name for (name,) in file.execute("SELECT name FROM t")]


@pytest.mark.parametrize(("synchronous", "expected"), [("normal", LOOP), ("off", LOOP), ("full", THREAD)])
async def test_the_loop_writes_what_is_short_unless_each_commit_waits_for_the_disk(
    tmp_path: Path, synchronous: str, expected: str
) -> None:
    async with opened(tmp_path / "db", synchronous=synchronous) as database:
        assert await database.write(write, is_short=True) == expected
        assert await database.write(write) == THREAD


async def test_what_comes_while_the_thread_works_waits_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as database, asyncio.TaskGroup() as group:
        tasks = []
        for is_short in (False, True, False, True, True):
            seconds = 0.0 if is_short else 0.05
            tasks.append(
                group.create_task(database.write(partial(write, seconds=seconds), is_short=is_short))
            )
            await asyncio.sleep(0)
        # Before the second long one, the short one goes to the thread, too: nothing is overtaken.
        assert await asyncio.gather(*tasks) == [THREAD, THREAD, THREAD, LOOP, LOOP]
    assert written(tmp_path / "db") == [THREAD, THREAD, THREAD, LOOP, LOOP]


async def test_a_write_of_another_process_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as database, asyncio.TaskGroup() as group:
        with closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            tasks = [group.create_task(database.write(write, is_short=True)) for _ in range(3)]
            began = time.monotonic()
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert time.monotonic() - began < 1
            assert not any(task.done() for task in tasks)
            other.execute("COMMIT")
        assert [await task for task in tasks] == [THREAD] * 3
        assert await database.write(write, is_short=True) == LOOP


async def test_after_a_write_that_took_long_the_thread_writes_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_time, "_AVOID_FACTOR", 3)
    async with opened(tmp_path / "db") as database:
        slow = loop_time._LONG_SECONDS * 1.5
        assert await database.write(lambda connection: write(connection, slow), is_short=True) == LOOP
        assert await database.write(write, is_short=True) == THREAD
        assert (await database.read(reader, is_short=True)).startswith(READER)
        await asyncio.sleep(slow * 6)
        assert await database.write(write, is_short=True) == LOOP
        assert await database.read(reader, is_short=True) == LOOP
        assert (await database.read(reader)).startswith(READER)


async def test_writes_of_one_round_are_bounded_and_all_done(tmp_path: Path) -> None:
    count = sqlite_writer._HERE_MAX + 10
    async with opened(tmp_path / "db") as database:
        names = await asyncio.gather(*(database.write(write, is_short=True) for _ in range(count)))
        # Those that do not fit go to the thread, which may be quicker: then more of them do.
        assert names.count(THREAD) >= count - sqlite_writer._HERE_MAX
    assert sorted(written(tmp_path / "db")) == sorted(names)


async def test_a_write_that_fails_is_undone_and_fails_alone(tmp_path: Path) -> None:
    def fail(connection: Connection) -> None:
        write(connection)
        raise KeyError("no")

    async with opened(tmp_path / "db") as database:
        results = await asyncio.gather(
            *(database.write(work, is_short=True) for work in (write, fail, write)), return_exceptions=True
        )
        assert [type(result) for result in results] == [str, KeyError, str]
    assert written(tmp_path / "db") == [LOOP, LOOP]


async def test_what_was_asked_before_the_store_closes_is_written(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as database:
        tasks = [asyncio.ensure_future(database.write(write, is_short=True)) for _ in range(3)]
        await asyncio.sleep(0)
        await database.close()
        names = await asyncio.gather(*tasks)
        with pytest.raises(UnavailableError, match="closed"):
            await database.write(write, is_short=True)
    assert len(names) == 3
    assert written(tmp_path / "db") == names


async def test_the_log_that_the_loop_writes_is_copied_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "_CHECKPOINT_COMMITS", 20)
    text = "x" * 20_000
    async with opened(tmp_path / "db") as database:
        for _ in range(2000):
            await database.write(lambda connection: write(connection, text=text), is_short=True)
        size = (tmp_path / "db-wal").stat().st_size
    assert size < 1000 * len(text)


async def test_a_round_of_the_loop_ends_in_time(tmp_path: Path) -> None:
    slow = sqlite_writer._ROUND_SECONDS / 2
    async with opened(tmp_path / "db") as database:
        names = await asyncio.gather(
            *(database.write(lambda connection: write(connection, slow), is_short=True) for _ in range(8))
        )
        assert names.count(LOOP) <= 3
    assert written(tmp_path / "db") == names


async def test_an_error_of_the_driver_that_has_no_code_is_an_answer(tmp_path: Path) -> None:
    def read_what_is_no_text(connection: Connection) -> None:
        driver = driver_of(connection)
        assert driver is not None
        driver.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()

    async with opened(tmp_path / "db") as database:
        with pytest.raises(UnavailableError):
            await database.write(read_what_is_no_text, is_short=True)
        with pytest.raises(UnavailableError):
            await database.read(read_what_is_no_text, is_short=True)
        assert await database.write(write, is_short=True) == LOOP


async def test_the_thread_outlives_a_checkpoint_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Connection:
        raise OSError("too many open files")

    monkeypatch.setattr(sqlite_writer, "_CHECKPOINT_COMMITS", 1)
    async with opened(tmp_path / "db") as database:
        with monkeypatch.context() as context:
            context.setattr(database._engine, "connect", refuse)
            for _ in range(3):
                await database.write(write, is_short=True)
                await asyncio.sleep(0.05)
        assert await database.write(write) == THREAD
        assert await database.write(write, is_short=True) == LOOP


async def test_a_checkpoint_that_fails_leaves_no_transaction_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(action: int, name: str | None, value: str | None, *_: str | None) -> int:
        is_commit = action == sqlite3.SQLITE_PRAGMA and name == "user_version" and value is not None
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    def refuse_in_thread(connection: Connection) -> None:
        driver = driver_of(connection)
        assert driver is not None
        driver.set_authorizer(refuse)

    monkeypatch.setattr(sqlite_writer, "_CHECKPOINT_COMMITS", 1)
    async with opened(tmp_path / "db") as database:
        await database.write(refuse_in_thread)
        assert await database.write(write, is_short=True) == LOOP
        await asyncio.sleep(0.1)  # for the checkpoint
        assert await database.write(write) == THREAD
        assert await database.write(write, is_short=True) == LOOP
