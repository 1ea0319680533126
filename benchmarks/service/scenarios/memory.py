"""(d) Memory of each live, attached, waiting and finished run."""

from dataclasses import dataclass

from benchmarks.service.figures import Outcome, Table, Target
from benchmarks.service.loads import Offer, in_background, offered
from benchmarks.service.loads import Target as Server
from benchmarks.service.plan import Plan
from benchmarks.service.processes import BenchError, finished, python
from benchmarks.service.servers import Bench, runwire

_KIB_MOST = 100.0
_HELD_SECONDS = 120.0
_FILL_SECONDS = 180.0
_RATE = 1
_FOLLOWERS = 4
_HEAD = ("store", "what", "how many", "RSS before MiB", "RSS then MiB", "KiB each")


@dataclass(slots=True)
class _Growth:
    store: str
    what: str
    number: int
    before: int
    then: int

    @property
    def kib(self) -> float:
        """How much each of them takes."""
        return (self.then - self.before) / 1024 / self.number


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure what runs of each kind take, each kind in a server of its own."""
    number = 300 if plan.is_quick else plan.scaled(1000, 200)
    outcome = Outcome(
        "d",
        "Memory of a run",
        "By how much the server's RSS grows for each run of a kind, in a server of its own. Live: one stream, a "
        "token a second; before, 20 runs have warmed the server up. Attached: each further Attach stream of such a "
        "run. Waiting: it asks for an approval, its stream has left. Finished: it is over, and its log with a text "
        "of 100 tokens is kept. For these two, half as many were there before, so that memory that is free is not "
        "used for them; with SQLite they are in the database, and what grows are caches.",
    )
    grown: list[_Growth] = []
    for store in plan.long_stores:
        for what, measured in (
            ("live", _live),
            ("attached", _attached),
            ("waiting", _waiting),
            ("finished", _finished),
        ):
            try:
                with runwire(bench, store) as server:
                    grown.append(measured(bench, server, number, what))
            except BenchError as error:
                outcome.problems.append(f"{store} {what}: {error}")
    rows = [
        (
            *(one.store, one.what, f"{one.number:,}", f"{one.before / 2**20:.1f}"),
            *(f"{one.then / 2**20:.1f}", f"{one.kib:.1f}"),
        )
        for one in grown
    ]
    outcome.tables.append(Table("", _HEAD, rows))
    outcome.targets = [
        Target(f"{one.store}: at most {_KIB_MOST:.0f} KiB a live run", f"{one.kib:.0f}", one.kib <= _KIB_MOST)
        for one in grown
        if one.what == "live"
    ]
    outcome.raw = [
        {"store": one.store, "what": one.what, "number": one.number, "before": one.before, "then": one.then}
        for one in grown
    ]
    return outcome


def _check(problem: str) -> None:
    if problem:
        raise BenchError(problem)


def _held(bench: Bench, server: Server, runs: int, *flags: str) -> int:
    """Return the memory with so many runs that go on."""
    offer = Offer(runs, 300, _RATE, 2, timeout=_HELD_SECONDS * 3, flags=("--hold", "1", *flags))
    with in_background(server, offer, bench.scratch) as load:
        load.wait_for_line("held", _HELD_SECONDS)
        return server.process.rss_bytes()


def _live(bench: Bench, server: Server, number: int, what: str) -> _Growth:
    before = server.process.rss_bytes()
    return _Growth(server.name, what, number, before, _held(bench, server, number))


def _attached(bench: Bench, server: Server, number: int, what: str) -> _Growth:
    """Measure a quarter of the runs with four more streams each against themselves without."""
    runs = number // _FOLLOWERS
    before = _held(bench, server, runs)
    # Those runs were left, and are cancelled when their grace is over; what they took is used again, or is not.
    with runwire(bench, "memory:" if "memory" in server.name else "sqlite:") as other:
        then = _held(bench, other, runs, "--followers", str(_FOLLOWERS))
    return _Growth(server.name, what, runs * _FOLLOWERS, before, then)


def _waiting(_: Bench, server: Server, number: int, what: str) -> _Growth:
    _fill(server, number // 2)
    before = server.process.rss_bytes()
    _fill(server, number)
    return _Growth(server.name, what, number, before, server.process.rss_bytes())


def _fill(server: Server, number: int) -> None:
    arguments = ("waiting", server.client[2], "--agent", "waiter", "--count", str(number))
    finished(python("-m", "benchmarks.service.fill", *arguments), _FILL_SECONDS)


def _finished(_: Bench, server: Server, number: int, what: str) -> _Growth:
    _check(offered(server, Offer(20, 100, repeat=number // 40, timeout=60)).problem)
    before = server.process.rss_bytes()
    _check(offered(server, Offer(20, 100, repeat=number // 20, timeout=60)).problem)
    return _Growth(server.name, what, number, before, server.process.rss_bytes())
