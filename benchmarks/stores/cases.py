"""The cases: appends of many writers, reading histories, starting runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from benchmarks.stores.bare import Bare
from benchmarks.stores.measure import Result, Series, Side, Stopwatch, in_turn
from benchmarks.stores.sample import APP, REPLICA, START, Writer, make_history, make_run, make_writers
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import EventQuery
from runwire_server.storage.port import Append, Store

_STARTS = 30
_READS = 5
_SHORT_READS = 50
# The rounds of each side, and what else was seen.
_Figures = tuple[dict[str, Series], dict[str, float]]
_Case = Callable[[Store, Bare, float], Awaitable[_Figures]]


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Writers, the users that their sessions belong to, and what each appends in a round."""

    writers: int
    users: int
    appends: int

    def __str__(self) -> str:
        many = "s" if self.writers > 1 else ""
        return f"{self.writers} writer{many}" + (", 1 user" if self.users < self.writers else "")


_CROWDS = (_Crowd(1, 1, 100), _Crowd(10, 10, 30), _Crowd(100, 1, 10), _Crowd(100, 100, 10))


async def all_cases(
    kind: str, store: Store, bare: Bare, seconds: float, wanted: str
) -> AsyncIterator[Result]:
    """Yield the results of the cases that have `wanted` in their names. Each takes about so long; 0: one round."""
    cases: dict[str, _Case] = {f"append, {crowd}": partial(_appends, crowd) for crowd in _CROWDS}
    cases |= {"read 1,000 events": _long_read, "read last 20 of 10,000": _tail_read, "start a run": _starts}
    for name, case in cases.items():
        if wanted in name:
            sides, seen = await case(store, bare, seconds)
            yield Result(kind, name, sides, notes=seen)


# 1. Appends


async def _appends(crowd: _Crowd, store: Store, bare: Bare, seconds: float) -> _Figures:
    name = f"w{crowd.writers}u{crowd.users}"
    batches = _Batches(store)
    ours = await make_writers(store, f"{name}-ours", crowd.writers, users=crowd.users)
    sides: dict[str, Side] = {"ours": partial(_our_appends, store, ours, crowd.appends, batches)}
    for way in bare.ways:
        theirs = await make_writers(store, f"{name}-{way}", crowd.writers, users=crowd.users)
        await bare.learn([Append(run=writer.run, after=0) for writer in theirs])
        sides[way] = partial(_bare_appends, bare, theirs, way, batches)
    try:
        series = await in_turn(sides, seconds)
    finally:
        batches.stop()
    return series, {"appends a commit": batches.mean}


async def _our_appends(
    store: Store, writers: Sequence[Writer], each: int, batches: "_Batches", watch: Stopwatch
) -> int:
    work = [[writer.following() for _ in range(each)] for writer in writers]
    batches.sizes = []
    with watch:
        async with asyncio.TaskGroup() as group:
            for appends in work:
                group.create_task(_append_each(store, appends))
    batches.note()
    return len(writers) * each


async def _append_each(store: Store, appends: Sequence[Append]) -> None:
    for append in appends:
        await store.append(append)


async def _bare_appends(
    bare: Bare, writers: Sequence[Writer], way: str, batches: "_Batches", watch: Stopwatch
) -> int:
    turn = count()
    work = []
    for size in batches.sizes:
        appends = [writers[next(turn) % len(writers)].following() for _ in range(size)]
        work.append(bare.encoded(appends))
    with watch:
        for batch in work:
            await bare.write(batch, way)
    return sum(batches.sizes)


class _Batches:
    """Watches how many appends the store puts into each commit, so that the bare driver can do the same."""

    def __init__(self, store: Any) -> None:
        # Servers of SQL batch in their database, SQLite in its writer, Redis in a part of the store.
        database = store._database
        owners = (database, getattr(database, "_writer", None), getattr(store, "_appends", None))
        self._owner = next(one for one in owners if hasattr(one, "_append_all") or hasattr(one, "_write"))
        self._name = "_append_all" if hasattr(self._owner, "_append_all") else "_write"
        self._original = getattr(self._owner, self._name)
        setattr(self._owner, self._name, self._noted)
        self.sizes: list[int] = []
        self._commits = self._appends = 0

    def _noted(self, *arguments: Any) -> Any:
        self.sizes.append(len(arguments[-1]))
        return self._original(*arguments)

    def note(self) -> None:
        """Count a round."""
        self._commits += len(self.sizes)
        self._appends += sum(self.sizes)

    @property
    def mean(self) -> float:
        """Appends in a commit, on average."""
        return self._appends / self._commits

    def stop(self) -> None:
        """Watch no more."""
        setattr(self._owner, self._name, self._original)


# 2. Reading


async def _long_read(store: Store, bare: Bare, seconds: float) -> _Figures:
    session = await make_history(store, "of-1000", 1000)
    sides: dict[str, Side] = {
        "ours": partial(_our_reads, store, session, 1000, _READS),
        "raw": partial(_bare_reads, bare, session, len),
        "json": partial(_bare_reads, bare, session, json.loads),
    }
    return await in_turn(sides, seconds), {}


async def _tail_read(store: Store, _bare: Bare, seconds: float) -> _Figures:
    long, short = [await make_history(store, f"tail-{size}", size) for size in (10_000, 100)]
    sides: dict[str, Side] = {
        "ours": partial(_our_reads, store, long, 20, _SHORT_READS),
        "of 100": partial(_our_reads, store, short, 20, _SHORT_READS),
    }
    return await in_turn(sides, seconds), {}


async def _our_reads(store: Store, session: SessionKey, limit: int, times: int, watch: Stopwatch) -> int:
    query = EventQuery(newest_first=True, limit=limit)
    with watch:
        for _ in range(times):
            found = await store.list_session_events(session, query)
    assert len(found) == limit
    return times


async def _bare_reads(
    bare: Bare, session: SessionKey, decode: Callable[[str], object], watch: Stopwatch
) -> int:
    with watch:
        for _ in range(_READS):
            found = await bare.newest(session, 1000)
            for row in found:
                decode(row[2])
    assert len(found) == 1000
    return _READS


# 3. Starting


async def _starts(store: Store, bare: Bare, seconds: float) -> _Figures:
    numbers = count()
    sides: dict[str, Side] = {
        "ours": partial(_our_starts, store, numbers),
        "round trip": partial(_round_trips, bare),
    }
    return await in_turn(sides, seconds), {}


async def _our_starts(store: Store, numbers: Any, watch: Stopwatch) -> int:
    """Each in a session of its own: a run of one session waits for those before it."""
    work = []
    for number in (next(numbers) for _ in range(_STARTS)):
        session = SessionKey(APP, f"starter{number}", f"start{number}")
        await store.create_session(session, {}, START)
        work.append(make_run(f"start{number}", session))
    with watch:
        for run in work:
            await store.get_or_create_session(run.session, {}, START)
            await store.create_run(run)
            await store.claim_run(run.key, REPLICA, attempt=0, now=START)
    return _STARTS


async def _round_trips(bare: Bare, watch: Stopwatch) -> int:
    with watch:
        for _ in range(10 * _STARTS):
            await bare.ping()
    return 10 * _STARTS
