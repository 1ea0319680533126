"""Redis: a process that is killed between any two commands leaves nothing that a sweep does not put right."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis_support import age, doom, members

from conformance.conftest import NOW
from conformance.test_runs import (
    ANN,
    BOB,
    DONE,
    HARD,
    SESSION,
    claimed,
    later,
    make_event,
    make_run,
    write,
)
from runwire_server.domain.errors import BusyError, NotFoundError, UnavailableError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL
from runwire_server.domain.retention import Retention
from runwire_server.domain.runs import NOBODY, RunState
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import RunFilter
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import Index, to_micros
from runwire_server.storage.redis.store import RedisStore
from servers.shared import fresh_url

STEPS_MAX = 60
OpenStore = Callable[[], Awaitable[RedisStore]]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with fresh_url("redis", tmp_path) as made:
        yield made


@pytest.fixture
async def open_one(url: str) -> AsyncIterator[OpenStore]:
    """Opens the same store again and again; each place is used for one number of steps only."""
    async with AsyncExitStack() as stack:
        count = 0

        async def make() -> RedisStore:
            nonlocal count
            count += 1
            place = url.replace(":?", "?") + f"{(count - 1) // 2}:"
            opened = await stack.enter_async_context(
                open_store(place, retention=Retention(), clock=NOW.timestamp)
            )
            assert isinstance(opened, RedisStore)
            return opened

        yield make


async def survives(work: Awaitable[object]) -> bool:
    """Whether the work came to its end."""
    try:
        await work
    except UnavailableError:
        return False
    return True


async def sweep(store: RedisStore) -> None:
    await age(store)
    await store.list_orphans(limit=10)
    await store.clean_up(limit=10)


async def test_a_run_that_is_being_made(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        await store.create_session(SESSION, {}, NOW)
        doom(dying, steps)
        is_done = await survives(dying.create_run(make_run()))

        answers = await asyncio.gather(*(store.create_run(make_run(owner=BOB)) for _ in range(3)))
        news = sum(is_new for _, is_new in answers) + is_done

        orphans = await store.list_orphans(limit=9)
        assert [run.key for run in orphans] == [RunKey("app", "r1")]
        assert news <= 1
        # Who was told that it is new is the owner; when he died first it is an orphan.
        assert news == 1 or orphans[0].owner == ANN
        assert len({run.owner for run, _ in answers}) == 1
        assert len((await store.list_runs(RunFilter(app_name="app"), limit=9)).items) == 1
        taken = await store.claim_run(RunKey("app", "r1"), BOB, attempt=0, now=NOW)
        assert taken is not None
        await store.append(write(taken, DONE))
        assert await store.list_orphans(limit=9) == []
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_a_run_that_nobody_finishes_is_given_up(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        await store.create_session(SESSION, {}, NOW)
        await store.request_cancel(RunKey("app", "r1"), HARD, now=NOW, remember_until=later(60))
        doom(dying, steps)
        is_done = await survives(dying.create_run(make_run()))

        await sweep(store)

        runs = (await store.list_runs(RunFilter(app_name="app"), limit=9)).items
        if not runs:
            assert await members(store, store._site.keys.index(Index.LIVE)) == []
            with pytest.raises(NotFoundError):
                await store.get_run(RunKey("app", "r1"))
        assert (await store.create_run(make_run()))[0].cancel == HARD
        assert len((await store.list_runs(RunFilter(app_name="app"), limit=9)).items) == 1
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_who_stalled_makes_no_run_that_was_given_up(open_one: OpenStore) -> None:
    dying, store = await open_one(), await open_one()
    await store.create_session(SESSION, {}, NOW)
    doom(dying, 1)
    assert not await survives(dying.create_run(make_run()))
    pointer = await store._pointer(RunKey("app", "r1"))
    assert pointer is not None
    await store._database.in_order([store._site.hint(Index.LIVE, "app", "ann", "s1", "r1")])
    await sweep(store)

    assert (await store._finish(pointer, is_worker=True))[0] < 0

    with pytest.raises(NotFoundError):
        await store.get_run(RunKey("app", "r1"))
    assert (await store.create_run(make_run()))[1]


async def test_a_run_that_must_be_first_and_is_refused(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        first = await claimed(store, "first")
        doom(dying, steps)
        is_done = False
        try:
            assert not await survives(dying.create_run(make_run(), must_be_first=True))
        except BusyError:
            is_done = True

        with pytest.raises(BusyError, match="first"):
            await store.create_run(make_run(), must_be_first=True)
        await sweep(store)

        index = store._site.keys.index(Index.LIVE)
        assert len(await members(store, index)) == 1
        assert len((await store.list_runs(RunFilter(app_name="app"), limit=9)).items) == 1
        await store.append(write(first, DONE))
        assert (await store.create_run(make_run(), must_be_first=True))[1]
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_what_a_dead_creator_planned_is_made_only_when_it_is_the_first(open_one: OpenStore) -> None:
    dying, store = await open_one(), await open_one()
    await claimed(store, "first")
    doom(dying, 1)
    assert not await survives(dying.create_run(make_run(), must_be_first=True))

    # A cancel finishes what it finds half made.
    answer = await store.request_cancel(RunKey("app", "r1"), HARD, now=NOW, remember_until=later(60))

    assert answer == (None, True)
    assert await store.create_run(make_run()) == (make_run(cancel=HARD), True)


async def test_a_run_that_begins_to_wait(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        run = await claimed(store)
        doom(dying, steps)
        waiting = write(replace(run, state=RunState.WAITING, owner=NOBODY, due_time=later(60)), None)
        await survives(dying.append(waiting))
        is_written = (await store.get_run(run.key)).state is RunState.WAITING

        # Whoever looks too early forgets nothing.
        assert await store.list_due(later(59), limit=9) == []
        assert await store.list_due(later(60), limit=9) == ([waiting.run] if is_written else [])
        if is_written and dying._database.left:  # type: ignore[attr-defined]
            return
    raise AssertionError("too many steps")


async def test_a_run_that_is_due_earlier_and_whose_hint_was_lost(open_one: OpenStore) -> None:
    store = await open_one()
    run = await claimed(store)
    waiting = write(replace(run, state=RunState.WAITING, owner=NOBODY, due_time=later(60)), None)
    await store.append(waiting)
    index = store._site.keys.index(Index.WAITING)
    (member,) = await members(store, index)
    for loss in (Call("ZREM", [index], [member]), Call("ZADD", [index], [to_micros(later(90)), member])):
        await store._database.call(loss)
        assert await store.list_due(later(60), limit=9) == []

        await store.list_orphans(limit=9)

        assert await store.list_due(later(60), limit=9) == [waiting.run]
    await store.append(write(replace(waiting.run, attempt=1), DONE))
    assert await members(store, index) == []


async def test_mail_of_a_dead_writer(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        run = await claimed(store)
        step = write(replace(run, state=RunState.WAITING, owner=ANN, due_time=later(60)), None)
        await store.append(step)
        doom(dying, steps)
        mail = NO_MAIL.with_all_read()
        is_done = await survives(dying.set_mail(run.key, mail, version=0, due_time=later(1)))

        stored = await store.get_run(run.key)
        is_written = stored.mail == mail
        assert is_written or not is_done
        assert await store.list_with_mail(ANN, limit=9) == ([stored] if is_written else [])
        assert await store.list_due(later(1), limit=9) == ([stored] if is_written else [])
        assert await store.list_due(later(60), limit=9) == [stored]
        await store.append(write(replace(stored, attempt=1), DONE))
        assert await members(store, store._site.keys.index(Index.MAIL)) == []
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_a_session_that_is_being_truncated(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        run = await claimed(store)
        await store.append(write(run, DONE, session_events=(make_event(1), make_event(2))))
        doom(dying, steps)
        is_done = await survives(dying.truncate_session(SESSION, after=1, now=later(9)))

        session = await store.get_session(SESSION)
        assert session.event_count in ({1} if is_done else {1, 2})
        assert (await store.list_sessions("app", "ann", limit=9)).items == (session,)
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_a_session_that_is_being_made(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        doom(dying, steps)
        is_done = await survives(dying.create_session(SESSION, {"s": 1, "user:u": 2, "app:a": 3}, NOW))

        await sweep(store)

        listed = (await store.list_sessions("app", "ann", limit=9)).items
        owners = (await store.list_owners(Tier.SESSION, limit=9)).items
        try:
            found = await store.get_session(SESSION)
        except NotFoundError:
            assert (listed, owners) == ((), ())
            assert await store.get_state(SESSION, Tier.USER) == {}
        else:
            assert found.state == {"s": 1, "user:u": 2, "app:a": 3}
            assert (listed, owners) == ((found,), (SESSION,))
        assert await members(store, store._site.keys.index(Index.DIRTY)) == []
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_an_append_that_ends_a_run_and_writes_to_all_tiers(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        await store.create_session(SessionKey("app", "ann", "newer"), {}, later(1))
        run = await claimed(store)
        doom(dying, steps)
        delta = {"s": 1, "user:u": 2, "app:a": 3}
        step = write(run, DONE, state_delta=delta)
        is_done = await survives(dying.append(step))

        await sweep(store)

        is_written = (await store.get_run(run.key)).state.is_terminal
        assert is_written or not is_done
        assert len(await store.list_run_events(run.key, after=0, limit=9)) == int(is_written)
        for tier, expected in ((Tier.USER, {"u": 2}), (Tier.APP, {"a": 3}), (Tier.SESSION, {"s": 1})):
            assert await store.get_state(SESSION, tier) == (expected if is_written else {})
        assert len(await store.list_orphans(limit=9)) == int(not is_written)
        assert await store.delete_runs_ended_before(NOW + timedelta(days=1), limit=9) == int(is_written)
        if is_written:
            with pytest.raises(NotFoundError):
                await store.get_run(run.key)
            assert (await store.list_runs(RunFilter(app_name="app"), limit=9)).items == ()
        else:
            await store.append(step)
        if dying._database.left:  # type: ignore[attr-defined]
            return
    raise AssertionError("too many steps")


async def test_a_delta_of_a_dead_writer_counts_once(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        run = await claimed(store)
        doom(dying, steps)
        await survives(dying.append(write(run, None, state_delta={"user:u": 1})))
        is_written = (await store.get_run(run.key)).last_sequence == 1
        await store.get_session(SESSION)
        await store.update_state(SESSION, Tier.USER, {"u": 2}, NOW)

        await sweep(store)

        assert await store.get_state(SESSION, Tier.USER) == {"u": 2}
        if is_written and dying._database.left:  # type: ignore[attr-defined]
            return
    raise AssertionError("too many steps")


async def test_a_run_that_is_being_deleted(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        run = await claimed(store)
        await store.append(write(run, DONE))
        doom(dying, steps)
        is_done = await survives(dying.delete_runs_ended_before(later(99), limit=9))

        await store.delete_runs_ended_before(later(99), limit=9)

        with pytest.raises(NotFoundError):
            await store.get_run(run.key)
        assert (await store.list_runs(RunFilter(app_name="app"), limit=9)).items == ()
        assert await members(store, store._site.keys.app_runs("app")) == []
        assert (await store.create_run(make_run()))[1]
        if is_done:
            return
    raise AssertionError("too many steps")


async def test_a_session_that_is_being_deleted_or_restored(open_one: OpenStore) -> None:
    for steps in range(STEPS_MAX):
        dying, store = await open_one(), await open_one()
        await store.create_session(SESSION, {"a": 1}, NOW)
        doom(dying, steps)
        is_done = await survives(dying.delete_session(SESSION))

        assert (
            await store.delete_session(SESSION)
            or not (await store.list_sessions("app", "ann", limit=1)).items
        )
        doom(dying, steps)
        is_done &= await survives(dying.restore_session(SESSION, NOW))
        await sweep(store)

        is_there = bool(await store.delete_session(SESSION))
        assert (await store.restore_session(SESSION, NOW)).state == {"a": 1}
        assert len((await store.list_sessions("app", "ann", limit=9)).items) == 1
        if is_done:
            assert is_there
            return
    raise AssertionError("too many steps")


async def test_lists_are_right_whatever_the_index_says(open_one: OpenStore) -> None:
    store = await open_one()
    for number in range(20):
        await store.create_session(SessionKey("app", "ann", f"s{number:02}"), {}, later(number // 5))
    index = store._site.keys.user_sessions("app", "ann")
    client = store._database._client
    await client.zadd(
        index, {"s03": later(900).timestamp() * 1e6, "s04": later(2).timestamp() * 1e6, "gone": 2e15}
    )
    expected = [f"s{number:02}" for number in reversed(range(20))]

    for _ in range(2):
        seen: list[str] = []
        cursor = None
        while True:
            page = await store.list_sessions("app", "ann", limit=3, cursor=cursor)
            seen += [session.key.session_id for session in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == expected
    assert "gone" not in await members(store, index)
