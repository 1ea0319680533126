"""The storage contract, finding and truncating events. Every adapter passes every test here, unchanged."""

import asyncio

import pytest

from conformance.conftest import OpenWith
from conformance.test_runs import DONE, claimed, make_event, make_run, sequences, write
from conformance.test_sessions import KEY, NOW, STRANGE, event, later, texts
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import BusyError, NotFoundError
from runwire_server.domain.sessions import EventQuery
from runwire_server.storage.port import Store

ANSWER = ev.MessagePayload("m", Message(Role.ASSISTANT, "answer"))


async def session_of(store: Store, count: int) -> None:
    """A session with so many events, all of the user."""
    await store.create_session(KEY, {"a": 1}, NOW)
    for number in range(1, count + 1):
        await store.append_session_event(KEY, event(number), NOW)


async def positions(store: Store) -> list[int]:
    return [item.position for item in await store.list_session_events(KEY, EventQuery())]


async def test_an_event_is_found_by_its_id(store: Store) -> None:
    await session_of(store, 3)

    found = await store.find_session_event(KEY, "e2")

    assert found is not None
    assert (found.position, found.event) == (2, event(2))
    assert await store.find_session_event(KEY, "E2") is None
    assert await store.find_session_event(KEY, "") is None


async def test_ids_of_any_characters_are_found(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    for number, name in enumerate(STRANGE):
        await store.append_session_event(KEY, event(number, id=name), NOW)

    found = [await store.find_session_event(KEY, name) for name in STRANGE]

    assert [item and item.position for item in found] == list(range(1, len(STRANGE) + 1))


async def test_what_a_run_said_is_found(store: Store) -> None:
    run = await claimed(store)
    said = make_event(1, ANSWER)
    await store.append(write(run, session_events=(said,)))

    found = await store.find_session_event(run.session, said.id)

    assert found is not None
    assert found.event == said


async def test_an_unknown_session_has_no_events_to_find_or_delete(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.find_session_event(KEY, "e1")
    with pytest.raises(NotFoundError):
        await store.truncate_session(KEY, after=0, now=NOW)


async def test_the_events_after_a_position_are_deleted(store: Store) -> None:
    await session_of(store, 5)

    assert await store.truncate_session(KEY, after=2, now=later(9)) == 3

    assert await texts(store) == ["text 1", "text 2"]
    assert await store.find_session_event(KEY, "e3") is None
    assert await store.find_session_event(KEY, "e2") is not None
    session = await store.get_session(KEY)
    assert (session.event_count, session.last_position, session.update_time) == (2, 5, later(9))
    assert session.state == {"a": 1}
    listed = await store.list_sessions("app", "ann", limit=9)
    assert listed.items == (session,)


async def test_positions_go_on_after_a_truncation(store: Store) -> None:
    await session_of(store, 3)
    await store.truncate_session(KEY, after=1, now=NOW)

    added = await store.append_session_event(KEY, event(3), NOW)

    assert added.position == 4
    assert await positions(store) == [1, 4]
    assert (await store.get_session(KEY)).event_count == 2


async def test_all_events_can_be_deleted_and_others_come(store: Store) -> None:
    await session_of(store, 3)

    assert await store.truncate_session(KEY, after=0, now=NOW) == 3
    assert await store.truncate_session(KEY, after=0, now=NOW) == 0
    assert await positions(store) == []
    assert (await store.append_session_event(KEY, event(1), NOW)).position == 4

    assert (await store.find_session_event(KEY, "e1")) is not None
    copy = await store.read_copy(KEY)
    assert (copy.session.event_count, [item.position for item in copy.events]) == (1, [4])


async def test_nothing_after_the_end_is_nothing_to_delete(store: Store) -> None:
    await session_of(store, 2)

    assert await store.truncate_session(KEY, after=2, now=later(1)) == 0
    assert await store.truncate_session(KEY, after=99, now=later(2)) == 0

    assert await positions(store) == [1, 2]
    assert (await store.get_session(KEY)).update_time == later(2)


async def test_user_messages_that_are_gone_are_not_kept_by_the_limit(store: Store) -> None:
    """The newest user message is never lost to the limit; one that was truncated is not the newest any more."""
    await session_of(store, 2)
    await store.append_session_event(KEY, event(3, ANSWER), NOW)
    await store.truncate_session(KEY, after=1, now=NOW)

    users = await store.list_session_events(KEY, EventQuery(user_only=True, newest_first=True))

    assert [item.position for item in users] == [1]


async def test_many_events_are_deleted_at_once(open_with: OpenWith) -> None:
    store = await open_with(event_limit=0)
    run = await claimed(store)
    for start in range(0, 4500, 1500):
        said = tuple(make_event(start + n, ANSWER) for n in range(1500))
        step = write(run, None, session_events=said)
        await store.append(step)
        run = step.run
    await store.append(write(run, DONE))

    assert await store.truncate_session(run.session, after=3, now=NOW) == 4497

    left = await store.list_session_events(run.session, EventQuery())
    assert [item.position for item in left] == [1, 2, 3]
    assert await sequences(store, run.key) == [1, 2, 3, 4]


async def test_a_session_with_a_run_at_work_is_not_truncated(store: Store) -> None:
    run = await claimed(store, "at work 😀")
    await store.append_session_event(run.session, event(1), NOW)
    await store.create_run(make_run("queued"))

    with pytest.raises(BusyError) as refused:
        await store.truncate_session(run.session, after=0, now=later(9))

    assert refused.value.request_id == "at work 😀"
    session = await store.get_session(run.session)
    assert (session.event_count, session.update_time) == (1, NOW)
    await store.append(write(run, DONE))
    with pytest.raises(BusyError, match="queued"):
        await store.truncate_session(run.session, after=0, now=NOW)


async def test_a_truncation_and_a_run_do_not_overtake_each_other(store: Store) -> None:
    run = await claimed(store)
    await store.append(write(run, session_events=(make_event(1, ANSWER),)))
    results = await asyncio.gather(
        store.truncate_session(run.session, after=0, now=NOW),
        store.append(write(run, DONE)),
        return_exceptions=True,
    )

    left = (await store.get_session(run.session)).event_count
    assert (results[0], left) in {(1, 0)} or (isinstance(results[0], BusyError) and left == 1)


async def test_a_deleted_session_comes_back_truncated(store: Store) -> None:
    await session_of(store, 3)
    await store.truncate_session(KEY, after=2, now=NOW)
    await store.delete_session(KEY)
    with pytest.raises(NotFoundError):
        await store.truncate_session(KEY, after=0, now=NOW)

    session = await store.restore_session(KEY, NOW)

    assert (session.event_count, session.last_position) == (2, 3)
    assert await positions(store) == [1, 2]
