"""Making and changing the tables of databases that are servers."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from runwire_server.domain.content import Message, Role
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL, QueuedMessage
from runwire_server.domain.runs import NOBODY, RunState
from runwire_server.storage.opener import migrate_store, migration_status, open_store
from runwire_server.storage.port import Append
from runwire_server.storage.schema import MigrationStatus
from runwire_server.storage.sql.migrate import migrate
from runwire_server.storage.sql.open_sql import prepare
from runwire_server.storage.url import parse_store_url
from servers.shared import STORES, admin, fresh_url

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = SessionKey("app", "ann", "s")
HEAD = "0004"


KINDS = [kind for kind in STORES if kind in {"postgres", "mariadb", "mysql"}]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    with fresh_url(request.param, tmp_path) as made:
        yield made


async def to_first(url: str) -> None:
    await prepare(parse_store_url(url), partial(migrate, target="0001"))


async def works(url: str) -> None:
    async with open_store(f"{url}?migrate=false") as store:
        await store.create_session(KEY, {"a": 1}, NOW)
        assert (await store.get_session(KEY)).state == {"a": 1}


async def test_from_nothing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert await migration_status(url) == MigrationStatus("", HEAD, ("0001", "0002", "0003", "0004"))
    assert await migration_status(url) == MigrationStatus("", HEAD, ("0001", "0002", "0003", "0004"))

    assert [await migrate_store(url) for _ in range(2)] == [HEAD, HEAD]

    assert await migration_status(url) == MigrationStatus(HEAD, HEAD, ())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await works(url)


async def test_from_the_first_revision(url: str) -> None:
    await to_first(url)
    assert await migration_status(url) == MigrationStatus("0001", HEAD, ("0002", "0003", "0004"))

    assert await migrate_store(url) == HEAD

    assert await migration_status(url) == MigrationStatus(HEAD, HEAD, ())
    await works(url)


RECORD = json.dumps(
    {
        "key": {"app_name": "app", "request_id": "r1"},
        "session": {"app_name": "app", "user_id": "ann", "session_id": "s"},
        "agent_name": "agent",
        "state": "running",
        "create_time": "2026-01-01T00:00:00Z",
        "attempt": 1,
        "owner": "me",
        "input": {"message": None, "options": {"model": ""}},
    }
)


@pytest.mark.parametrize("options", ["", "table_prefix=rw_", "schema=two&table_prefix=x_"])
async def test_from_the_revision_before_with_what_is_there(url: str, options: str) -> None:
    if "schema" in options and not url.startswith("postgresql"):
        return  # only PostgreSQL has schemas
    address = f"{url}?{options}" if options else url
    await prepare(parse_store_url(address), partial(migrate, target="0002"))
    table = {"": "runwire_runs", "table_prefix=rw_": "rw_runs"}.get(options, "two.x_runs")
    admin.run(
        url,
        f"INSERT INTO {table} (app_name, request_id, user_id, session_id, agent_name, state, owner, attempt,"
        " last_sequence, fingerprint, input, record) VALUES ('app', 'r1', 'ann', 's', 'agent', 'running', 'me',"
        f" 1, 0, 'f', '{{}}', '{RECORD.replace(':', chr(92) + ':')}')",
    )

    async with open_store(address) as store:
        run = await store.get_run(RunKey("app", "r1"))
        assert (run.mail, run.due_time, run.owner) == (NO_MAIL, None, "me")
        mail = NO_MAIL.with_message(QueuedMessage("m", Message(Role.USER, "more")))
        assert await store.set_mail(run.key, mail, version=0) == replace(run, mail=mail)
        waiting = replace(run, state=RunState.WAITING, owner=NOBODY, mail=mail.with_all_read(), due_time=NOW)
        await store.append(Append(run=waiting, after=0, mail_version=1))
        assert await store.list_due(NOW, limit=9) == [waiting]
    assert await migration_status(address) == MigrationStatus(HEAD, HEAD, ())


@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "first"])
async def test_many_replicas_at_once(url: str, is_empty: bool) -> None:
    if not is_empty:
        await to_first(url)
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(
            *(stack.enter_async_context(open_store(f"{url}?pool_size=2")) for _ in range(8))
        )
        made = await asyncio.gather(*(store.get_or_create_session(KEY, {}, NOW) for store in stores))
    assert sum(is_new for _, is_new in made) == 1
    assert await migration_status(url) == MigrationStatus(HEAD, HEAD, ())


@pytest.mark.parametrize("url", [kind for kind in KINDS if kind != "postgres"], indirect=True)
async def test_a_migration_that_was_killed_goes_on(url: str) -> None:
    """MySQL commits each statement that makes a table; PostgreSQL makes all or none."""
    await migrate_store(url)
    admin.run(
        url,
        "UPDATE runwire_schema SET version_num = '0001'",
        "DROP TABLE runwire_leases",
        "DROP TABLE runwire_cancel_marks",
        "DROP INDEX runwire_runs_by_end ON runwire_runs",
    )
    indexes = "SELECT count(*) FROM information_schema.statistics WHERE table_schema = DATABASE()"
    before = admin.fetch(url, indexes)[0]

    await migrate_store(url)

    assert admin.fetch(url, indexes)[0] == before + 1 + 2 + 1
    await works(url)


@pytest.mark.parametrize("url", [kind for kind in KINDS if kind != "postgres"], indirect=True)
async def test_the_last_migration_that_was_killed_goes_on(url: str) -> None:
    await migrate_store(url)
    admin.run(
        url,
        "UPDATE runwire_schema SET version_num = '0002'",
        "DROP INDEX runwire_runs_by_due ON runwire_runs",
        "ALTER TABLE runwire_runs DROP COLUMN due_time",
        "DROP INDEX runwire_runs_by_cancel ON runwire_runs",
    )

    await migrate_store(url)

    names = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()"
    assert {"runwire_runs_by_due", "runwire_runs_by_cancel"} <= set(admin.fetch(url, names))
    async with open_store(url) as store:
        assert await store.list_due(NOW, limit=9) == []
