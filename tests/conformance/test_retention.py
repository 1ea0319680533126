"""The storage contract, what is kept for how long. Every adapter passes every test here, unchanged."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from conformance.conftest import NOW, Clock, OpenWith
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError
from runwire_server.domain.events import Custom, Event, MessagePayload
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.retention import FOR_EVER, NEVER, Expiry
from runwire_server.domain.runs import Run, RunState
from runwire_server.domain.sessions import EventQuery, SessionChange
from runwire_server.domain.state import Tier
from runwire_server.storage.port import Append, Store

KEY = SessionKey("app", "ann", "s1")
HOUR = timedelta(hours=1)


def later(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


def said(name: str, role: Role = Role.ASSISTANT, **fields: Any) -> Event:
    return Event(
        request_id="",
        sequence=0,
        create_time=NOW,
        author="a",
        payload=MessagePayload(name, Message(role, name)),
        id=name,
        **fields,
    )


async def names(store: Store, **query: Any) -> list[str]:
    return [item.event.id for item in await store.list_session_events(KEY, EventQuery(**query))]


def uses(store: Store, key: SessionKey = KEY) -> list[Awaitable[Any]]:
    """Every operation that needs the session."""
    run = Run(key=RunKey("app", "new"), session=key, agent_name="a", state=RunState.QUEUED, create_time=NOW)
    return [
        store.get_session(key),
        store.update_session(key, SessionChange(display_name="x"), NOW),
        store.append_session_event(key, said("late"), NOW),
        store.list_session_events(key, EventQuery()),
        store.append_track_events(key, "t", ["{}"], NOW),
        store.list_track_events(key, "t", after=0, limit=10),
        store.get_state(key, Tier.SESSION),
        store.update_state(key, Tier.SESSION, {"a": 1}, NOW),
        store.create_run(run),
        store.read_copy(key),
    ]


async def is_gone(store: Store, key: SessionKey = KEY) -> None:
    """Assert that every operation says so."""
    for work in uses(store, key):
        with pytest.raises(NotFoundError):
            await work
    assert not await store.delete_session(key)
    assert (await store.list_sessions(key.app_name, key.user_id, limit=10)).items == ()
    assert (await store.list_owners(Tier.SESSION, limit=10)).items == ()


# Expiry


async def test_sessions_live_for_ever_by_default(store: Store, clock: Clock) -> None:
    made = await store.create_session(KEY, {}, NOW)
    clock.now += 1e9

    assert made.expiry == NEVER
    assert await store.get_session(KEY) == made


async def test_a_session_expires_for_every_operation(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    made = await store.create_session(KEY, {"a": 1}, NOW)
    await store.append_track_events(KEY, "t", ["1"], NOW)
    assert made.expiry == Expiry(HOUR, later(hours=1))

    clock.now += 3599.999
    assert (await store.get_session(KEY)).expiry == made.expiry
    clock.now = later(hours=1).timestamp()

    await is_gone(store)
    with pytest.raises(NotFoundError):
        await store.restore_session(KEY, NOW)


async def test_writes_renew_a_session_and_reads_do_not(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {}, NOW)
    writes = [
        lambda now: store.append_session_event(KEY, said("e"), now),
        lambda now: store.update_state(KEY, Tier.SESSION, {"a": 1}, now),
        lambda now: store.append_track_events(KEY, "t", ["1"], now),
        lambda now: store.update_session(KEY, SessionChange(display_name="n"), now),
    ]
    for number, write in enumerate(writes, 1):
        await write(later(minutes=number))
        assert (await store.get_session(KEY)).expiry.time == later(hours=1, minutes=number)

    await store.get_or_create_session(KEY, {"a": 2}, later(minutes=30))
    await store.append_session_event(KEY, said("e"), later(minutes=30))
    await store.update_state(KEY, Tier.APP, {"a": 1}, later(minutes=30))
    await store.list_session_events(KEY, EventQuery())

    assert (await store.get_session(KEY)).expiry.time == later(hours=1, minutes=4)


async def test_a_session_can_have_its_own_ttl(open_with: OpenWith) -> None:
    store = await open_with(session_ttl=HOUR)
    second, third = SessionKey("app", "ann", "s2"), SessionKey("app", "ann", "s3")

    made = await store.create_session(KEY, {}, NOW, ttl=timedelta(minutes=1), display_name="mine")
    kept = await store.create_session(second, {}, NOW, ttl=FOR_EVER)
    found, _ = await store.get_or_create_session(third, {}, NOW, ttl=2 * HOUR, display_name="x")

    assert (made.expiry, made.display_name) == (Expiry(timedelta(minutes=1), later(minutes=1)), "mine")
    assert kept.expiry == NEVER
    assert (found.expiry.ttl, found.display_name) == (2 * HOUR, "x")


async def test_a_fixed_end_is_not_renewed(store: Store, clock: Clock) -> None:
    await store.create_session(KEY, {}, NOW)

    changed = await store.update_session(KEY, SessionChange(expiry=Expiry(time=later(hours=1))), NOW)
    await store.append_session_event(KEY, said("e"), later(minutes=5))

    assert changed.expiry == (await store.get_session(KEY)).expiry == Expiry(None, later(hours=1))
    clock.now += 3600
    await is_gone(store)


async def test_expiry_can_be_taken_away_and_changes_are_seen(open_with: OpenWith) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {"a": 1}, NOW, display_name="old")

    changed = await store.update_session(KEY, SessionChange(expiry=NEVER), later(minutes=1))
    renamed = await store.update_session(KEY, SessionChange(display_name=""), later(minutes=2))

    assert (changed.expiry, changed.display_name, changed.update_time) == (NEVER, "old", later(minutes=1))
    assert (renamed.expiry, renamed.display_name, renamed.state) == (NEVER, "", {"a": 1})
    assert await store.get_session(KEY) == renamed


async def test_an_expired_name_is_free_and_nothing_old_comes_back(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {"old": 1, "user:u": 1}, NOW)
    await store.append_session_event(KEY, said("old"), NOW)
    await store.append_track_events(KEY, "t", ["1"], NOW)
    clock.now += 7200

    made = await store.create_session(KEY, {"new": 1}, later(hours=2))
    first = await store.append_session_event(KEY, said("old"), later(hours=2))
    (tracked,) = await store.append_track_events(KEY, "t", ["2"], later(hours=2))

    assert (made.state, made.create_time) == ({"new": 1, "user:u": 1}, later(hours=2))
    assert (first.position, tracked.position) == (1, 1)
    assert await names(store) == ["old"]
    with pytest.raises(AlreadyExistsError):
        await store.restore_session(KEY, NOW)


def beginning(now: datetime, *events: Event) -> tuple[Run, Append]:
    """A run, and how it begins its session."""
    run = Run(key=RunKey("app", "r"), session=KEY, agent_name="a", state=RunState.QUEUED, create_time=now)
    begun = replace(run, state=RunState.RUNNING, start_time=now, attempt=1, last_event_time=now)
    return run, Append(run=begun, after=0, session_events=events)


async def test_a_run_begins_a_session_in_place_of_an_expired_one(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {"old": 1}, NOW)
    clock.now += 7200
    run, begun = beginning(later(hours=2), said("new", Role.USER))

    await store.create_run(run, opening=begun)

    session = await store.get_session(KEY)
    assert (session.state, session.event_count, session.expiry.time) == ({}, 1, later(hours=3))
    assert await names(store) == ["new"]


async def test_what_begins_a_session_may_be_more_than_it_keeps(open_with: OpenWith) -> None:
    store = await open_with(event_limit=3)
    run, begun = beginning(NOW, *(said(f"e{number}", Role.USER) for number in range(1, 6)))

    await store.create_run(run, opening=begun)

    session = await store.get_session(KEY)
    assert await names(store) == ["e3", "e4", "e5"]
    assert (session.event_count, session.last_position) == (3, 5)


async def test_get_or_create_makes_an_expired_session_anew(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {"old": 1}, NOW)
    clock.now += 3600

    assert (await store.get_or_create_session(KEY, {}, later(hours=1)))[1]
    assert (await store.get_session(KEY)).state == {}


async def test_state_of_apps_and_users_expires_as_a_whole(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(app_state_ttl=HOUR, user_state_ttl=2 * HOUR)
    await store.create_session(KEY, {"s": 1, "app:a": 1, "user:u": 1}, NOW)
    await store.update_state(KEY, Tier.APP, {"b": 2}, later(minutes=30))

    clock.now += 3600
    assert (await store.get_session(KEY)).state == {"s": 1, "app:a": 1, "app:b": 2, "user:u": 1}
    clock.now += 1800
    assert (await store.get_session(KEY)).state == {"s": 1, "user:u": 1}
    assert await store.get_state(KEY, Tier.APP) == {}
    assert (await store.list_owners(Tier.APP, limit=9)).items == ()
    clock.now += 1800
    assert (await store.get_session(KEY)).state == {"s": 1}

    await store.append_session_event(KEY, said("e", state_delta={"app:c": 3, "user:v": 4}), later(hours=2))
    assert (await store.get_session(KEY)).state == {"s": 1, "app:c": 3, "user:v": 4}


async def test_a_run_does_not_revive_an_expired_session(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {}, NOW)
    run = await started(store)
    clock.now += 3600

    await store.append(
        Append(run=run, after=0, session_events=(said("e"),), state_delta={"a": 1, "user:u": 1})
    )

    with pytest.raises(NotFoundError):
        await store.get_session(KEY)
    assert await store.get_state(KEY, Tier.USER) == {"u": 1}


# Event limit


@pytest.mark.parametrize(
    ("count", "expected"), [(3, ["0", "1", "2"]), (4, ["1", "2", "3"]), (9, ["6", "7", "8"])]
)
async def test_the_oldest_events_are_deleted(open_with: OpenWith, count: int, expected: list[str]) -> None:
    store = await open_with(event_limit=3)
    await store.create_session(KEY, {}, NOW)

    appended = [
        await store.append_session_event(KEY, said(str(number), Role.USER), NOW) for number in range(count)
    ]

    assert [item.position for item in appended] == list(range(1, count + 1))
    assert await names(store) == expected
    session = await store.get_session(KEY)
    assert (session.event_count, session.last_position) == (3, count)


async def test_the_newest_user_message_is_never_deleted(open_with: OpenWith) -> None:
    store = await open_with(event_limit=3)
    await store.create_session(KEY, {}, NOW)
    roles = [Role.USER, Role.USER, *[Role.TOOL] * 6]
    for number, role in enumerate(roles):
        await store.append_session_event(KEY, said(str(number), role), NOW)

    assert await names(store) == ["1", "5", "6", "7"]
    assert (await store.get_session(KEY)).event_count == 4
    assert await names(store, user_only=True) == ["1"]

    await store.append_session_event(KEY, said("8", Role.USER), NOW)

    assert await names(store) == ["6", "7", "8"]
    assert (await store.get_session(KEY)).event_count == 3


async def test_a_deleted_event_can_be_appended_again(open_with: OpenWith) -> None:
    store = await open_with(event_limit=1)
    await store.create_session(KEY, {}, NOW)
    for name in ("a", "b", "a"):
        await store.append_session_event(KEY, said(name, Role.USER), NOW)

    (item,) = await store.list_session_events(KEY, EventQuery())
    assert (item.position, item.event.id) == (3, "a")


async def test_the_limit_holds_for_runs_too(open_with: OpenWith) -> None:
    store = await open_with(event_limit=5)
    await store.create_session(KEY, {}, NOW)
    await store.append_session_event(KEY, said("question", Role.USER), NOW)
    run = await started(store)

    await store.append(
        Append(run=run, after=0, session_events=tuple(said(f"e{number}") for number in range(12)))
    )

    assert await names(store) == ["question", "e7", "e8", "e9", "e10", "e11"]
    assert (await store.get_session(KEY)).last_position == 13


async def test_no_limit_keeps_all(open_with: OpenWith) -> None:
    store = await open_with(event_limit=0)
    await store.create_session(KEY, {}, NOW)
    run = await started(store)

    await store.append(Append(run=run, after=0, session_events=tuple(said(str(n)) for n in range(1500))))

    assert (await store.get_session(KEY)).event_count == 1500
    assert await names(store, after=1497, limit=5) == ["1497", "1498", "1499"]


# Deleting and restoring


async def test_a_deleted_session_is_gone_for_every_operation(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)

    assert await store.delete_session(KEY)

    await is_gone(store)


async def test_a_deleted_session_comes_back_whole(store: Store) -> None:
    await store.create_session(KEY, {"s": 1}, NOW, display_name="mine")
    await store.append_session_event(KEY, said("e"), later(minutes=1))
    await store.append_track_events(KEY, "t", ["1"], later(minutes=2))
    before = await store.get_session(KEY)
    await store.delete_session(KEY)

    assert await store.restore_session(KEY, later(minutes=9)) == before

    assert await store.get_session(KEY) == before
    assert await names(store) == ["e"]
    assert [item.payload for item in await store.list_track_events(KEY, "t", after=0, limit=9)] == ["1"]
    assert [item.key for item in (await store.list_sessions("app", "ann", limit=9)).items] == [KEY]
    assert (await store.append_session_event(KEY, said("f"), NOW)).position == 2


async def test_restoring_needs_a_free_name_and_a_deleted_session(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.restore_session(KEY, NOW)
    await store.create_session(KEY, {"n": 1}, NOW)
    with pytest.raises(AlreadyExistsError):
        await store.restore_session(KEY, NOW)
    await store.delete_session(KEY)
    await store.create_session(KEY, {"n": 2}, NOW)
    with pytest.raises(AlreadyExistsError):
        await store.restore_session(KEY, NOW)

    assert (await store.get_session(KEY)).state == {"n": 2}


async def test_the_one_deleted_last_is_restored(store: Store, clock: Clock) -> None:
    for number in (1, 2):
        await store.create_session(KEY, {"n": number}, NOW)
        await store.delete_session(KEY)
        clock.now += 1

    assert (await store.restore_session(KEY, NOW)).state == {"n": 2}

    await store.delete_session(KEY, purge=True)
    with pytest.raises(NotFoundError):
        await store.restore_session(KEY, NOW)


async def test_a_deleted_session_can_be_restored_for_a_time(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(deleted_ttl=HOUR)
    await store.create_session(KEY, {}, NOW)
    await store.delete_session(KEY)

    clock.now += 3599
    await store.restore_session(KEY, NOW)
    await store.delete_session(KEY)
    clock.now += 3600

    with pytest.raises(NotFoundError):
        await store.restore_session(KEY, NOW)


async def test_restoring_renews_a_ttl_and_not_a_fixed_end(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    fixed = SessionKey("app", "ann", "fixed")
    await store.create_session(KEY, {}, NOW)
    await store.create_session(fixed, {}, NOW)
    await store.update_session(fixed, SessionChange(expiry=Expiry(time=later(hours=2))), NOW)
    for key in (KEY, fixed):
        await store.delete_session(key)
    clock.now += 7200

    assert (await store.restore_session(KEY, later(hours=2))).expiry.time == later(hours=3)
    with pytest.raises(NotFoundError):
        await store.restore_session(fixed, later(hours=2))


@pytest.mark.parametrize("purge", [True, False])
async def test_deleting_for_good(open_with: OpenWith, *, purge: bool) -> None:
    store = await (open_with() if purge else open_with(deleted_ttl=timedelta(0)))
    await store.create_session(KEY, {"s": 1, "user:u": 1}, NOW)
    await store.append_session_event(KEY, said("e"), NOW)

    assert await store.delete_session(KEY, purge=purge)

    with pytest.raises(NotFoundError):
        await store.restore_session(KEY, NOW)
    assert await store.get_state(KEY, Tier.USER) == {"u": 1}
    assert not await store.delete_session(KEY, purge=purge)


# Cleaning up


async def test_cleaning_up_takes_only_what_is_gone(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR, app_state_ttl=HOUR, deleted_ttl=HOUR, track_ttl=HOUR)
    for number in range(5):
        key = SessionKey("app", "ann", f"s{number}")
        await store.create_session(key, {"app:a": 1, "user:u": 1}, NOW)
        await store.append_track_events(key, "t", ["1"], NOW)
    kept = SessionKey("app", "ann", "kept")
    await store.create_session(kept, {}, NOW, ttl=FOR_EVER)
    await store.append_track_events(kept, "t", ["1"], NOW)
    await store.append_track_events(kept, "t", ["2"], later(minutes=50))
    await store.delete_session(SessionKey("app", "ann", "s0"))
    assert await store.clean_up(limit=100) == 0
    await store.update_state(SessionKey("app", "ann", "s1"), Tier.SESSION, {"a": 1}, later(minutes=30))
    clock.now += 3600

    while await store.clean_up(limit=2) >= 2:
        pass

    page = await store.list_sessions("app", "ann", limit=9)
    assert [item.key.session_id for item in page.items] == ["kept", "s1"]
    assert await store.get_state(KEY, Tier.APP) == {}
    assert await store.get_state(KEY, Tier.USER) == {"u": 1}
    assert [item.payload for item in await store.list_track_events(kept, "t", after=0, limit=9)] == ["2"]
    with pytest.raises(NotFoundError):
        await store.restore_session(SessionKey("app", "ann", "s0"), later(hours=1))


async def test_cleaning_up_while_names_are_taken_again(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(session_ttl=HOUR)
    await store.create_session(KEY, {"n": 1}, NOW)
    clock.now += 3600
    await store.create_session(KEY, {"n": 2}, later(hours=1))
    await store.append_session_event(KEY, said("e"), later(hours=1))

    await store.clean_up(limit=100)

    assert (await store.get_session(KEY)).state == {"n": 2}
    assert await names(store) == ["e"]


# Tracks


async def test_tracks_have_positions_of_their_own(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)

    first = await store.append_track_events(KEY, "a", ['{"n": 1}', "[]"], later(seconds=1))
    await store.append_track_events(KEY, "A", ['"other"'], NOW)
    second = await store.append_track_events(KEY, "a", ["null"], later(seconds=2))

    assert [item.position for item in (*first, *second)] == [1, 2, 3]
    assert await store.list_track_events(KEY, "a", after=0, limit=10) == [*first, *second]
    assert await store.list_track_events(KEY, "a", after=1, limit=1) == first[1:]
    assert await store.list_track_events(KEY, "none", after=0, limit=10) == []
    assert [item.payload for item in await store.list_track_events(KEY, "A", after=0, limit=10)] == [
        '"other"'
    ]
    session = await store.get_session(KEY)
    assert (session.update_time, session.event_count) == (later(seconds=2), 0)


async def test_track_events_expire_one_by_one(open_with: OpenWith, clock: Clock) -> None:
    store = await open_with(track_ttl=HOUR)
    await store.create_session(KEY, {}, NOW)
    await store.append_track_events(KEY, "t", ["1"], NOW)
    await store.append_track_events(KEY, "t", ["2"], later(minutes=30))

    clock.now += 3600
    assert [item.payload for item in await store.list_track_events(KEY, "t", after=0, limit=9)] == ["2"]
    clock.now += 1800
    await store.clean_up(limit=100)
    assert await store.list_track_events(KEY, "t", after=0, limit=9) == []
    (item,) = await store.append_track_events(KEY, "t", ["3"], later(hours=2))
    assert item.position == 3


# Copies


async def test_a_copy_is_the_whole_session(open_with: OpenWith) -> None:
    store = await open_with(event_limit=3)
    await store.create_session(KEY, {"s": 1, "user:u": 1}, NOW, ttl=HOUR, display_name="mine")
    for number in range(5):
        await store.append_session_event(KEY, said(str(number), Role.USER), later(minutes=number))
    await store.append_track_events(KEY, "t", ["1", "2"], later(minutes=7))
    before = await store.get_session(KEY)
    copy = await store.read_copy(KEY)
    assert copy.session.state == {"s": 1}
    with pytest.raises(AlreadyExistsError):
        await store.write_copy(copy)
    await store.delete_session(KEY, purge=True)

    await store.write_copy(copy)

    assert await store.get_session(KEY) == before
    assert await store.read_copy(KEY) == copy
    assert await names(store) == ["2", "3", "4"]
    assert (await store.append_session_event(KEY, said("next"), NOW)).position == 6
    assert (await store.append_track_events(KEY, "t", ["3"], NOW))[0].position == 3


async def test_a_copy_is_not_trimmed_and_knows_its_user_message(open_with: OpenWith) -> None:
    store = await open_with(event_limit=0)
    await store.create_session(KEY, {}, NOW)
    for name, role in [("q", Role.USER), ("a", Role.ASSISTANT), ("b", Role.ASSISTANT)]:
        await store.append_session_event(KEY, said(name, role), NOW)
    copy = await store.read_copy(KEY)
    await store.delete_session(KEY, purge=True)
    strict = await open_with(event_limit=1) if store.kind != "memory" else store

    await strict.write_copy(copy)

    assert await names(strict) == ["q", "a", "b"]


async def test_owners_are_listed_in_pages(store: Store) -> None:
    keys = [SessionKey(app, user, name) for app in "ba" for user in "xy" for name in ("1", "2")]
    for key in keys:
        await store.create_session(key, {"user:u": 1} if key.user_id == "x" else {}, NOW)
    await store.update_state(SessionKey("a", "", ""), Tier.APP, {"n": 1}, NOW)
    await store.update_state(SessionKey("empty", "", ""), Tier.APP, {"n": None}, NOW)
    await store.delete_session(keys.pop())

    async def owners(tier: Tier) -> list[SessionKey]:
        found: list[SessionKey] = []
        cursor = None
        while True:
            page = await store.list_owners(tier, limit=3, cursor=cursor)
            found += page.items
            if (cursor := page.next_cursor) is None:
                return found

    assert sorted(await owners(Tier.SESSION)) == sorted(keys)
    assert sorted(await owners(Tier.USER)) == [SessionKey("a", "x", ""), SessionKey("b", "x", "")]
    assert await owners(Tier.APP) == [SessionKey("a", "", "")]


async def started(store: Store) -> Run:
    """A run of the session, at work."""
    run = Run(key=RunKey("app", "r"), session=KEY, agent_name="a", state=RunState.QUEUED, create_time=NOW)
    await store.create_run(run)
    taken = await store.claim_run(run.key, ReplicaId("ann"), attempt=0, now=NOW)
    assert taken is not None
    return taken


async def test_a_run_can_write_what_is_not_a_message(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    run = await started(store)
    noted = Event(request_id="", sequence=0, create_time=NOW, author="a", payload=Custom("n", {}), id="c")

    await store.append(Append(run=run, after=0, session_events=(noted,)))

    assert await names(store) == ["c"]
    assert await names(store, user_only=True) == []
