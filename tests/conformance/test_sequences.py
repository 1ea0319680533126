"""Sequences of operations that hypothesis thinks of, on the memory store and another side by side: equal answers.

EXAMPLES=1000 tries more of them. By default the same ones are tried each time.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conformance.conftest import NOW, Clock
from conformance.fronts import open_fronted
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolResult
from runwire_server.domain.errors import RunwireError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import QueuedMessage
from runwire_server.domain.retention import FOR_EVER, NEVER, Expiry, Retention
from runwire_server.domain.runs import NOBODY, CancelMode, CancelRequest, Outcome, Run, RunState
from runwire_server.domain.sessions import EventQuery, SessionChange, SessionCopy
from runwire_server.domain.state import Tier
from runwire_server.storage.memory.store import MemoryStore
from runwire_server.storage.port import Append, RunFilter, Store

RETENTION = Retention(
    event_limit=4,
    session_ttl=timedelta(seconds=100),
    app_state_ttl=timedelta(seconds=60),
    user_state_ttl=timedelta(seconds=80),
    track_ttl=timedelta(seconds=50),
    deleted_ttl=timedelta(seconds=90),
)
OWNER = ReplicaId("me")
Call = Callable[[Store], Awaitable[Any]]

# Mostly the same one, so that something comes together there.
users = st.sampled_from(["ann", "ann", "ann", "ann", "Ann", "bob "])
names = st.sampled_from(["s", "s", "s", "s", "s", "S", "s ", "é{}"])
requests = st.sampled_from(["r1", "r1", "r1", "r2", "r3"])
few = st.integers(1, 3)
tiers = st.sampled_from(list(Tier))
values = st.one_of(
    st.none(), st.integers(-3, 3), st.floats(0, 1), st.text(max_size=3), st.just([]), st.just({}),
    st.dictionaries(st.sampled_from("xyz"), st.one_of(st.none(), st.integers(0, 3), st.just({})), max_size=3),
)  # fmt: skip
deltas = st.dictionaries(
    st.sampled_from(["a", "b", "user:a", "user:b", "app:a", "temp:t"]), values, max_size=3
)
payloads = st.one_of(
    st.sampled_from([Role.USER, Role.ASSISTANT, Role.TOOL]).map(
        lambda role: ev.MessagePayload("m", Message(role, "text"))
    ),
    st.just(ev.ToolResults((ToolResult("c", "t", "x"),), "m")),
    st.just(ev.Custom("n", {"list": [], "big": 2**60})),
)
queries = st.builds(
    EventQuery,
    after=st.integers(0, 6),
    before=st.one_of(st.none(), st.integers(1, 9)),
    user_only=st.booleans(),
    newest_first=st.booleans(),
    limit=st.integers(1, 5),
)
cancels = st.builds(CancelRequest, st.sampled_from(list(CancelMode)), st.just("why"))
ttls = st.sampled_from([None, FOR_EVER, timedelta(seconds=30)])


class SideBySide(RuleBasedStateMachine):
    """Does the same to both stores. The other one is used by one machine after another, each with its own app."""

    counter = itertools.count()

    def __init__(self, runner: asyncio.Runner, other: Store, clock: Clock) -> None:
        super().__init__()
        self.runner, self.other, self.clock = runner, other, clock
        self.clock.now = NOW.timestamp()  # each sequence must be the same, whatever was tried before
        self.memory: Store = MemoryStore(RETENTION, clock)
        self.app = f"app{next(self.counter)}"
        self.ids = itertools.count()
        self.copies: list[SessionCopy] = []

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now, UTC)

    def key(self, user: str, name: str) -> SessionKey:
        return SessionKey(self.app, user, name)

    def both(self, call: Call) -> Any:
        expected, found = (self.runner.run(outcome(call, store)) for store in (self.memory, self.other))
        assert found == expected, f"{found}\n{expected}"
        return found

    @initialize()
    def begin(self) -> None:
        key = self.key("ann", "s")
        self.both(lambda s: s.create_session(key, {"a": 1}, self.now))
        self.create_run("ann", "s", "r1", "f")
        self.claim("r1", 0)

    # Sessions

    @rule(user=users, name=names, state=deltas, ttl=ttls)
    def create(self, user: str, name: str, state: Any, ttl: Any) -> None:
        key = self.key(user, name)
        self.both(lambda s: s.create_session(key, state, self.now, ttl=ttl, display_name="n"))

    @rule(user=users, name=names, state=deltas)
    def get_or_create(self, user: str, name: str, state: Any) -> None:
        self.both(lambda s: s.get_or_create_session(self.key(user, name), state, self.now))

    @rule(user=users, name=names)
    def get(self, user: str, name: str) -> None:
        self.both(lambda s: s.get_session(self.key(user, name)))

    @rule(user=users, limit=few)
    def list_sessions(self, user: str, limit: int) -> None:
        self.both(lambda s: pages(lambda cursor: s.list_sessions(self.app, user, limit=limit, cursor=cursor)))

    @rule(
        user=users, name=names, title=st.sampled_from([None, "", "t"]), seconds=st.sampled_from([None, 0, 40])
    )
    def update(self, user: str, name: str, title: str | None, seconds: int | None) -> None:
        expiry = None
        if seconds is not None:
            expiry = Expiry(time=self.now + timedelta(seconds=seconds)) if seconds else NEVER
        change = SessionChange(display_name=title, expiry=expiry)
        self.both(lambda s: s.update_session(self.key(user, name), change, self.now))

    @rule(user=users, name=names, purge=st.booleans())
    def delete(self, user: str, name: str, *, purge: bool) -> None:
        self.both(lambda s: s.delete_session(self.key(user, name), purge=purge))

    @rule(user=users, name=names)
    def restore(self, user: str, name: str) -> None:
        self.both(lambda s: s.restore_session(self.key(user, name), self.now))

    @rule(seconds=st.sampled_from([0.000001, 0.000001, 1, 1, 2, 29, 51, 101]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def clean_up(self) -> None:
        self.both(lambda s: nothing(s.clean_up(limit=10_000)))

    # Events, tracks, state

    @rule(user=users, name=names, payload=payloads, delta=deltas, is_new=st.booleans())
    def append_event(self, user: str, name: str, payload: Any, delta: Any, *, is_new: bool) -> None:
        event = self.event(payload, delta, f"e{next(self.ids)}" if is_new else "known")
        self.both(lambda s: s.append_session_event(self.key(user, name), event, self.now))

    @rule(
        user=users,
        name=names,
        roles=st.lists(st.sampled_from([Role.USER, Role.ASSISTANT, Role.TOOL]), max_size=7),
    )
    def talk(self, user: str, name: str, roles: list[Role]) -> None:
        key = self.key(user, name)
        for role in roles:
            event = self.event(ev.MessagePayload("m", Message(role, "text")))
            self.both(lambda s, event=event: s.append_session_event(key, event, self.now))
        self.both(lambda s: s.list_session_events(key, EventQuery()))
        self.both(lambda s: s.get_session(key))

    @rule(user=users, name=names, query=queries)
    def list_events(self, user: str, name: str, query: EventQuery) -> None:
        self.both(lambda s: s.list_session_events(self.key(user, name), query))

    @rule(user=users, name=names, seconds=st.integers(0, 60))
    def list_events_since(self, user: str, name: str, seconds: int) -> None:
        query = EventQuery(since=self.now - timedelta(seconds=seconds))
        self.both(lambda s: s.list_session_events(self.key(user, name), query))

    @rule(user=users, name=names, which=st.integers(0, 40))
    def find_event(self, user: str, name: str, which: int) -> None:
        wanted = f"e{which}" if which else "known"
        self.both(lambda s: s.find_session_event(self.key(user, name), wanted))

    @rule(user=users, name=names, after=st.integers(0, 6))
    def truncate(self, user: str, name: str, after: int) -> None:
        key = self.key(user, name)
        self.both(lambda s: s.truncate_session(key, after=after, now=self.now))
        self.both(lambda s: s.get_session(key))

    @rule(
        user=users, name=names, tier=tiers, delta=st.dictionaries(st.sampled_from("ab"), values, min_size=1)
    )
    def update_state(self, user: str, name: str, tier: Tier, delta: Any) -> None:
        self.both(lambda s: s.update_state(self.key(user, name), tier, delta, self.now))

    @rule(user=users, name=names, tier=tiers)
    def get_state(self, user: str, name: str, tier: Tier) -> None:
        self.both(lambda s: s.get_state(self.key(user, name), tier))

    @rule(
        user=users, name=names, track=st.sampled_from(["t", "T"]), texts=st.lists(st.just("{}"), max_size=3)
    )
    def append_track(self, user: str, name: str, track: str, texts: list[str]) -> None:
        self.both(lambda s: s.append_track_events(self.key(user, name), track, texts, self.now))

    @rule(user=users, name=names, track=st.sampled_from(["t", "T"]), after=st.integers(0, 3), limit=few)
    def list_track(self, user: str, name: str, track: str, after: int, limit: int) -> None:
        self.both(lambda s: s.list_track_events(self.key(user, name), track, after=after, limit=limit))

    @rule(user=users, name=names)
    def read_copy(self, user: str, name: str) -> None:
        found = self.both(lambda s: plain(s.read_copy(self.key(user, name))))
        if isinstance(found, SessionCopy):
            self.copies.append(found)

    @precondition(lambda self: self.copies)
    @rule(which=st.integers(0, 10), user=users, name=names)
    def write_copy(self, which: int, user: str, name: str) -> None:
        copy = self.copies[which % len(self.copies)]
        copy = replace(copy, session=replace(copy.session, key=self.key(user, name)))
        self.both(lambda s: s.write_copy(copy))

    # Runs

    @rule(user=users, name=names, request=requests, fingerprint=st.sampled_from("fg"), is_first=st.booleans())
    def create_run(
        self, user: str, name: str, request: str, fingerprint: str, *, is_first: bool = False
    ) -> None:
        run = Run(
            key=RunKey(self.app, request),
            session=self.key(user, name),
            agent_name="a",
            state=RunState.QUEUED,
            create_time=self.now,
            fingerprint=fingerprint,
        )
        self.both(lambda s: s.create_run(run, must_be_first=is_first))

    @rule(request=requests, attempt=st.integers(0, 2), in_turn=st.booleans())
    def claim(self, request: str, attempt: int, *, in_turn: bool = True) -> None:
        key = RunKey(self.app, request)
        self.both(lambda s: s.claim_run(key, OWNER, attempt=attempt, now=self.now, in_turn=in_turn))
        self.both(lambda s: s.get_run(key))

    @rule(
        request=requests, stale=st.sampled_from([0, 0, 0, 1, -1]), seconds=st.sampled_from([None, 1, 9, 30])
    )
    def send(self, request: str, stale: int, seconds: int | None) -> None:
        key = RunKey(self.app, request)
        run = self.runner.run(outcome(lambda s: s.get_run(key), self.memory))
        if not isinstance(run, Run):
            return
        mail = run.mail.with_message(QueuedMessage(f"q{next(self.ids)}", Message(Role.USER, "text")))
        due = None if seconds is None else self.now + timedelta(seconds=seconds)
        version = run.mail.version + stale
        self.both(lambda s: s.set_mail(key, mail, version=version, due_time=due))

    @rule()
    def look_after_runs(self) -> None:
        self.both(lambda s: self.own(s.list_due(self.now, limit=10_000)))
        self.both(lambda s: self.own(s.list_with_mail(OWNER, limit=10_000)))
        self.both(lambda s: self.own(s.list_orphans(limit=10_000)))

    async def own(self, listing: Awaitable[list[Run]]) -> list[Run]:
        """This machine's runs, in an order that is everywhere the same."""
        found = [run for run in await listing if run.key.app_name == self.app]
        return sorted(found, key=lambda run: run.key)

    @rule(request=requests, asked=cancels)
    def cancel(self, request: str, asked: CancelRequest) -> None:
        until = self.now + timedelta(seconds=60)
        key = RunKey(self.app, request)
        self.both(lambda s: s.request_cancel(key, asked, now=self.now, remember_until=until))

    @rule(
        request=requests,
        log=st.lists(payloads, max_size=3),
        talk=st.lists(payloads, max_size=3),
        delta=st.one_of(st.none(), deltas),
        stale=st.sampled_from([0, 0, 0, 0, 1, -1]),
        older=st.sampled_from([0, 0, 0, 1]),
        ends=st.sampled_from([False, False, True]),
        waits=st.sampled_from([None, None, 0, 10]),
        mail=st.sampled_from([None, None, 0, 0, -1]),
    )
    def append(
        self,
        request: str,
        log: Any,
        talk: Any,
        delta: Any,
        stale: int,
        older: int,
        *,
        ends: bool,
        waits: int | None,
        mail: int | None,
    ) -> None:
        run = self.runner.run(outcome(lambda s: s.get_run(RunKey(self.app, request)), self.memory))
        if not isinstance(run, Run):
            return
        after = run.last_sequence + stale
        last = after + len(log)
        following = replace(run, attempt=run.attempt - older, last_sequence=last, last_event_time=self.now)
        if waits is not None:
            due = self.now + timedelta(seconds=waits)
            following = replace(following, state=RunState.WAITING, owner=NOBODY, due_time=due)
        elif run.state is RunState.WAITING:
            following = replace(following, state=RunState.RUNNING, owner=OWNER)
        if mail is not None:
            following = replace(following, mail=run.mail.with_all_read())
        if ends:
            following = replace(
                following, state=RunState.COMPLETED, outcome=Outcome.COMPLETED, end_time=self.now
            )
        write = Append(
            run=following,
            after=after,
            events=tuple(
                replace(self.event(payload), sequence=after + place) for place, payload in enumerate(log, 1)
            ),
            session_events=tuple(self.event(payload) for payload in talk),
            state_delta=delta,
            mail_version=None if mail is None else run.mail.version + mail,
        )
        self.both(lambda s: s.append(write))

    @rule(request=requests, after=st.integers(0, 4), limit=few)
    def list_log(self, request: str, after: int, limit: int) -> None:
        self.both(lambda s: s.get_run(RunKey(self.app, request)))
        self.both(lambda s: s.list_run_events(RunKey(self.app, request), after=after, limit=limit))

    @rule(
        user=st.one_of(st.just(""), users),
        states=st.sets(st.sampled_from(list(RunState)), max_size=2),
        limit=few,
    )
    def list_runs(self, user: str, states: set[RunState], limit: int) -> None:
        wanted = RunFilter(app_name=self.app, user_id=user, states=frozenset(states))
        self.both(lambda s: pages(lambda cursor: s.list_runs(wanted, limit=limit, cursor=cursor)))

    @rule(seconds=st.sampled_from([0, 30]))
    def forget_runs(self, seconds: int) -> None:
        before = self.now - timedelta(seconds=seconds)
        self.both(lambda s: nothing(s.delete_runs_ended_before(before, limit=10_000)))

    def event(self, payload: Any, delta: Any = None, name: str = "") -> ev.Event:
        return ev.Event(
            request_id="",
            sequence=0,
            create_time=self.now,
            author="a",
            payload=payload,
            id=name or f"e{next(self.ids)}",
            state_delta=delta or None,
        )


async def outcome(call: Call, store: Store) -> Any:
    """What a call returns, or what it raises."""
    try:
        return await call(store)
    except RunwireError as error:
        return type(error), str(error)


async def nothing(call: Awaitable[Any]) -> None:
    """What counts everybody's rows cannot be compared."""
    await call


async def plain(call: Awaitable[SessionCopy]) -> SessionCopy:
    """A copy whose sequences are lists, whatever they were."""
    copy = await call
    tracks = {name: (last, list(items)) for name, (last, items) in copy.tracks.items()}
    return replace(copy, events=list(copy.events), tracks=tracks)


async def pages(read: Callable[[str | None], Awaitable[Any]]) -> list[Any]:
    """Everything that is listed, page by page."""
    found: list[Any] = []
    cursor = None
    while True:
        page = await read(cursor)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


@pytest.mark.timeout(600)
def test_any_sequence_of_operations_has_the_answers_of_the_memory_store(url: str, clock: Clock) -> None:
    examples = int(os.environ.get("EXAMPLES", "0"))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opening = open_fronted(url, retention=RETENTION, clock=clock)
        other = runner.run(stack.enter_async_context(opening))
        try:
            run_state_machine_as_test(
                lambda: SideBySide(runner, other, clock),
                settings=settings(
                    max_examples=examples or 30,
                    stateful_step_count=60,
                    deadline=None,
                    derandomize=not examples,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(stack.aclose())
