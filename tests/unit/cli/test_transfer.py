"""`runwire sessions export` and `import`: all that clients keep, from any store to any store."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_support import Command

from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult
from runwire_server.domain.events import Custom, Event, MessagePayload, Payload, ToolResults
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import Expiry, Retention
from runwire_server.domain.sessions import SessionChange, SessionCopy
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from servers.shared import fresh_url

pytestmark = pytest.mark.may_block
NOW = datetime(2026, 11, 21, 7, 0, 0, 123456, UTC)
HEADER = '{"format":"runwire-sessions","version":1}\n'
ODD = SessionKey("app/1", "ü:{}", 's "2"\n😀')
PLAIN = SessionKey("app", "u", "s")
OTHER = SessionKey("app", "v", "s")
PAYLOADS: list[Payload] = [
    MessagePayload(
        "m", Message(Role.USER, "grüß 😀", parts=(Part(inline_data=b"\0\xff", media_type="x/y"),))
    ),
    MessagePayload("n", Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "t", '{"a": 1}'),)), "tool_calls"),
    ToolResults((ToolResult("c", "t", "100"),)),
    Custom("c", {"deep": {"big": 2**60, "f": 0.1, "n": None}}),
]


def event(number: int, payload: Payload) -> Event:
    time = NOW + timedelta(seconds=number)
    return Event(
        request_id="r", sequence=number, create_time=time, author="a", payload=payload, id=f"e{number}"
    )


async def fill(url: str) -> None:
    """Write all kinds of things."""
    async with open_store(url, retention=Retention(event_limit=3)) as store:
        for key in (PLAIN, ODD, OTHER):
            state: Any = {"own": key.session_id, "user:u": [1, None], "app:a": {"x": True}}
            await store.create_session(key, state, NOW, ttl=timedelta(days=9999), display_name="Näme")
            for number, payload in enumerate(PAYLOADS, 1):
                await store.append_session_event(key, event(number, payload), NOW)
            await store.append_track_events(key, "t/1", ['{"n": 1}', " 2 "], NOW)
        end = Expiry(time=NOW + timedelta(days=9999))
        await store.update_session(ODD, SessionChange(expiry=end), NOW)
        await store.create_session(SessionKey("app", "u", "gone"), {}, NOW)
        await store.delete_session(SessionKey("app", "u", "gone"))


async def read(url: str) -> dict[str, Any]:
    """Read all of a store."""
    found: dict[str, Any] = {}
    async with open_store(url) as store:
        for tier in Tier:
            for key in (await store.list_owners(tier, limit=100)).items:
                is_session = tier is Tier.SESSION
                value = await store.read_copy(key) if is_session else await store.get_state(key, tier)
                found[f"{tier} {key}"] = comparable(value) if isinstance(value, SessionCopy) else value
    return found


def comparable(copy: SessionCopy) -> Any:
    tracks = {name: (last, list(items)) for name, (last, items) in copy.tracks.items()}
    return copy.session, list(copy.events), tracks


@pytest.fixture
def source(tmp_path: Path) -> str:
    url = f"sqlite:{tmp_path / 'source.db'}"
    asyncio.run(fill(url))
    return url


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_everything_arrives_as_it_was(command: Command, source: str, tmp_path: Path, kind: str) -> None:
    with fresh_url(kind, tmp_path) as target:
        exported = command("sessions", "export", "--store", source)
        imported = command("sessions", "import", "--store", target, stdin=exported.out)
        assert (exported.code, imported.code) == (0, 0), imported.err
        after = asyncio.run(read(target))
        back = command("sessions", "export", "--store", target)

    assert sorted(back.out.splitlines()[1:]) == sorted(exported.out.splitlines()[1:])
    assert exported.out.startswith(HEADER)
    count = sum(len(json.loads(line).get("events", [])) for line in exported.out.splitlines())
    assert exported.err == f"exported 3 sessions with {count} events, and 5 states of users and apps\n"
    assert imported.err == exported.err.replace("exported", "imported")
    before = asyncio.run(read(source))
    assert len(before) == 8
    assert after == before


def test_files_serve_as_well_and_what_is_there_stays(command: Command, source: str, tmp_path: Path) -> None:
    target = f"sqlite:{tmp_path / 'target.db'}"
    path = tmp_path / "all.jsonl"
    assert command("sessions", "export", "--store", source, "--output", path).out == ""

    first = command("sessions", "import", "--store", target, "--input", path)
    again = command("sessions", "import", "--store", target, "--input", path)
    quiet = command("sessions", "import", "--store", target, "--input", path, "--skip-existing")

    assert (first.code, again.code, quiet.code) == (0, 1, 0)
    lines = again.err.splitlines()
    assert "session 's' of user 'u' in app 'app' exists" in lines
    assert lines[-1] == "runwire: 3 sessions existed already"
    assert len(lines) == 5
    assert quiet.err.splitlines()[1:] == ["3 sessions existed already"]
    assert asyncio.run(read(target)) == asyncio.run(read(source))


@pytest.mark.parametrize(
    ("options", "sessions", "tiers"),
    [
        (["--app", "app"], 2, ["app", "user", "user"]),
        (["--app", "app", "--user", "u"], 1, ["user"]),
        (["--user", "v"], 1, ["user"]),
        (["--session", "s"], 2, []),
        (["--app", "nope"], 0, []),
    ],
)
def test_filters_choose_what_belongs_to_them(
    command: Command, source: str, options: list[str], sessions: int, tiers: list[str]
) -> None:
    done = command("sessions", "export", "--store", source, *options)

    lines = [json.loads(line) for line in done.out.splitlines()[1:]]
    assert sum(line["kind"] == "session" for line in lines) == sessions
    assert [line["tier"] for line in lines if line["kind"] == "state"] == tiers


LINE: dict[str, Any] = {
    "kind": "session",
    "app_name": "a",
    "user_id": "u",
    "session_id": "s",
    "create_time": NOW.isoformat(),
    "update_time": NOW.isoformat(),
    "last_position": 1,
}
EVENT = {"position": 1, "kind": "custom", "payload": {"name": "c", "data": {}}, "envelope": {}}


@pytest.mark.parametrize(
    ("text", "number", "problem"),
    [
        ("hello\n", 1, "no export"),
        ('{"format":"runwire-sessions","version":2}\n', 1, "version 2"),
        (HEADER + json.dumps(LINE) + "\n\n{", 4, "EOF"),
        (HEADER + "[]\n", 2, "object"),
        (HEADER + '{"kind":"run"}\n', 2, "kind"),
        (HEADER + json.dumps(LINE | {"user_id": "x" * 256}), 2, "user_id"),
        (HEADER + json.dumps(LINE | {"session_id": "\0"}), 2, "session_id"),
        (HEADER + json.dumps(LINE | {"create_time": "2026-11-21T07:00:00"}), 2, "create_time"),
        (HEADER + json.dumps(LINE | {"last_position": 0, "events": [EVENT]}), 2, "position 1"),
        (HEADER + json.dumps(LINE | {"events": [EVENT | {"kind": "new"}]}), 2, "event"),
        (HEADER + json.dumps(LINE | {"events": [EVENT]}), 2, "event"),
        (HEADER + json.dumps(LINE | {"ttl_seconds": -1}), 2, "ttl_seconds"),
        (HEADER + '{"kind":"state","tier":"user","app_name":"a","state":{}}', 2, "user_id"),
        (HEADER + '{"kind":"state","tier":"session","app_name":"a","state":{}}', 2, "tier"),
        (b"\xff\xfe\n".decode("latin1"), 1, "no export"),
    ],
)
def test_a_broken_line_is_named_in_one_line(
    command: Command, tmp_path: Path, text: str, number: int, problem: str
) -> None:
    done = command("sessions", "import", "--store", f"sqlite:{tmp_path / 't.db'}", stdin=text)

    (line,) = done.err.splitlines()
    assert done.code == 2
    assert line.startswith(f"runwire: line {number}: ")
    assert problem in line


def test_mistakes_are_one_line(command: Command, tmp_path: Path) -> None:
    for arguments, text in (
        (["import", "--store", "memory:"], "the input is empty"),
        (["import", "--store", "memory:", "--input", tmp_path / "nope"], "cannot open"),
        (["export", "--store", "nope:"], "there is no store for 'nope'"),
        (["export", "--store", "memory:", "--output", tmp_path / "no" / "x"], "cannot open"),
        (["export", "--store", "postgresql://u:hunter2@127.0.0.1:1/d?connect_seconds=0.5"], "127.0.0.1:1"),
    ):
        done = command("sessions", *arguments)
        assert done.code == 2, done
        (line,) = done.err.splitlines()
        assert text in line
        assert "hunter2" not in line


def test_exporting_what_is_not_there_makes_and_spoils_no_file(command: Command, tmp_path: Path) -> None:
    missing, output = tmp_path / "missing.db", tmp_path / "all.jsonl"
    output.write_text("of last time")

    done = command("sessions", "export", "--store", f"sqlite:{missing}", "--output", output)

    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert f"there is no file {missing} for the store" in line
    assert output.read_text() == "of last time"
    assert list(tmp_path.glob("missing*")) == []


def test_the_store_may_come_from_the_environment(
    command: Command, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWIRE_STORE", source)

    assert command("sessions", "export").err.startswith("exported 3 sessions")


def test_what_a_newer_version_adds_is_ignored(command: Command) -> None:
    text = HEADER + json.dumps(LINE | {"last_position": 0, "mood": "good"})

    assert command("sessions", "import", "--store", "memory:", stdin=text).code == 0
