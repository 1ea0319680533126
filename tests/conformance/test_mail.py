"""The storage contract, mail of runs. Every adapter passes every test here, unchanged."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from conformance.test_runs import (
    ANN,
    BOB,
    DONE,
    HARD,
    NOW,
    SESSION,
    SOFT,
    claimed,
    later,
    make_run,
    sequences,
    write,
)
from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult
from runwire_server.domain.errors import FencedError, NotFoundError, StaleMailError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import (
    NO_MAIL,
    Answer,
    Decision,
    Question,
    QuestionKind,
    QueuedMessage,
    RunMail,
)
from runwire_server.domain.runs import RunInput
from runwire_server.domain.sessions import EventQuery
from runwire_server.storage.port import RunFilter, Store

ONE = NO_MAIL.with_message(QueuedMessage("one", Message(Role.USER, "é\x00😀", parts=(Part(data={"a": 1}),))))
TWO = ONE.with_message(QueuedMessage("two", Message(Role.USER, "two")))
FULL = TWO.with_all_read().with_answers(
    Answer(question_id="a", decision=Decision.DENIED, comment="no", decided_by="bob", time=NOW),
    Answer(question_id="o", output=ToolResult("c", "t", "x")),
)


async def listed(store: Store, owner: ReplicaId = ANN) -> set[str]:
    return {run.key.request_id for run in await store.list_with_mail(owner, limit=9)}


async def test_a_new_run_has_no_mail(store: Store) -> None:
    run = await claimed(store)

    assert (run.mail, run.due_time) == (NO_MAIL, None)
    assert await listed(store) == set()


async def test_mail_is_set_and_read_everywhere(store: Store) -> None:
    run = await claimed(store)

    first = await store.set_mail(run.key, ONE, version=0)
    second = await store.set_mail(run.key, FULL, version=1, due_time=later(60))

    assert first == replace(run, mail=ONE)
    assert second == replace(run, mail=FULL, due_time=later(60))
    assert await store.get_run(run.key) == second
    assert (await store.list_runs(RunFilter(app_name="app"), limit=9)).items == (second,)
    assert await store.list_with_mail(ANN, limit=9) == [second]
    assert await store.list_with_mail(BOB, limit=9) == []


async def test_mail_of_another_version_is_not_replaced(store: Store) -> None:
    run = await claimed(store)
    stored = await store.set_mail(run.key, ONE, version=0, due_time=later(1))

    for version in (0, 2):
        assert await store.set_mail(run.key, TWO, version=version, due_time=later(9)) is None

    assert await store.get_run(run.key) == stored


async def test_mail_without_a_due_time_leaves_the_one_that_is_there(store: Store) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, ONE, version=0, due_time=later(1))

    stored = await store.set_mail(run.key, TWO, version=1)

    assert stored == replace(run, mail=TWO, due_time=later(1))
    assert await store.get_run(run.key) == stored


async def test_an_ended_run_takes_no_mail(store: Store) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, ONE, version=0)
    await store.append(write(run, DONE))

    assert await store.set_mail(run.key, TWO, version=1) is None

    assert (await store.get_run(run.key)).mail == ONE
    assert await listed(store) == set()


async def test_a_queued_run_takes_mail(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)
    await store.create_run(make_run())

    assert await store.set_mail(RunKey("app", "r1"), ONE, version=0) == replace(make_run(), mail=ONE)
    taken = await store.claim_run(RunKey("app", "r1"), BOB, attempt=0, now=NOW)

    assert taken is not None
    assert taken.mail == ONE
    assert await listed(store) == set()
    assert await listed(store, BOB) == {"r1"}


async def test_an_unknown_run_has_no_mail(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.set_mail(RunKey("app", "nope"), ONE, version=0)


async def test_a_run_may_be_made_with_mail_and_a_due_time(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)
    made = make_run(mail=ONE, due_time=later(5))

    assert await store.create_run(made) == (made, True)

    assert await store.get_run(made.key) == made
    assert await listed(store) == {"r1"}
    assert await store.set_mail(made.key, TWO, version=1) is not None


async def test_of_many_with_one_version_one_wins(store: Store) -> None:
    run = await claimed(store)
    letters = [NO_MAIL.with_message(QueuedMessage(str(n), Message(Role.USER, str(n)))) for n in range(20)]

    answers = await asyncio.gather(*(store.set_mail(run.key, mail, version=0) for mail in letters))

    (winner,) = (answer for answer in answers if answer is not None)
    assert await store.get_run(run.key) == winner


async def test_mail_and_appends_at_once_lose_nothing(store: Store) -> None:
    run = await claimed(store)

    async def send() -> None:
        mail = NO_MAIL
        for number in range(20):
            following = mail.with_message(QueuedMessage(str(number), Message(Role.USER, "x")))
            assert await store.set_mail(run.key, following, version=mail.version) is not None
            mail = following

    async def work() -> None:
        step = write(run, None)
        for _ in range(20):
            await store.append(step)
            step = write(step.run, None)

    await asyncio.gather(send(), work())

    stored = await store.get_run(run.key)
    assert (len(stored.mail.messages), stored.mail.version, stored.last_sequence) == (20, 20, 20)


async def test_an_append_keeps_mail_that_it_does_not_name(store: Store) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, ONE, version=0)

    await store.append(write(replace(run, mail=FULL), None))

    assert (await store.get_run(run.key)).mail == ONE


async def test_an_append_replaces_the_mail_that_it_names(store: Store) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, TWO, version=0)

    await store.append(write(replace(run, mail=FULL), None, mail_version=TWO.version))

    stored = await store.get_run(run.key)
    assert (stored.mail, stored.last_sequence) == (FULL, 1)
    assert await store.list_with_mail(ANN, limit=9) == [stored]


@pytest.mark.parametrize("version", [0, 2])
async def test_an_append_with_stale_mail_writes_nothing(store: Store, version: int) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, ONE, version=0)
    before = await store.get_run(run.key)
    step = write(
        replace(run, mail=TWO, due_time=later(1)),
        None,
        session_events=(write(run, None).events[0],),
        state_delta={"s": 1, "user:u": 1},
        mail_version=version,
    )

    with pytest.raises(StaleMailError):
        await store.append(step)

    assert await store.get_run(run.key) == before
    assert await sequences(store, run.key) == []
    assert await store.list_session_events(SESSION, EventQuery()) == []
    assert (await store.get_session(SESSION)).state == {}
    await store.append(write(replace(run, mail=TWO), None, mail_version=1))


async def test_who_is_fenced_is_told_so_whatever_the_mail_is(store: Store) -> None:
    run = await claimed(store)

    with pytest.raises(FencedError):
        await store.append(write(run, None, after=3, mail_version=7))


async def test_appends_at_once_see_the_mail_of_each_other(store: Store) -> None:
    run = await claimed(store)
    first = write(replace(run, mail=ONE), None, mail_version=0)
    stale = write(replace(first.run, mail=FULL), None, mail_version=0)
    second = write(replace(first.run, mail=TWO), None, mail_version=1)
    third = write(second.run, None)

    results = await asyncio.gather(
        *(store.append(step) for step in (first, stale, second, third)), return_exceptions=True
    )

    assert [type(result) for result in results] == [type(None), StaleMailError, type(None), type(None)]
    stored = await store.get_run(run.key)
    assert (stored.mail, stored.last_sequence) == (TWO, 3)


async def test_of_an_append_and_others_with_one_version_one_wins(store: Store) -> None:
    run = await claimed(store)
    append = store.append(write(replace(run, mail=TWO), None, mail_version=0))

    *answers, result = await asyncio.gather(
        *(store.set_mail(run.key, ONE, version=0) for _ in range(10)), append, return_exceptions=True
    )

    assert [answer is not None for answer in answers].count(True) == isinstance(result, StaleMailError)


async def test_a_completion_keeps_its_mail(store: Store) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, ONE, version=0)

    await store.append(write(replace(run, mail=FULL), DONE, mail_version=1))

    assert (await store.get_run(run.key)).mail == FULL
    assert await listed(store) == set()


async def test_a_replica_is_shown_its_runs_with_mail_or_a_cancel(store: Store) -> None:
    for number, owner in enumerate((ANN, ANN, ANN, BOB)):
        name, session = f"r{number}", SessionKey("app", "ann", f"s{number}")
        await store.create_session(session, {}, NOW)
        await store.create_run(make_run(name, session))
        await store.claim_run(RunKey("app", name), owner, attempt=0, now=NOW)
    for name in ("r0", "r1", "r3"):
        await store.set_mail(RunKey("app", name), ONE, version=0)
    for name in ("r1", "r2"):
        await store.request_cancel(RunKey("app", name), HARD, now=NOW, remember_until=NOW)

    assert await listed(store) == {"r0", "r1", "r2"}
    assert await listed(store, BOB) == {"r3"}
    assert len(await store.list_with_mail(ANN, limit=2)) == 2
    # Mail that was read is still mail that was had.
    await store.set_mail(RunKey("app", "r0"), ONE.with_all_read(), version=1)
    assert await listed(store) == {"r0", "r1", "r2"}


async def test_questions_and_counters_are_part_of_the_record(store: Store) -> None:
    run = await claimed(store)
    asked = Question(id="q", kind=QuestionKind.APPROVAL, tool_call=ToolCall("c", "t", "{}"), message_id="m")
    changed = replace(run, questions=(asked,), worked_seconds=1.5, tool_rounds=3, due_time=later(9))
    step = write(changed, None)

    await store.append(step)

    stored = await store.get_run(run.key)
    assert stored == step.run
    assert stored.open_questions == (asked,)
    answered = await store.set_mail(run.key, NO_MAIL.with_answers(Answer(question_id="q")), version=0)
    assert answered is not None
    assert answered.open_questions == ()


async def test_a_claim_keeps_mail_and_due_time(store: Store) -> None:
    run = await claimed(store)
    await store.request_cancel(run.key, SOFT, now=NOW, remember_until=NOW)
    stored = await store.set_mail(run.key, TWO, version=0, due_time=later(7))
    assert stored is not None

    taken = await store.claim_run(run.key, BOB, attempt=1, now=NOW)

    assert taken == replace(stored, attempt=2, owner=BOB)
    assert await store.get_run(run.key) == taken
    assert taken.input != RunInput()


@pytest.mark.parametrize("time", [None, later(3)])
async def test_an_append_says_when_the_run_is_due(store: Store, time: datetime | None) -> None:
    run = await claimed(store)
    await store.set_mail(run.key, RunMail(version=1), version=0, due_time=later(60))

    step = write(replace(run, due_time=time), None)
    await store.append(step)

    assert (await store.get_run(run.key)).due_time == time
