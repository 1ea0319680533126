"""Schemas: made, kept, refused."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import SessionKey
from runwire_server.storage.opener import migrate_store, open_store
from runwire_server.storage.sql.migrate import migrate
from runwire_server.storage.sql.sqlite import make_engine
from runwire_server.storage.sql.tables import metadata

HEAD = "0001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def set_version(path: Path, version: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE runwire_schema SET version_num = ?", (version,))
    connection.close()


async def test_a_new_file_gets_the_current_schema(path: Path) -> None:
    assert await migrate_store(f"sqlite:{path}") == HEAD

    async with open_store(f"sqlite:{path}", migrate=False) as store:
        await store.check()


async def test_migrating_again_changes_nothing(path: Path) -> None:
    await migrate_store(f"sqlite:{path}")
    async with open_store(f"sqlite:{path}") as store:
        await store.create_session(SessionKey("a", "u", "s"), {"k": 1}, datetime(2026, 1, 1, tzinfo=UTC))

    assert await migrate_store(f"sqlite:{path}") == HEAD

    async with open_store(f"sqlite:{path}") as store:
        assert (await store.get_session(SessionKey("a", "u", "s"))).state == {"k": 1}


async def test_many_may_migrate_at_once(path: Path) -> None:
    versions = await asyncio.gather(*(migrate_store(f"sqlite:{path}") for _ in range(5)))

    assert versions == [HEAD] * 5


async def test_without_migrating_a_missing_schema_is_refused(path: Path) -> None:
    with pytest.raises(UnavailableError, match="run `runwire migrate`"):
        async with open_store(f"sqlite:{path}", migrate=False):
            pass


async def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    await migrate_store(f"sqlite:{path}")
    set_version(path, "9999")

    for may_migrate in (True, False):
        with pytest.raises(UnavailableError, match=r"9999.* is newer"):
            async with open_store(f"sqlite:{path}", migrate=may_migrate):
                pass
    with pytest.raises(UnavailableError, match="is newer"):
        await migrate_store(f"sqlite:{path}")


async def test_a_store_without_a_schema_has_nothing_to_migrate() -> None:
    assert await migrate_store("memory:") == ""


def test_the_migrations_make_what_the_statements_are_written_against(path: Path) -> None:
    engine = make_engine(path, begin="BEGIN IMMEDIATE", connections=1)
    with engine.begin() as connection:
        migrate(connection)
        context = MigrationContext.configure(connection, opts={"version_table": "runwire_schema"})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []
