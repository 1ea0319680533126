"""Asynchronous persistence: what it may lose, what it never loses, and that it says so."""

import asyncio
import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import (
    BusyError,
    FencedError,
    NoRoomError,
    NotFoundError,
    StaleMailError,
    UnavailableError,
    WritesLostError,
)
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL, QueuedMessage
from runwire_server.domain.runs import NOBODY, Outcome, RunState
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.storage.port import RunFilter
from support import eventually
from unit.storage.deferred_support import ANN, BOB, NOW, Bench, add, bench_with, last_write, next_write

SESSION = SessionKey("app", "ann", "s")
KEY = RunKey("app", "r")


async def test_appends_are_acknowledged_before_they_are_durable_and_written_in_order() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        for _ in range(5):
            run = await add(bench.store, run)

        assert await bench.stored() == [1]
        assert sum(bench.metric("queue_depth", worker=str(n)) for n in range(4)) == 5
        await asyncio.sleep(0.02)
        assert bench.metric("queue_lag_seconds") >= 0.02
        bench.inner.gate.set()
        await bench.store.flush()

        assert await bench.stored() == [1, 2, 3, 4, 5, 6]
        assert sum(bench.metric("queue_depth", worker=str(n)) for n in range(4)) == 0
        assert bench.metric("queue_lag_seconds") == 0


async def test_every_session_is_in_order_and_many_are_written_at_once() -> None:
    async with bench_with() as bench:
        names = [f"r{n}" for n in range(30)]

        async def write_run(name: str) -> None:
            run = await bench.begun(name, name)
            for _ in range(20):
                run = await add(bench.store, run)

        await asyncio.gather(*map(write_run, names))
        await bench.store.flush()

        for name in names:
            assert await bench.stored(name) == list(range(1, 22))
        assert bench.inner.at_work_max > 4


async def test_two_runs_of_one_session_keep_their_common_order() -> None:
    async with bench_with() as bench:
        runs = []
        for name in ("one", "two"):
            # Claimed in sessions of their own: a session's queue gives one turn at a time.
            run = await bench.begun(name, name)
            runs.append(replace(run, session=SESSION))
        await bench.store.get_or_create_session(SESSION, {}, NOW)
        bench.inner.appended.clear()
        for _ in range(5):
            runs = [await add(bench.store, run) for run in runs]
        await bench.store.flush()

        wanted = [(name, number) for number in range(2, 7) for name in ("one", "two")]
        assert bench.inner.appended == wanted


async def test_a_full_queue_makes_callers_wait_and_drops_nothing() -> None:
    async with bench_with(workers=1, depth_max=3, wait_seconds=5.0) as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        for _ in range(3):
            run = await add(bench.store, run)
        waiting = asyncio.create_task(add(bench.store, run))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        bench.inner.gate.set()
        await waiting
        await bench.store.flush()

        assert await bench.stored() == [1, 2, 3, 4, 5]


async def test_a_queue_that_stays_full_is_an_error_and_the_log_goes_on_after_it() -> None:
    async with bench_with(workers=1, depth_max=2, wait_seconds=0.05) as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        for _ in range(2):
            run = await add(bench.store, run)
        with pytest.raises(NoRoomError):
            await add(bench.store, run)
        bench.inner.gate.set()
        await bench.store.flush()
        await add(bench.store, run)
        await bench.store.flush()

        assert await bench.stored() == [1, 2, 3, 4]


async def test_a_caller_that_is_cancelled_while_it_waits_has_written_nothing() -> None:
    async with bench_with(workers=1, depth_max=1, wait_seconds=5.0) as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        run = await add(bench.store, run)
        waiting = asyncio.create_task(add(bench.store, run))
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        bench.inner.gate.set()
        await bench.store.flush()
        run = await add(bench.store, run)
        await bench.store.flush()

        assert await bench.stored() == [1, 2, 3]


async def test_a_caller_that_is_cancelled_while_it_reads_changes_nothing() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        await add(bench.store, run)
        reading = asyncio.create_task(bench.store.get_run(KEY))
        await asyncio.sleep(0.02)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        bench.inner.gate.set()

        assert (await bench.store.get_run(KEY)).last_sequence == 2


@pytest.mark.parametrize("failure", [UnavailableError("away"), NoRoomError("full")])
async def test_a_write_is_retried(failure: Exception) -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        bench.inner.failures = [failure, failure]
        run = await add(bench.store, run)
        await add(bench.store, run)
        await bench.store.flush()

        assert await bench.stored() == [1, 2, 3]
        assert bench.metric("writes_retried_total") == 2
        assert bench.metric("writes_lost_total") == 0


async def test_a_write_whose_answer_was_lost_is_not_written_twice_and_fences_nobody() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        bench.inner.loses_answers = True
        run = await add(bench.store, run)
        run = await add(bench.store, run)
        await bench.store.flush()

        assert await bench.stored() == [1, 2, 3]
        assert await bench.store.list_session_events(SESSION, EventQuery()) != []
        await bench.store.append(last_write(run))


async def lose(bench: Bench) -> Any:
    """A run of which events 2 and 3 are accepted, and lost."""
    run = await bench.begun()
    bench.inner.is_down = True
    for _ in range(2):
        run = await add(bench.store, run)
    await eventually(lambda: bench.metric("writes_lost_total") == 2)
    bench.inner.is_down = False
    return run


async def test_a_write_that_is_given_up_fails_its_run_at_the_next_append(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bench_with(retry_seconds=0.1) as bench:
        run = await lose(bench)

        assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
            "run r: its events from 2 on are lost: down"
        ]
        for _ in range(2):
            with pytest.raises(WritesLostError):
                await add(bench.store, run)
        assert await bench.stored() == [1]
        assert (await bench.store.get_run(KEY)).last_sequence == 1
        assert [event.sequence for event in await bench.store.list_run_events(KEY, after=0, limit=9)] == [1]


@pytest.mark.parametrize("outcome", [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.TIMED_OUT, Outcome.FAILED])
async def test_a_run_that_lost_events_cannot_end_as_if_nothing_were(outcome: Outcome) -> None:
    async with bench_with(retry_seconds=0.1) as bench:
        run = await lose(bench)

        with pytest.raises(WritesLostError):
            await bench.store.append(last_write(run, outcome))
        if outcome is not Outcome.FAILED:
            with pytest.raises(WritesLostError):
                await bench.store.append(last_write(run, outcome))
        await bench.store.append(last_write(run, Outcome.FAILED))

        stored = await bench.store.get_run(KEY)
        assert (stored.state, stored.last_sequence) == (RunState.FAILED, 3)
        events = await bench.store.list_run_events(KEY, after=0, limit=9)
        assert [event.sequence for event in events] == [1, 2, 3]
        assert events[-1].is_last
        said = await bench.store.list_session_events(SESSION, EventQuery())
        assert said[-1].event == events[1]
        with pytest.raises(FencedError):
            await bench.store.append(last_write(run, Outcome.FAILED))


async def test_the_end_of_a_run_that_lost_events_waits_for_the_store() -> None:
    async with bench_with(retry_seconds=0.1) as bench:
        run = await lose(bench)
        with pytest.raises(WritesLostError):
            await add(bench.store, run)
        end = last_write(run, Outcome.FAILED)
        bench.inner.is_down = True
        with pytest.raises(UnavailableError) as refused:
            await bench.store.append(end)
        assert not isinstance(refused.value, WritesLostError)
        bench.inner.is_down = False
        bench.inner.loses_answers = True
        with pytest.raises(UnavailableError):
            await bench.store.append(end)
        await bench.store.append(end)

        assert await bench.stored() == [1, 2, 3]


async def test_a_run_that_lost_events_and_was_taken_is_fenced() -> None:
    async with bench_with(retry_seconds=0.1) as bench:
        run = await lose(bench)
        with pytest.raises(WritesLostError):
            await add(bench.store, run)
        await bench.inner.claim_run(KEY, BOB, attempt=1, now=NOW)

        with pytest.raises(FencedError):
            await bench.store.append(last_write(run, Outcome.FAILED))


async def test_a_fault_of_the_store_loses_the_run_and_not_the_worker() -> None:
    async with bench_with(workers=1) as bench:
        run = await bench.begun()
        other = await bench.begun("other", "other")
        bench.inner.failures = [RuntimeError("a bug")]
        await add(bench.store, run)
        await eventually(lambda: bench.metric("writes_lost_total") == 1)
        await add(bench.store, other)
        await bench.store.flush()

        assert await bench.stored("other") == [1, 2]
        with pytest.raises(WritesLostError):
            await add(bench.store, replace(run, last_sequence=2))


@pytest.mark.parametrize("how", ["taken", "deleted"])
async def test_a_run_that_is_not_ours_any_more_is_fenced_and_nothing_more_of_it_is_written(how: str) -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        if how == "taken":
            await bench.inner.claim_run(KEY, BOB, attempt=1, now=NOW)
        else:
            del bench.inner._logs[KEY]
        tries = bench.inner.tries
        for _ in range(3):
            run = await add(bench.store, run)
        with pytest.raises(UnavailableError):
            await bench.store.flush()

        assert bench.inner.tries == tries + 1
        with pytest.raises(FencedError):
            await add(bench.store, run)
        with pytest.raises((FencedError, NotFoundError)):
            await bench.store.append(last_write(run))
        if how == "taken":
            assert await bench.stored() == [1]
        assert bench.metric("writes_lost_total") == 3


async def test_a_completion_is_acknowledged_when_all_before_it_is_durable() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        run = await add(bench.store, run)
        ending = asyncio.create_task(bench.store.append(last_write(run)))
        await asyncio.sleep(0.05)
        assert not ending.done()
        bench.inner.gate.set()
        await ending

        assert await bench.stored() == [1, 2, 3, 4]


async def test_a_change_of_state_is_written_through() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        run = await add(bench.store, run)
        await add(bench.store, replace(run, state=RunState.WAITING))

        assert bench.inner._logs[KEY].run.state is RunState.WAITING
        assert await bench.stored() == [1, 2, 3]


async def test_what_concerns_others_is_written_through() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        mail = NO_MAIL.with_message(QueuedMessage("m", Message(Role.USER, "more")))
        run = await add(bench.store, run)
        sent = await bench.store.set_mail(KEY, mail, version=0)
        assert sent is not None
        assert sent.last_sequence == 2
        run = await add(bench.store, replace(run, mail=mail.with_all_read()), mail_version=1)
        assert await bench.stored() == [1, 2, 3]
        assert bench.inner._logs[KEY].run.mail == mail.with_all_read()
        run = await add(bench.store, run)
        with pytest.raises(StaleMailError):
            await add(bench.store, run, mail_version=1)
        assert await bench.stored() == [1, 2, 3, 4]
        run = await add(bench.store, run)
        for seconds in (60, 30):
            due = NOW + timedelta(seconds=seconds)
            run = await add(bench.store, replace(run, state=RunState.WAITING, owner=NOBODY, due_time=due))
            assert bench.inner._logs[KEY].run.due_time == due
        assert [found.key for found in await bench.store.list_due(due, limit=9)] == [KEY]
        with pytest.raises(BusyError):
            await bench.store.truncate_session(SESSION, after=0, now=NOW)
        assert await bench.stored() == [1, 2, 3, 4, 5, 6, 7]


async def test_a_truncation_comes_after_what_is_queued() -> None:
    async with bench_with() as bench:
        run = await add(bench.store, await bench.begun())
        await bench.store.append(last_write(run))

        assert await bench.store.truncate_session(SESSION, after=1, now=NOW) == 2
        assert await bench.store.find_session_event(SESSION, "r-1-MessagePayload-2") is None


async def test_this_replica_reads_its_own_writes() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        delta = {"own": 1, "user:u": 2, "app:a": 3}
        other = SessionKey("app", "ann", "other")
        await bench.store.create_session(other, {}, NOW)
        store = bench.store

        async def after_one_more(read: Any) -> Any:
            nonlocal run
            run = await add(store, run, state_delta=delta)
            assert (await bench.stored())[-1] == run.last_sequence - 1
            return await read

        assert (await after_one_more(store.get_run(KEY))).last_sequence == 2
        assert len(await after_one_more(store.list_run_events(KEY, after=0, limit=9))) == 3
        assert len(await after_one_more(store.list_session_events(SESSION, EventQuery()))) == 4
        assert (await after_one_more(store.get_session(SESSION))).event_count == 5
        assert await after_one_more(store.get_state(SESSION, Tier.SESSION)) == {"own": 1}
        assert await after_one_more(store.get_state(other, Tier.USER)) == {"u": 2}
        assert (await after_one_more(store.get_session(other))).state == {"user:u": 2, "app:a": 3}
        listed = await after_one_more(store.list_sessions("app", "ann", limit=9))
        assert {session.event_count for session in listed.items} == {0, 9}
        (found,) = (await after_one_more(store.list_runs(RunFilter(app_name="app"), limit=9))).items
        assert found.last_sequence == 10
        assert len((await after_one_more(store.read_copy(SESSION))).events) == 11
        assert (await after_one_more(store.get_or_create_session(SESSION, {}, NOW)))[0].event_count == 12


async def test_what_others_rely_on_comes_after_what_is_queued() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        store = bench.store
        run = await add(store, run)
        said = ev.Event(
            request_id="",
            sequence=0,
            create_time=NOW,
            author="user",
            payload=ev.MessagePayload("x", Message(Role.USER, "x")),
            id="x",
        )
        assert (await store.append_session_event(SESSION, said, NOW)).position == 3
        run = await add(store, run, state_delta={"a": 1, "app:a": 1})
        assert await store.update_state(SESSION, Tier.SESSION, {"a": 2}, NOW) == {"a": 2}
        run = await add(store, run, state_delta={"app:a": 3})
        assert await store.update_state(SessionKey("app", "", ""), Tier.APP, {"b": 1}, NOW) == {
            "a": 3,
            "b": 1,
        }
        run = await add(store, run)
        assert await store.delete_session(SESSION)
        assert (await store.restore_session(SESSION, NOW)).event_count == 6
        await add(store, run)
        taken = await store.claim_run(KEY, BOB, attempt=1, now=NOW)

        assert taken is not None
        assert taken.last_sequence == 6
        with pytest.raises(FencedError):
            await add(store, replace(run, last_sequence=6))
        await add(store, taken)


async def test_a_lease_waits_for_nothing_and_is_given_back_last() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        await add(bench.store, run)

        await bench.store.renew_lease(ANN, ttl_seconds=60)
        with pytest.raises(UnavailableError):
            await bench.store.release_lease(ANN)
        assert ANN in bench.inner._leases
        bench.inner.gate.set()
        await bench.store.release_lease(ANN)
        assert ANN not in bench.inner._leases


async def test_reads_of_what_is_queued_do_not_wait_for_ever_and_others_do_not_wait() -> None:
    async with bench_with(wait_seconds=0.05) as bench:
        run = await bench.begun()
        await bench.begun("other", "other")
        bench.inner.gate.clear()
        await add(bench.store, run)

        with pytest.raises(UnavailableError):
            await bench.store.get_run(KEY)
        began = time.monotonic()
        assert (await bench.store.get_run(RunKey("app", "other"))).last_sequence == 1
        await bench.store.get_session(SessionKey("app", "ann", "other"))
        assert time.monotonic() - began < 0.05


async def test_flush_is_bounded() -> None:
    async with bench_with(retry_seconds=0.1) as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        await add(bench.store, run)

        for timeout in (0.02, None):
            with pytest.raises(UnavailableError):
                await bench.store.flush(timeout)


async def test_close_writes_what_is_queued_and_refuses_more() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        for _ in range(10):
            run = await add(bench.store, run)
        await bench.store.close()
        await bench.store.close()

        assert bench.inner.is_closed
        assert await bench.stored() == list(range(1, 12))
        with pytest.raises(UnavailableError):
            await add(bench.store, run)


async def test_close_ends_in_time_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    async with bench_with(workers=1, depth_max=3, retry_seconds=0.1, wait_seconds=5.0) as bench:
        run = await bench.begun()
        bench.inner.gate.clear()
        for _ in range(3):
            run = await add(bench.store, run)
        full = asyncio.create_task(add(bench.store, run))
        await asyncio.sleep(0.02)
        reading = asyncio.create_task(bench.store.get_session(SESSION))
        await asyncio.sleep(0.02)
        await bench.store.close()

        assert bench.inner.is_closed
        assert bench.metric("writes_lost_total") == 3
        assert "events from 2 on are lost" in caplog.text
        with pytest.raises(UnavailableError):
            await full
        await reading


async def test_an_append_that_is_wrong_from_the_start_is_refused_at_once() -> None:
    async with bench_with() as bench:
        run = await bench.begun()
        with pytest.raises(FencedError):
            await bench.store.append(next_write(replace(run, last_sequence=7)))
        with pytest.raises(NotFoundError):
            await bench.store.append(next_write(replace(run, key=RunKey("app", "none"))))
        await add(bench.store, run)
        await bench.store.flush()

        assert await bench.stored() == [1, 2]
