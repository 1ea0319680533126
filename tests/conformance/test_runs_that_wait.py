"""The storage contract, runs that wait and runs out of turn. Every adapter passes every test here, unchanged."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from conformance.conftest import Clock
from conformance.test_runs import ANN, BOB, DONE, HARD, NOW, SESSION, claimed, later, make_run, write
from runwire_server.domain.errors import BusyError, NotFoundError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL, Answer
from runwire_server.domain.runs import NOBODY, Run, RunState
from runwire_server.storage.port import Store

ANSWERED = NO_MAIL.with_answers(Answer(question_id="q"))


async def waiting(store: Store, name: str = "r1", due: Any = 60, session: SessionKey | None = None) -> Run:
    """A run that waits, owned by nobody, due so many seconds after NOW."""
    run = await claimed(store, name, session or SessionKey("app", "ann", name))
    due_time = None if due is None else later(due)
    step = write(replace(run, state=RunState.WAITING, owner=NOBODY, due_time=due_time), None)
    await store.append(step)
    return step.run


async def due(store: Store, seconds: float, limit: int = 99) -> list[str]:
    return [run.key.request_id for run in await store.list_due(later(seconds), limit=limit)]


async def test_a_run_is_due_when_its_time_has_come(store: Store) -> None:
    run = await waiting(store)

    assert await due(store, 60 - 0.000001) == []
    assert await store.list_due(later(60), limit=9) == [run]
    assert await due(store, 61) == ["r1"]


async def test_only_runs_that_wait_are_due(store: Store) -> None:
    for name, state in (("running", RunState.RUNNING), ("cancelling", RunState.CANCELLING)):
        run = await claimed(store, name, SessionKey("app", "ann", name))
        await store.append(write(replace(run, state=state, due_time=later(1)), None))
        await store.request_cancel(run.key, HARD, now=NOW, remember_until=NOW)
    run = await waiting(store, "ended", 1)
    await store.append(write(run, DONE))
    await waiting(store, "without", None)

    assert await due(store, 99) == []


async def test_a_run_that_waits_and_is_cancelled_is_due_at_once(store: Store) -> None:
    for name, seconds in (("later", 60), ("never", None), ("now", 0), ("other", 60)):
        run = await waiting(store, name, seconds)
        if name != "other":
            await store.request_cancel(run.key, HARD, now=NOW, remember_until=NOW)

    assert await due(store, 10) == ["now", "never", "later"]
    assert await due(store, 10, limit=2) == ["now", "never"]
    assert (await store.list_due(later(10), limit=1))[0].cancel == HARD


async def test_a_cancel_that_comes_before_the_waiting_counts(store: Store) -> None:
    run = await claimed(store)
    await store.request_cancel(run.key, HARD, now=NOW, remember_until=NOW)

    await store.append(write(replace(run, state=RunState.WAITING, owner=NOBODY, due_time=later(60)), None))

    assert await due(store, 0) == ["r1"]


async def test_those_that_are_due_longest_come_first(store: Store) -> None:
    for name, seconds in (("c", 30), ("a", 10), ("d", 40), ("b", 20)):
        await waiting(store, name, seconds)

    assert await due(store, 30) == ["a", "b", "c"]
    assert await due(store, 30, limit=2) == ["a", "b"]


async def test_many_that_are_due_at_one_time_are_all_found(store: Store) -> None:
    runs = [await claimed(store, f"r{n}", SessionKey("app", "ann", f"s{n}")) for n in range(250)]
    steps = [
        write(replace(run, state=RunState.WAITING, owner=NOBODY, due_time=later(1)), None) for run in runs
    ]
    await asyncio.gather(*map(store.append, steps))

    assert await due(store, 0, limit=999) == []
    assert len(set(await due(store, 1, limit=999))) == 250
    assert len(set(await due(store, 1, limit=230))) == 230


async def test_mail_moves_when_a_run_is_due(store: Store) -> None:
    run = await waiting(store, due=60)

    await store.set_mail(run.key, ANSWERED, version=0, due_time=later(1))
    assert await due(store, 1) == ["r1"]
    assert await store.set_mail(run.key, ANSWERED, version=0, due_time=later(99)) is None
    assert await due(store, 1) == ["r1"]
    again = ANSWERED.with_answers(Answer(question_id="p"))
    await store.set_mail(run.key, again, version=1, due_time=later(50))

    assert await due(store, 49) == []
    assert await due(store, 50) == ["r1"]


async def test_a_run_that_goes_on_is_not_due_any_more_until_it_waits_again(store: Store) -> None:
    run = await waiting(store, due=1)
    taken = await store.claim_run(run.key, BOB, attempt=1, now=later(2))
    assert taken is not None
    assert (taken.state, taken.owner, taken.due_time) == (RunState.WAITING, BOB, later(1))

    step = write(replace(taken, state=RunState.RUNNING), None)
    await store.append(step)
    assert await due(store, 99) == []
    # Looking must not have made the store forget it.
    step = write(replace(step.run, state=RunState.WAITING, owner=NOBODY, due_time=later(5)), None)
    await store.append(step)

    assert await due(store, 4) == []
    assert await store.list_due(later(5), limit=9) == [step.run]


async def test_who_looks_while_others_write_sees_every_run_in_the_end(store: Store) -> None:
    runs = [await waiting(store, f"r{n}", n % 3) for n in range(10)]
    is_over = asyncio.Event()

    async def look() -> None:
        while not is_over.is_set():
            await due(store, 1)
            await store.list_orphans(limit=9)
            await asyncio.sleep(0)

    async def work(run: Run) -> None:
        for round_ in range(5):
            taken = await store.claim_run(run.key, ANN, attempt=run.attempt, now=NOW)
            assert taken is not None
            step = write(replace(taken, state=RunState.RUNNING), None)
            await store.append(step)
            changes: dict[str, Any] = {"state": RunState.WAITING, "owner": NOBODY}
            step = write(replace(step.run, due_time=later(round_ % 3), **changes), None)
            await store.append(step)
            run = step.run

    looking = asyncio.create_task(look())
    await asyncio.gather(*map(work, runs))
    is_over.set()
    await looking

    assert sorted(await due(store, 2)) == sorted(run.key.request_id for run in runs)


async def test_a_run_that_waits_is_no_orphan(store: Store, clock: Clock) -> None:
    await waiting(store, due=1)
    await claimed(store, "left", SessionKey("app", "ann", "left"))
    clock.now += timedelta(days=1).total_seconds()

    assert [run.key.request_id for run in await store.list_orphans(limit=9)] == ["left"]
    assert await due(store, 1) == ["r1"]
    assert await store.list_with_mail(NOBODY, limit=9) == []


async def test_one_who_took_a_run_that_waits_and_died_leaves_an_orphan(store: Store) -> None:
    run = await waiting(store)
    await store.claim_run(run.key, BOB, attempt=1, now=NOW)

    assert [run.owner for run in await store.list_orphans(limit=9)] == [BOB]


async def test_a_run_out_of_turn_is_taken_beside_others(store: Store) -> None:
    first = await claimed(store, "first")
    for name in ("second", "third"):
        await store.create_run(make_run(name))
    key = RunKey("app", "third")

    assert await store.claim_run(key, ANN, attempt=0, now=NOW) is None
    taken = await store.claim_run(key, ANN, attempt=0, now=NOW, in_turn=False)

    assert taken is not None
    assert (taken.state, taken.attempt) == (RunState.RUNNING, 1)
    await asyncio.gather(store.append(write(first, None)), store.append(write(taken, None)))
    assert await store.claim_run(key, ANN, attempt=0, now=NOW, in_turn=False) is None
    # Who waits for its turn waits for all before it.
    assert await store.claim_run(RunKey("app", "second"), ANN, attempt=0, now=NOW) is None


async def test_of_many_out_of_turn_one_takes_the_run(store: Store) -> None:
    await claimed(store, "first")
    await store.create_run(make_run("second"))
    key = RunKey("app", "second")

    answers = await asyncio.gather(
        *(store.claim_run(key, who, attempt=0, now=NOW, in_turn=False) for who in (ANN, BOB) * 5)
    )

    assert sum(run is not None for run in answers) == 1


async def test_a_run_that_must_be_first_is_refused_by_one_at_work(store: Store) -> None:
    first = await claimed(store, "fir st 😀")
    await store.create_run(make_run("second"))

    with pytest.raises(BusyError) as refused:
        await store.create_run(make_run("third"), must_be_first=True)

    assert refused.value.request_id == "fir st 😀"
    with pytest.raises(NotFoundError):
        await store.get_run(RunKey("app", "third"))
    assert await store.create_run(make_run("second"), must_be_first=True) == (make_run("second"), False)
    await store.append(write(first, DONE))
    with pytest.raises(BusyError, match="second"):
        await store.create_run(make_run("third"), must_be_first=True)


async def test_a_run_that_was_refused_can_be_asked_for_again(store: Store) -> None:
    first = await claimed(store, "first")
    await store.request_cancel(RunKey("app", "r1"), HARD, now=NOW, remember_until=later(60))
    for _ in range(2):
        with pytest.raises(BusyError):
            await store.create_run(make_run(), must_be_first=True)
    await store.append(write(first, DONE))

    made = await store.create_run(make_run(), must_be_first=True)

    # A refusal does not use up the cancel that came before.
    assert made == (make_run(cancel=HARD), True)
    assert await store.create_run(make_run(), must_be_first=True) == (made[0], False)


async def test_runs_of_other_sessions_keep_nobody_from_being_first(store: Store) -> None:
    await claimed(store, "other", SessionKey("app", "ann", "other"))
    await store.create_session(SESSION, {}, NOW)

    assert (await store.create_run(make_run(), must_be_first=True))[1]


async def test_a_run_that_must_be_first_needs_its_session(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.create_run(make_run(), must_be_first=True)


async def test_of_many_that_must_be_first_one_is(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)

    answers = await asyncio.gather(
        *(store.create_run(make_run(f"r{n}"), must_be_first=True) for n in range(20)), return_exceptions=True
    )

    (winner,) = (answer for answer in answers if not isinstance(answer, BaseException))
    assert winner[1]
    losers = [answer for answer in answers if isinstance(answer, BusyError)]
    assert {error.request_id for error in losers} == {winner[0].key.request_id}
    assert len(losers) == 19


async def test_of_many_calls_for_the_first_run_one_makes_it(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)

    answers = await asyncio.gather(
        *(store.create_run(make_run(), must_be_first=n % 2 == 0) for n in range(20))
    )

    assert sum(is_new for _, is_new in answers) == 1


async def test_a_run_that_waits_keeps_its_session_busy(store: Store) -> None:
    run = await waiting(store, session=SESSION)

    with pytest.raises(BusyError, match="r1"):
        await store.create_run(make_run("second"), must_be_first=True)
    await store.create_run(make_run("third"))
    assert await store.claim_run(RunKey("app", "third"), ANN, attempt=0, now=NOW) is None
    assert await store.claim_run(run.key, BOB, attempt=1, now=NOW) is not None
