"""The storage contract, runs and their logs. Every adapter passes every test here, unchanged."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conformance.conftest import Clock
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult, Usage
from runwire_server.domain.errors import AlreadyExistsError, FencedError, InvalidRequestError, NotFoundError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import (
    CancelMode,
    CancelRequest,
    Outcome,
    Run,
    RunError,
    RunInput,
    RunOptions,
    RunState,
)
from runwire_server.domain.sessions import EventQuery
from runwire_server.storage.port import Append, RunFilter, Store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SESSION = SessionKey("app", "ann", "s1")
STRANGE = ["a:b", "a/b", "{a}", "a", "A", "ä", "a ", " a", "😀", "%", "_", "a\nb", "x" * 255, "'; --", "🏳️‍🌈"]
ANN, BOB = ReplicaId("ann"), ReplicaId("bob")
SOFT, HARD = CancelRequest(CancelMode.AFTER_TOOLS, "soft"), CancelRequest(CancelMode.IMMEDIATE, "hard")
DONE = ev.Completion(Outcome.COMPLETED, "stop")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def make_run(name: str = "r1", session: SessionKey = SESSION, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "agent_name": "agent",
        "state": RunState.QUEUED,
        "create_time": NOW,
        "owner": ANN,
        "fingerprint": "f",
        "input": RunInput(Message(Role.USER, "hi"), options=RunOptions(temperature=0.0, stop=("x",))),
        **fields,
    }
    return Run(key=RunKey("app", name), session=session, **values)


def make_event(sequence: int, payload: ev.Payload | None = None, name: str = "r1") -> ev.Event:
    return ev.Event(
        request_id=name,
        sequence=sequence,
        create_time=later(sequence),
        author="agent",
        payload=payload or ev.Custom("n", {"n": sequence}),
        id=f"{name}-{sequence}",
        attempt=1,
    )


def write(run: Run, *payloads: ev.Payload | None, after: int | None = None, **fields: Any) -> Append:
    """An append that continues the run."""
    start = run.last_sequence if after is None else after
    events = tuple(
        make_event(start + place, payload, run.key.request_id) for place, payload in enumerate(payloads, 1)
    )
    following = replace(run, last_sequence=start + len(events), last_event_time=later(start + len(events)))
    if any(event.is_last for event in events):
        following = replace(following, state=RunState.COMPLETED, outcome=Outcome.COMPLETED, end_time=NOW)
    return Append(run=following, after=start, events=events, **fields)


async def claimed(store: Store, name: str = "r1", session: SessionKey = SESSION) -> Run:
    await store.get_or_create_session(session, {}, NOW)
    run, _ = await store.create_run(make_run(name, session))
    taken = await store.claim_run(run.key, ANN, attempt=0, now=NOW)
    assert taken is not None
    return taken


async def sequences(store: Store, key: RunKey) -> list[int]:
    return [event.sequence for event in await store.list_run_events(key, after=0, limit=10_000)]


async def test_a_new_run_is_there(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)

    run, is_new = await store.create_run(make_run())

    assert is_new
    assert run == make_run()
    assert await store.get_run(run.key) == run


async def test_a_known_run_is_returned_as_it_is(store: Store) -> None:
    run = await claimed(store)

    assert await store.create_run(make_run(fingerprint="other")) == (run, False)


async def test_what_an_append_may_not_change_is_kept(store: Store) -> None:
    run = await claimed(store)
    await store.request_cancel(run.key, SOFT, now=NOW, remember_until=NOW)

    await store.append(write(replace(run, fingerprint="forged", cancel=HARD), None))

    stored = await store.get_run(run.key)
    assert (stored.fingerprint, stored.cancel) == ("f", SOFT)


async def test_the_record_is_what_the_append_says(store: Store) -> None:
    run = await claimed(store)
    error = RunError("model_error", "m", "CODE")
    changed = replace(
        run,
        state=RunState.FAILED,
        outcome=Outcome.FAILED,
        stop_reason="error",
        error=error,
        usage=Usage(1, 2, 3),
        end_time=later(9),
        invocation_id="i",
        message=Message(Role.ASSISTANT, "last words"),
    )
    step = write(changed, None)

    await store.append(step)

    assert await store.get_run(run.key) == step.run


async def test_request_ids_of_any_characters_never_collide(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)
    for name in STRANGE:
        await store.request_cancel(
            RunKey("app", name), CancelRequest(CancelMode.IMMEDIATE, name), now=NOW, remember_until=later(1)
        )
    for name in STRANGE:
        run, is_new = await store.create_run(make_run(name))
        assert is_new
        assert run.cancel == CancelRequest(CancelMode.IMMEDIATE, name)

    for name in STRANGE:
        run = await store.get_run(RunKey("app", name))
        assert (run.key.request_id, run.cancel) == (name, CancelRequest(CancelMode.IMMEDIATE, name))


async def test_of_many_at_once_one_run_is_new(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)

    results = await asyncio.gather(*(store.create_run(make_run()) for _ in range(10)))

    assert sum(is_new for _, is_new in results) == 1


async def test_a_run_needs_its_session(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.create_run(make_run())


async def test_an_unknown_run_is_not_found(store: Store) -> None:
    key = RunKey("app", "nope")
    for work in (
        store.get_run(key),
        store.list_run_events(key, after=0, limit=1),
        store.claim_run(key, ANN, attempt=0, now=NOW),
        store.append(write(make_run("nope"), None)),
    ):
        with pytest.raises(NotFoundError):
            await work


async def test_claiming_raises_the_attempt_and_starts_the_run(store: Store) -> None:
    run = await claimed(store)

    assert (run.attempt, run.state, run.start_time, run.owner) == (1, RunState.RUNNING, NOW, ANN)
    assert await store.get_run(run.key) == run


def opening(run: Run) -> Append:
    """A run's beginning."""
    said = Message(Role.USER, "hi")
    event = replace(make_event(0, ev.MessagePayload("m", said), run.key.request_id), author="user", id="said")
    begun = replace(run, state=RunState.RUNNING, start_time=NOW, attempt=1)
    return write(begun, None, session_events=(event,), state_delta={"k": 1})


async def test_a_run_may_begin_its_session(store: Store) -> None:
    wanted = opening(make_run())

    run, is_new = await store.create_run(make_run(), opening=wanted)

    session = await store.get_session(SESSION)
    said = await store.list_session_events(SESSION, EventQuery())
    assert is_new
    assert run == await store.get_run(run.key) == wanted.run
    assert await store.list_run_events(run.key, after=0, limit=10) == list(wanted.events)
    assert (session.key, session.state, session.create_time) == (SESSION, {"k": 1}, NOW)
    assert [(item.position, item.event) for item in said] == [(1, wanted.session_events[0])]
    await store.append(write(run, DONE))
    assert await sequences(store, run.key) == [1, 2]


async def test_a_cancel_that_came_before_is_in_a_run_that_begins_its_session(store: Store) -> None:
    asked = CancelRequest(CancelMode.IMMEDIATE, "why")
    await store.request_cancel(make_run().key, asked, now=NOW, remember_until=later(60))

    run, _ = await store.create_run(make_run(), opening=opening(make_run()))

    assert run.cancel == asked
    assert await store.get_run(run.key) == run


async def test_a_run_that_is_known_begins_no_session(store: Store) -> None:
    run = await claimed(store)
    other = SessionKey(SESSION.app_name, SESSION.user_id, "other")
    again = make_run(session=other)

    assert await store.create_run(again, opening=opening(again)) == (run, False)
    with pytest.raises(NotFoundError):
        await store.get_session(other)


async def test_of_many_runs_of_one_name_one_begins_its_session(store: Store) -> None:
    asked = [make_run(session=SessionKey(SESSION.app_name, "u", f"s{n}")) for n in range(8)]

    made = await asyncio.gather(*(store.create_run(run, opening=opening(run)) for run in asked))

    first = next(run for run, is_new in made if is_new)
    listed = await store.list_sessions(SESSION.app_name, "u", limit=10)
    assert [is_new for _, is_new in made].count(True) == 1
    assert {run.session for run, _ in made} == {first.session}
    assert [session.key for session in listed.items] == [first.session]
    assert await sequences(store, first.key) == list(range(1, first.last_sequence + 1))


async def test_a_run_does_not_begin_a_session_that_is_there(store: Store) -> None:
    await store.create_session(SESSION, {"k": 1}, NOW)

    with pytest.raises(AlreadyExistsError):
        await store.create_run(make_run(), opening=opening(make_run()))

    assert (await store.get_session(SESSION)).state == {"k": 1}
    with pytest.raises(NotFoundError):
        await store.get_run(make_run().key)


async def test_of_two_runs_one_begins_the_session(store: Store) -> None:
    asked = [make_run(f"r{number}") for number in range(2)]

    made = await asyncio.gather(
        *(store.create_run(run, opening=opening(run)) for run in asked), return_exceptions=True
    )

    (refused,) = [answer for answer in made if isinstance(answer, BaseException)]
    assert isinstance(refused, AlreadyExistsError)
    ((run, _),) = [answer for answer in made if not isinstance(answer, BaseException)]
    assert len(await store.list_session_events(SESSION, EventQuery())) == 1
    assert [
        one.key for one in (await store.list_runs(RunFilter(app_name=SESSION.app_name), limit=10)).items
    ] == [run.key]


async def test_a_run_begins_a_session_with_state_for_all_and_nothing_said(store: Store) -> None:
    begun = replace(opening(make_run()), session_events=(), state_delta={"k": 1, "user:u": 2, "app:a": 3})

    await store.create_run(make_run(), opening=begun)

    session = await store.get_session(SESSION)
    assert session.state == {"k": 1, "user:u": 2, "app:a": 3}
    assert (session.event_count, session.last_position) == (0, 0)
    other = await store.create_session(SessionKey(SESSION.app_name, "bob", "x"), {}, NOW)
    assert other.state == {"app:a": 3}


async def test_a_run_may_begin_a_session_without_anything(store: Store) -> None:
    begun = replace(opening(make_run()), session_events=(), state_delta=None)

    run, is_new = await store.create_run(make_run(), opening=begun)

    assert is_new
    assert (await store.get_session(SESSION)).state == {}
    await store.append(write(run, DONE))


async def test_a_run_that_has_its_turn_at_once_may_be_made_claimed(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)

    first, is_new = await store.create_run(make_run(), claim=True)
    second = make_run("r2")

    claimed_run = replace(make_run(), state=RunState.RUNNING, start_time=NOW, attempt=1)
    assert is_new
    assert first in (make_run(), claimed_run)
    assert await store.get_run(first.key) == first
    assert await store.create_run(make_run(), claim=True) == (first, False)
    assert await store.create_run(second, claim=True) == (second, True)
    if not first.attempt:
        first = await store.claim_run(first.key, ANN, attempt=0, now=NOW) or first
    assert first == claimed_run
    assert await store.claim_run(second.key, ANN, attempt=0, now=NOW) is None
    await store.append(write(first, DONE))
    assert await store.claim_run(second.key, ANN, attempt=0, now=NOW) is not None


async def test_of_many_at_once_one_claims(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)
    await store.create_run(make_run())

    results = await asyncio.gather(
        *(store.claim_run(RunKey("app", "r1"), who, attempt=0, now=NOW) for who in (ANN, BOB) * 5)
    )

    assert sum(run is not None for run in results) == 1


async def test_a_later_claim_keeps_state_and_start(store: Store) -> None:
    run = await claimed(store)

    taken = await store.claim_run(run.key, BOB, attempt=1, now=later(60))

    assert taken == replace(run, attempt=2, owner=BOB)
    assert await store.claim_run(run.key, BOB, attempt=1, now=later(60)) is None


async def test_runs_of_a_session_are_claimed_first_come_first_served(store: Store) -> None:
    first = await claimed(store, "first")
    for name in ("second", "third"):
        await store.create_run(make_run(name))
    other = await claimed(store, "other", SessionKey("app", "ann", "another"))

    assert other.state is RunState.RUNNING
    assert await store.claim_run(RunKey("app", "second"), ANN, attempt=0, now=NOW) is None
    await store.append(write(first, DONE))
    assert await store.claim_run(RunKey("app", "third"), ANN, attempt=0, now=NOW) is None
    assert await store.claim_run(RunKey("app", "second"), ANN, attempt=0, now=NOW) is not None


async def test_an_ended_run_cannot_be_claimed(store: Store) -> None:
    run = await claimed(store)
    await store.append(write(run, DONE))

    assert await store.claim_run(run.key, BOB, attempt=1, now=NOW) is None


async def test_appends_continue_the_log(store: Store) -> None:
    run = await claimed(store)
    first = write(run, None, None)
    await store.append(first)
    await store.append(write(first.run, None))

    assert await sequences(store, run.key) == [1, 2, 3]
    assert (await store.get_run(run.key)).last_sequence == 3
    page = await store.list_run_events(run.key, after=1, limit=1)
    assert page == [make_event(2)]
    assert await store.list_run_events(run.key, after=3, limit=1) == []


@pytest.mark.parametrize("after", [1, 5])
async def test_an_append_at_another_place_is_fenced_and_writes_nothing(store: Store, after: int) -> None:
    run = await claimed(store)

    with pytest.raises(FencedError):
        await store.append(write(run, None, after=after, state_delta={"a": 1}))

    assert await sequences(store, run.key) == []
    assert await store.get_run(run.key) == run
    assert (await store.get_session(SESSION)).state == {}


async def test_an_older_attempt_is_fenced(store: Store) -> None:
    run = await claimed(store)
    taken = await store.claim_run(run.key, BOB, attempt=1, now=NOW)
    assert taken is not None

    with pytest.raises(FencedError):
        await store.append(write(run, None))
    await store.append(write(taken, None))

    assert await sequences(store, run.key) == [1]


async def test_nothing_follows_the_completion(store: Store) -> None:
    run = await claimed(store)
    last = write(run, DONE)
    await store.append(last)

    with pytest.raises(FencedError):
        await store.append(write(last.run, None))
    with pytest.raises(FencedError):
        await store.append(write(replace(last.run, state=RunState.RUNNING), None))


async def test_of_many_writers_at_one_place_one_wins(store: Store) -> None:
    run = await claimed(store)

    results = await asyncio.gather(
        *(store.append(write(run, None)) for _ in range(20)), return_exceptions=True
    )

    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, FencedError) for result in results)
    assert await sequences(store, run.key) == [1]


async def test_many_runs_append_at_once_without_gaps(store: Store) -> None:
    runs = [await claimed(store, f"r{n}", SessionKey("app", "ann", f"s{n}")) for n in range(40)]

    async def work(run: Run) -> None:
        for _ in range(10):
            step = write(run, None)
            await store.append(step)
            run = step.run

    await asyncio.gather(*(work(run) for run in runs))

    for run in runs:
        assert await sequences(store, run.key) == list(range(1, 11))


async def test_a_caller_who_is_cancelled_harms_no_other(store: Store) -> None:
    runs = [await claimed(store, f"r{n}", SessionKey("app", "ann", f"s{n}")) for n in range(10)]
    tasks = [asyncio.create_task(store.append(write(run, None))) for run in runs]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    for run in runs[1::2]:
        assert await sequences(store, run.key) == [1]
    for run in runs[::2]:
        assert await sequences(store, run.key) in ([], [1])


async def test_an_append_writes_session_and_state_with_the_log(store: Store) -> None:
    run = await claimed(store)
    said = [make_event(0, ev.MessagePayload("m", Message(Role.USER, "hi"))), make_event(1)]

    await store.append(
        write(
            run, None, session_events=tuple(said), state_delta={"s": 1, "user:u": 2, "app:a": 3, "temp:t": 4}
        )
    )

    session = await store.get_session(SESSION)
    assert session.state == {"s": 1, "user:u": 2, "app:a": 3}
    assert (session.event_count, session.last_position, session.update_time) == (2, 2, later(1))
    found = await store.list_session_events(SESSION, EventQuery())
    assert [(item.position, item.event) for item in found] == [(1, said[0]), (2, said[1])]


async def test_an_append_after_its_session_was_deleted_still_continues_the_log(store: Store) -> None:
    run = await claimed(store)
    await store.delete_session(SESSION)

    await store.append(write(run, None, session_events=(make_event(1),), state_delta={"s": 1, "user:u": 2}))

    assert await sequences(store, run.key) == [1]
    made = await store.create_session(SESSION, {}, NOW)
    assert (made.event_count, made.state) == (0, {"user:u": 2})


async def test_every_payload_comes_back_as_it_was(store: Store) -> None:
    run = await claimed(store)
    call = ToolCall("c", "t", '{"a": 1')
    error = RunError("model_error", "m", "CODE", "id", retryable=True)
    result = ToolResult("c", "t", "x")
    message = Message(Role.ASSISTANT, "é", tool_calls=(call,), reasoning_content="r")
    payloads: list[ev.Payload] = [
        ev.RunStarted(replace(run, input=RunInput()), run.input.options, ("t",), session_created=True),
        ev.MessagePayload("m", message, "tool_calls", Usage(1, 2, 3, 4, 5, 6), "model", "resp"),
        ev.ToolStarted(call, 0),
        ev.ToolFinished(result, 0, 1.5),
        ev.ToolResults((result,), "m"),
        ev.ModelRetry(1, error, 0.5),
        ev.RunStateChanged(RunState.RUNNING, RunState.WAITING, "why"),
        ev.Custom("n", {"a": [None, {"b": 2**60}]}),
        ev.ErrorPayload(error),
        ev.Completion(Outcome.FAILED, "error", error, Usage(1), message, {"s": 1}, "why"),
    ]

    await store.append(write(run, *payloads))

    assert [e.payload for e in await store.list_run_events(run.key, after=0, limit=99)] == payloads


async def test_a_cancel_is_kept_whatever_is_appended(store: Store) -> None:
    run = await claimed(store)

    assert await store.request_cancel(run.key, SOFT, now=NOW, remember_until=later(60)) == (
        replace(run, cancel=SOFT),
        True,
    )
    step = write(run, None)
    await store.append(step)

    assert (await store.get_run(run.key)).cancel == SOFT
    assert [r.key for r in await store.list_with_mail(ANN, limit=9)] == [run.key]
    assert await store.list_with_mail(BOB, limit=9) == []
    assert (await store.request_cancel(run.key, SOFT, now=NOW, remember_until=NOW))[1] is False
    assert (await store.request_cancel(run.key, HARD, now=NOW, remember_until=NOW))[1] is True
    assert (await store.request_cancel(run.key, SOFT, now=NOW, remember_until=NOW))[1] is False
    assert (await store.get_run(run.key)).cancel == HARD


async def test_a_cancel_of_an_ended_run_changes_nothing(store: Store) -> None:
    run = await claimed(store)
    await store.append(write(run, DONE))

    ended, is_changed = await store.request_cancel(run.key, HARD, now=NOW, remember_until=later(60))

    assert not is_changed
    assert ended is not None
    assert ended.cancel is None
    assert await store.list_with_mail(ANN, limit=9) == []


async def test_a_cancel_before_its_run_is_remembered_for_a_while(store: Store) -> None:
    await store.create_session(SESSION, {}, NOW)
    key = RunKey("app", "r1")

    assert await store.request_cancel(key, SOFT, now=NOW, remember_until=later(60)) == (None, True)
    assert await store.request_cancel(key, SOFT, now=NOW, remember_until=later(60)) == (None, False)
    assert await store.request_cancel(key, HARD, now=NOW, remember_until=later(60)) == (None, True)
    run, _ = await store.create_run(make_run(create_time=later(59)))
    assert run.cancel == HARD
    assert (await store.get_run(key)).cancel == HARD

    await store.request_cancel(RunKey("app", "r2"), HARD, now=NOW, remember_until=later(60))
    run, _ = await store.create_run(make_run("r2", create_time=later(61)))
    assert run.cancel is None


async def test_a_forgotten_cancel_can_be_asked_for_again(store: Store) -> None:
    key = RunKey("app", "r1")
    await store.request_cancel(key, HARD, now=NOW, remember_until=later(60))

    again = await store.request_cancel(key, SOFT, now=later(61), remember_until=later(120))

    assert again == (None, True)


async def test_runs_are_listed_by_creation_newest_first(store: Store) -> None:
    for number in range(5):
        await claimed(store, f"r{number}", SessionKey("app", "ann" if number % 2 else "bob", f"s{number}"))
    run = await store.get_run(RunKey("app", "r4"))
    await store.append(write(run, DONE))

    async def names(limit: int = 9, **wanted: Any) -> list[str]:
        seen: list[str] = []
        cursor = None
        while True:
            page = await store.list_runs(RunFilter(app_name="app", **wanted), limit=limit, cursor=cursor)
            seen += [item.key.request_id for item in page.items]
            if (cursor := page.next_cursor) is None:
                return seen

    assert await names(limit=2) == ["r4", "r3", "r2", "r1", "r0"]
    assert await names(user_id="ann") == ["r3", "r1"]
    assert await names(user_id="ann", session_id="s1") == ["r1"]
    assert await names(agent_name="other") == []
    assert await names(states=frozenset({RunState.COMPLETED, RunState.FAILED})) == ["r4"]
    assert (await store.list_runs(RunFilter(app_name="other"), limit=9)).items == ()
    with pytest.raises(InvalidRequestError):
        await store.list_runs(RunFilter(app_name="app"), limit=9, cursor="nonsense!")


async def test_runs_without_a_living_owner_are_orphans(store: Store, clock: Clock) -> None:
    await store.renew_lease(ANN, ttl_seconds=10)
    run = await claimed(store)
    await store.create_run(make_run("queued"))
    await claimed(store, "theirs", SessionKey("app", "bob", "s"))
    ended = await claimed(store, "ended", SessionKey("app", "bob", "t"))
    await store.append(write(ended, DONE))

    assert await store.list_orphans(limit=9) == []
    clock.now += 9
    await store.renew_lease(ANN, ttl_seconds=10)
    clock.now += 9
    assert await store.list_orphans(limit=9) == []
    clock.now += 2
    assert [r.key.request_id for r in await store.list_orphans(limit=9)] == ["r1", "queued", "theirs"]
    assert [r.key for r in await store.list_orphans(limit=1)] == [run.key]


async def test_a_lease_can_be_given_back(store: Store) -> None:
    await store.renew_lease(ANN, ttl_seconds=10)
    run = await claimed(store)

    await store.release_lease(ANN)
    await store.release_lease(ANN)

    assert [r.key for r in await store.list_orphans(limit=9)] == [run.key]


async def test_old_runs_are_deleted_with_their_logs(store: Store) -> None:
    run = await claimed(store)
    await store.append(write(run, None, DONE))
    live = await claimed(store, "live", SessionKey("app", "bob", "s"))

    assert await store.delete_runs_ended_before(NOW, limit=9) == 0
    assert await store.delete_runs_ended_before(later(1), limit=9) == 1

    with pytest.raises(NotFoundError):
        await store.get_run(run.key)
    with pytest.raises(NotFoundError):
        await store.list_run_events(run.key, after=0, limit=9)
    assert await store.get_run(live.key) == live
    assert (await store.get_session(SESSION)).key == SESSION


async def test_waiting_ends_when_an_event_comes_or_the_time_is_over(store: Store) -> None:
    run = await claimed(store)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(store.wait(run.key, after=0, timeout_seconds=60))
        await asyncio.sleep(0)
        await store.append(write(run, None))
    async with asyncio.timeout(10):
        await store.wait(run.key, after=1, timeout_seconds=0.01)
        await store.wait(run.key, after=0, timeout_seconds=60)


async def test_waiting_for_an_unknown_run_is_no_error(store: Store) -> None:
    async with asyncio.timeout(10):
        await store.wait(RunKey("app", "nope"), after=0, timeout_seconds=60)


async def test_the_store_answers_and_can_be_closed_twice(store: Store) -> None:
    await store.check()
    assert store.kind
    await store.close()
    await store.close()
