"""Schemas: made, kept, refused."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL, QueuedMessage
from runwire_server.domain.retention import NEVER, Retention
from runwire_server.domain.runs import NOBODY, RunState
from runwire_server.domain.sessions import EventQuery
from runwire_server.storage.opener import migrate_store, migration_status, open_store
from runwire_server.storage.port import Append
from runwire_server.storage.schema import MigrationStatus
from runwire_server.storage.sql import cleaning, runs, tables
from runwire_server.storage.sql.migrate import migrate
from runwire_server.storage.sql.open_sql import prepare_sqlite
from runwire_server.storage.sql.sqlite import make_engine
from runwire_server.storage.sql.tables import metadata
from runwire_server.storage.sql.transaction import Transaction

HEAD = "0004"


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
    prepare_sqlite(path, migrate)
    engine = make_engine(path, begin="BEGIN", connections=1)
    options = {
        "version_table": "runwire_schema",
        # Statements need no indexes to be right.
        "include_object": lambda _item, _name, kind, *_: kind not in {"index", "unique_constraint"},
    }
    with engine.begin() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()

    assert differences == []


FIRST = """
INSERT INTO sessions VALUES ('app', 'ann', 's1', 1000000, 2000000, 7, 3);
INSERT INTO sessions VALUES ('app', 'ann', 'empty', 1000000, 1000000, 0, 0);
INSERT INTO session_events VALUES ('app', 'ann', 's1', 5, 'e5', 1, 1, 'custom', '{"name":"n","data":{"n":5}}', '{"create_time":"2026-01-01T00:00:00Z","id":"e5"}');
INSERT INTO session_events VALUES ('app', 'ann', 's1', 6, 'e6', 1, 0, 'custom', '{"name":"n","data":{"n":6}}', '{"create_time":"2026-01-01T00:00:00Z","id":"e6"}');
INSERT INTO session_events VALUES ('app', 'ann', 's1', 7, 'e7', 1, 0, 'custom', '{"name":"n","data":{"n":7}}', '{"create_time":"2026-01-01T00:00:00Z","id":"e7"}');
INSERT INTO state VALUES ('session', 'app', 'ann', 's1', 'deep', '{"a":[1,2.5,null,{}],"big":12345678901234567890}');
INSERT INTO state VALUES ('session', 'app', 'ann', 's1', 'it''s "é"', '"x"');
INSERT INTO state VALUES ('user', 'app', 'ann', '', 'u', '1');
INSERT INTO state VALUES ('app', 'app', '', '', 'a', 'true');
INSERT INTO runs VALUES (3, 'app', 'r1', 'ann', 's1', 'agent', 'completed', 'me', 1, 2, 5, NULL, NULL, 'f', '{}', '{"key":{"app_name":"app","request_id":"r1"},"session":{"app_name":"app","user_id":"ann","session_id":"s1"},"agent_name":"agent","state":"completed","create_time":"2026-01-01T00:00:00Z","attempt":1,"last_sequence":2}');
INSERT INTO run_events VALUES ('app', 'r1', 1, 'custom', '{"name":"n","data":{"n":1}}', '{"create_time":"2026-01-01T00:00:00Z","id":"x1","sequence":1}');
INSERT INTO run_events VALUES ('app', 'r1', 2, 'custom', '{"name":"n","data":{"n":2}}', '{"create_time":"2026-01-01T00:00:00Z","id":"x2","sequence":2}');
"""


async def test_the_second_revision_keeps_what_the_first_one_had(path: Path) -> None:
    await asyncio.to_thread(prepare_sqlite, path, partial(migrate, target="0001"))
    connection = sqlite3.connect(path)
    connection.executescript(FIRST)
    connection.close()
    assert (await migration_status(f"sqlite:{path}")).pending == ("0002", "0003", "0004")
    key = SessionKey("app", "ann", "s1")

    async with open_store(f"sqlite:{path}") as store:
        session = await store.get_session(key)
        assert session.state == {
            "deep": {"a": [1, 2.5, None, {}], "big": 12345678901234567890},
            'it\'s "é"': "x",
            "user:u": 1,
            "app:a": True,
        }
        assert (session.last_position, session.event_count, session.expiry) == (7, 3, NEVER)
        events = await store.list_session_events(key, EventQuery())
        assert [(item.position, item.event.id) for item in events] == [(5, "e5"), (6, "e6"), (7, "e7")]
        assert (await store.get_session(SessionKey("app", "ann", "empty"))).state == {
            "user:u": 1,
            "app:a": True,
        }
        assert (await store.get_run(RunKey("app", "r1"))).last_sequence == 2
        log = await store.list_run_events(RunKey("app", "r1"), after=0, limit=9)
        assert [event.id for event in log] == ["x1", "x2"]
        await store.delete_session(key)
        await store.restore_session(key, datetime(2026, 1, 1, tzinfo=UTC))


SECOND = """
INSERT INTO sessions VALUES (1, 'app', 'ann', 's1', 1, '', 1000000, 2000000, NULL, NULL, NULL, 0, 0, 0, '{}', '{}');
INSERT INTO runs VALUES (3, 'app', 'r1', 'ann', 's1', 'agent', 'running', 'me', 1, 0, NULL, 'immediate', 'why', 'f', '{"message":{"role":"user","content":"hi"}}', '{"key":{"app_name":"app","request_id":"r1"},"session":{"app_name":"app","user_id":"ann","session_id":"s1"},"agent_name":"agent","state":"running","create_time":"2026-01-01T00:00:00Z","attempt":1,"cancel":null,"owner":"me","fingerprint":"","input":{"message":null,"messages":[],"state_delta":null,"options":{"model":""}}}');
"""


async def test_the_third_revision_keeps_runs_and_gives_them_no_mail(path: Path) -> None:
    await asyncio.to_thread(prepare_sqlite, path, partial(migrate, target="0002"))
    connection = sqlite3.connect(path)
    connection.executescript(SECOND)
    connection.close()
    key, now = RunKey("app", "r1"), datetime(2026, 1, 1, tzinfo=UTC)

    async with open_store(f"sqlite:{path}") as store:
        run = await store.get_run(key)
        assert (run.mail, run.due_time, run.cancel is not None) == (NO_MAIL, None, True)
        assert run.input.message == Message(Role.USER, "hi")
        mail = NO_MAIL.with_message(QueuedMessage("m", Message(Role.USER, "more")))
        assert await store.set_mail(key, mail, version=0) == replace(run, mail=mail)
        waiting = replace(run, state=RunState.WAITING, owner=NOBODY, mail=mail.with_all_read(), due_time=now)
        await store.append(Append(run=waiting, after=0, mail_version=1))
        assert await store.list_due(now, limit=9) == [waiting]


async def test_the_fourth_revision_keeps_rows_and_leaves_those_without_a_time_out_of_indexes(
    path: Path,
) -> None:
    await asyncio.to_thread(prepare_sqlite, path, partial(migrate, target="0003"))
    connection = sqlite3.connect(path)
    connection.executescript(SECOND.splitlines()[1])
    connection.close()

    async with open_store(f"sqlite:{path}") as store:
        assert (await store.get_session(SessionKey("app", "ann", "s1"))).create_time.timestamp() == 1

    connection = sqlite3.connect(path)
    made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
    connection.close()
    for name, column in (
        ("sessions_by_expiry", "expire_time"),
        ("sessions_by_deletion", "delete_time"),
        ("runs_by_end", "end_time"),
    ):
        assert made[name].endswith(f"({column}) WHERE {column} IS NOT NULL")


def test_runs_that_wait_are_found_by_indexes(path: Path) -> None:
    prepare_sqlite(path, migrate)
    connection = sqlite3.connect(path)
    for query, index in ((runs._DUE, "runs_by_due"), (runs._CANCELLED, "runs_by_cancel")):
        (plan,) = (
            row[3]
            for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", {"at": 1, "limit": 1, "param_1": 1})
            if "runs" in row[3]
        )
        assert f"USING INDEX {index} " in plan
    connection.close()


def test_what_has_expired_or_ended_is_found_by_indexes(path: Path) -> None:
    prepare_sqlite(path, migrate)
    engine = make_engine(path, begin="BEGIN", connections=1)
    with engine.connect() as connection:
        gone = select(tables.sessions.c.id).where(cleaning.is_gone(Transaction(connection, Retention(), 1)))
        ended = select(tables.runs.c.ordinal).where(tables.runs.c.end_time < 1)
        for query in (gone, ended):
            written = query.compile(engine, compile_kwargs={"literal_binds": True})
            plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {written}"))]
            assert not [step for step in plan if step.startswith("SCAN")]
    engine.dispose()


async def test_the_status_says_what_is_missing(path: Path) -> None:
    assert await migration_status(f"sqlite:{path}") == MigrationStatus(
        "", HEAD, ("0001", "0002", "0003", "0004")
    )
    await migrate_store(f"sqlite:{path}")
    assert await migration_status(f"sqlite:{path}") == MigrationStatus(HEAD, HEAD, ())
    assert await migration_status("memory:") == MigrationStatus("", "", ())
