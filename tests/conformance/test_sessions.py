"""The storage contract, sessions and state. Every adapter passes every test here, unchanged."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from runwire_server.domain.content import Message, Part, Role, ToolResult, ToolStatus
from runwire_server.domain.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from runwire_server.domain.events import Custom, Event, MessagePayload, Payload, ToolResults
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.storage.port import RunFilter, Store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = SessionKey("app", "ann", "s1")
STRANGE = ["a:b", "a/b", "{a}", "a", "A", "ä", "a ", " a", "😀", "%", "_", "a\nb", "x" * 255, "'; --", "🏳️‍🌈"]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def event(number: int, payload: Payload | None = None, **fields: object) -> Event:
    said = payload or MessagePayload(f"m{number}", Message(Role.USER, f"text {number}"))
    values = {"id": f"e{number}", "author": "user", "create_time": later(number), **fields}
    return Event(request_id="", sequence=0, payload=said, **values)  # type: ignore[arg-type]


async def texts(store: Store, key: SessionKey = KEY, **query: object) -> list[str]:
    found = await store.list_session_events(key, EventQuery(**query))  # type: ignore[arg-type]
    return [item.event.payload.message.content for item in found]  # type: ignore[union-attr]


async def test_a_new_session_is_there(store: Store) -> None:
    made = await store.create_session(KEY, {"a": 1}, NOW)

    assert made == await store.get_session(KEY)
    assert (made.key, made.create_time, made.update_time, made.state) == (KEY, NOW, NOW, {"a": 1})
    assert (made.event_count, made.last_position) == (0, 0)


async def test_a_session_cannot_be_made_twice_and_nothing_is_written(store: Store) -> None:
    await store.create_session(KEY, {"a": 1}, NOW)

    with pytest.raises(AlreadyExistsError):
        await store.create_session(KEY, {"a": 2, "app:x": 1, "user:y": 1}, later(1))

    assert (await store.get_session(KEY)).state == {"a": 1}


async def test_an_unknown_session_is_not_found(store: Store) -> None:
    for work in (
        store.get_session(KEY),
        store.list_session_events(KEY, EventQuery()),
        store.append_session_event(KEY, event(1), NOW),
        store.get_state(KEY, Tier.SESSION),
        store.update_state(KEY, Tier.SESSION, {"a": 1}, NOW),
    ):
        with pytest.raises(NotFoundError):
            await work
    assert not await store.delete_session(KEY)


async def test_of_many_at_once_exactly_one_makes_the_session(store: Store) -> None:
    results = await asyncio.gather(*(store.get_or_create_session(KEY, {"n": n}, NOW) for n in range(20)))

    makers = [session for session, is_made in results if is_made]
    assert len(makers) == 1
    assert {session.state["n"] for session, _ in results} == {makers[0].state["n"]}


async def test_names_of_any_characters_never_collide(store: Store) -> None:
    for name in STRANGE:
        await store.create_session(SessionKey("app", name, "s"), {"name": name}, NOW)
        await store.create_session(SessionKey("app", "u", name), {"name": name}, NOW)
        await store.update_state(SessionKey(name, "", ""), Tier.APP, {"name": name}, NOW)

    for name in STRANGE:
        assert (await store.get_session(SessionKey("app", name, "s"))).state == {"name": name}
        assert (await store.get_session(SessionKey("app", "u", name))).state == {"name": name}
        assert await store.get_state(SessionKey(name, "", ""), Tier.APP) == {"name": name}
        assert len((await store.list_sessions("app", name, limit=9)).items) == 1


async def test_sessions_are_listed_by_update_newest_first_in_pages(store: Store) -> None:
    for number in range(7):
        await store.create_session(SessionKey("app", "ann", f"s{number}"), {}, later(number // 2))
    await store.create_session(SessionKey("app", "bob", "other"), {}, NOW)
    await store.append_session_event(SessionKey("app", "ann", "s0"), event(1), later(100))

    seen: list[str] = []
    cursor = None
    while True:
        page = await store.list_sessions("app", "ann", limit=2, cursor=cursor)
        seen += [session.key.session_id for session in page.items]
        if (cursor := page.next_cursor) is None:
            break

    assert seen == ["s0", "s6", "s5", "s4", "s3", "s2", "s1"]
    assert (await store.list_sessions("app", "nobody", limit=2)).items == ()


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "not a cursor",
        "é",
        token("[]"),
        token('{"a": 1}'),
        token("[true, true]"),
        token(f'[{2**63}, "s"]'),
        token('[1, "\\ud800"]'),
        token('["\\ud800", "\\ud800"]'),
        token("[" * 100_000),
        token('[1, "' + "s" * 100_000 + '"]'),
    ],
    ids=range(12),
)
async def test_a_cursor_that_is_none_is_refused(store: Store, cursor: str) -> None:
    for work in (
        store.list_sessions("app", "ann", limit=2, cursor=cursor),
        store.list_runs(RunFilter(app_name="app"), limit=2, cursor=cursor),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            await work
        assert [violation.field for violation in caught.value.violations] == ["page_token"]


async def test_deleting_a_session_takes_its_events_and_its_state_and_no_more(store: Store) -> None:
    await store.create_session(KEY, {"a": 1, "user:b": 2, "app:c": 3}, NOW)
    await store.append_session_event(KEY, event(1), NOW)

    assert await store.delete_session(KEY)

    await store.create_session(KEY, {}, NOW)
    assert (await store.get_session(KEY)).state == {"user:b": 2, "app:c": 3}
    assert await texts(store) == []


async def test_events_get_positions_in_order_and_move_the_update_time(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)

    appended = [await store.append_session_event(KEY, event(n), later(n)) for n in (1, 2, 3)]

    assert [item.position for item in appended] == [1, 2, 3]
    found = await store.list_session_events(KEY, EventQuery())
    assert found == appended
    session = await store.get_session(KEY)
    assert (session.event_count, session.last_position, session.update_time) == (3, 3, later(3))


async def test_concurrent_events_are_all_kept(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)

    await asyncio.gather(*(store.append_session_event(KEY, event(n), NOW) for n in range(50)))

    found = await store.list_session_events(KEY, EventQuery())
    assert [item.position for item in found] == list(range(1, 51))
    assert {item.event.id for item in found} == {f"e{n}" for n in range(50)}


async def test_the_second_append_of_an_id_changes_nothing(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    first = await store.append_session_event(KEY, event(1, state_delta={"n": 1}), NOW)

    again = await store.append_session_event(KEY, event(1, state_delta={"n": 2}), later(5))

    assert again == first
    assert (await store.get_session(KEY)).state == {"n": 1}
    assert (await store.get_session(KEY)).event_count == 1


async def test_an_id_belongs_to_its_session(store: Store) -> None:
    other = SessionKey("app", "ann", "s2")
    for key in (KEY, other):
        await store.create_session(key, {}, NOW)
        await store.append_session_event(key, event(1), NOW)

    assert await texts(store, other) == ["text 1"]


async def test_events_can_be_selected(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    for number in range(1, 7):
        role = Role.USER if number in {1, 4} else Role.ASSISTANT
        said = MessagePayload("m", Message(role, str(number)))
        await store.append_session_event(KEY, event(number, said), NOW)

    assert await texts(store, after=4) == ["5", "6"]
    assert await texts(store, before=3) == ["1", "2"]
    assert await texts(store, since=later(5)) == ["5", "6"]
    assert await texts(store, user_only=True) == ["1", "4"]
    assert await texts(store, newest_first=True, limit=2) == ["6", "5"]
    assert await texts(store, user_only=True, before=4, newest_first=True, limit=1) == ["1"]


async def test_events_come_back_as_they_were(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    parts = (Part(text="t"), Part(inline_data=b"\x00\xff", media_type="a/b"), Part(data={"a": [1, None]}))
    payloads: list[Payload] = [
        MessagePayload("m", Message(Role.USER, "é\n😀", parts)),
        ToolResults((ToolResult("c", "t", "x", ToolStatus.ERROR, "TIMEOUT"),), "m"),
        Custom("name", {"deep": {"list": [1, 2.5, "x", None, True]}}),
    ]
    events = [
        event(n, payload, branch="a/b", tag="t", state_delta={"k": n}) for n, payload in enumerate(payloads)
    ]
    for given in events:
        await store.append_session_event(KEY, given, NOW)

    found = await store.list_session_events(KEY, EventQuery())

    assert [item.event for item in found] == events


async def test_state_of_the_tiers_is_merged_on_read(store: Store) -> None:
    await store.create_session(KEY, {"s": 1, "user:u": 2, "app:a": 3, "temp:t": 4}, NOW)
    other = SessionKey("app", "ann", "s2")
    stranger = SessionKey("app", "bob", "s1")

    assert (await store.get_session(KEY)).state == {"s": 1, "user:u": 2, "app:a": 3}
    assert (await store.create_session(other, {}, NOW)).state == {"user:u": 2, "app:a": 3}
    assert (await store.create_session(stranger, {}, NOW)).state == {"app:a": 3}
    assert await store.get_state(KEY, Tier.USER) == {"u": 2}
    assert await store.get_state(SessionKey("none", "", ""), Tier.APP) == {}


async def test_updates_of_state_merge_deeply_and_null_deletes(store: Store) -> None:
    await store.create_session(KEY, {"a": {"x": 1, "y": 2}, "b": 1, "c": 1}, NOW)

    state = await store.update_state(
        KEY, Tier.SESSION, {"a": {"x": None, "z": 3}, "b": None, "d": [1]}, later(9)
    )

    assert state == {"a": {"y": 2, "z": 3}, "c": 1, "d": [1]}
    assert await store.get_state(KEY, Tier.SESSION) == state
    assert (await store.get_session(KEY)).update_time == later(9)


async def test_concurrent_updates_of_state_lose_nothing(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)

    await asyncio.gather(
        *(
            store.update_state(KEY, tier, {f"k{n}": n, "deep": {f"k{n}": n}}, NOW)
            for n in range(20)
            for tier in Tier
        )
    )

    for tier in Tier:
        state = await store.get_state(KEY, tier)
        assert len(state) == 21
        assert state["deep"] == {f"k{n}": n for n in range(20)}


async def test_an_events_delta_reaches_its_tiers(store: Store) -> None:
    await store.create_session(KEY, {"s": 1}, NOW)

    await store.append_session_event(KEY, event(1, state_delta={"s": None, "user:u": 1, "app:a": 2}), NOW)

    assert (await store.get_session(KEY)).state == {"user:u": 1, "app:a": 2}


async def test_what_was_returned_is_the_callers(store: Store) -> None:
    await store.create_session(KEY, {"a": {"b": 1}}, NOW)
    session = await store.get_session(KEY)
    state = await store.get_state(KEY, Tier.SESSION)
    session.state["a"]["b"] = 2
    state["a"]["b"] = 2  # type: ignore[index]

    assert (await store.get_session(KEY)).state == {"a": {"b": 1}}
