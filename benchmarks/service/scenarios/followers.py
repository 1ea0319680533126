"""(f) Many followers on one run."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from benchmarks.service.figures import Outcome, Table, ratios, said, spread
from benchmarks.service.loads import Offer, Sample, offered
from benchmarks.service.plan import Plan
from benchmarks.service.servers import Bench, floor, runwire

_HEAD = (
    *("load", "server", "CPU µs a delivered message", "× floor", "CPU µs a token and stream", "× floor"),
    *("× with 1 follower", "messages a token and stream", "rounds ok"),
)
_LOADS = (("paced at 50/s", 500, 50), ("as fast as possible", 2000, 0))


@dataclass(frozen=True, slots=True)
class _Side:
    """One server under one load: so many runs, so many streams on each of them."""

    name: str
    runs: int
    streams_each: int
    samples: Sequence[Sample]

    def delivered(self, sample: Sample) -> int:
        """Return how many messages all streams got."""
        told = sample.told
        return int(told["messages"]) + int(told["followers"]["messages"]) if told else 0

    def by_message(self) -> list[float | None]:
        """Return the CPU µs of a delivered message in each round."""
        return [
            one.cpu_seconds * 1e6 / sent if (sent := self.delivered(one)) else None for one in self.samples
        ]

    def by_token(self) -> list[float | None]:
        """Return the CPU µs of a token on each stream, however many messages it took."""
        return [
            one.cpu_per_token and one.cpu_per_token / self.streams_each if not one.problem else None
            for one in self.samples
        ]

    def messages(self) -> list[float | None]:
        """Return how many messages a stream got for each token."""
        return [
            self.delivered(one) / one.tokens / self.streams_each if one.tokens else None
            for one in self.samples
        ]


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure many followers on one run against one follower on each of many, and against the floor."""
    outcome = Outcome(
        "f",
        f"{plan.followers} followers on one run",
        "A delivered message is one that any stream got, the caller's or a follower's; the floor streams ready-made "
        "messages to as many callers. Merged deltas make messages fewer and each of them dearer: then it is the CPU "
        "for each token on each stream that tells. *With 1 follower*: about as many streams, as runs with one "
        "follower each, which have a model call each.",
        raw={},
    )
    rows: list[tuple[str, ...]] = []
    with ExitStack() as stack:
        ours = stack.enter_context(runwire(bench, plan.stores[0]))
        bare = stack.enter_context(floor(bench))
        many, half = plan.followers, (plan.followers + 1) // 2
        for load, most, rate in _LOADS:
            tokens = plan.scaled(most, 250) if rate else most
            cases = {
                f"{ours.name}, 1 run, {many} followers": (
                    *(ours, 1 + many),
                    Offer(1, tokens, rate, flags=("--followers", str(many))),
                ),
                f"{ours.name}, {half} runs, 1 follower each": (
                    *(ours, 2),
                    Offer(half, tokens, rate, flags=("--followers", "1")),
                ),
                f"floor, {many + 1} streams": (bare, 1, Offer(many + 1, tokens, rate)),
            }
            samples: dict[str, list[Sample]] = {name: [] for name in cases}
            for _ in range(plan.rounds):
                for name, (server, _streams, offer) in cases.items():
                    samples[name].append(offered(server, offer))
            sides = [_Side(name, cases[name][2].runs, cases[name][1], made) for name, made in samples.items()]
            rows += _rows(load, sides)
            outcome.problems += [
                f"{load}: {one.problem}" for side in sides for one in side.samples if one.problem
            ]
            outcome.raw[load] = {side.name: [asdict(one) for one in side.samples] for side in sides}
    outcome.tables.append(Table("", _HEAD, rows))
    return outcome


def _rows(load: str, sides: Sequence[_Side]) -> list[tuple[str, ...]]:
    many, single, bare = sides
    return [
        (
            *(
                load,
                side.name,
                said(spread(side.by_message())),
                said(ratios(side.by_message(), bare.by_message()), 2),
            ),
            *(said(spread(side.by_token()), 2), said(ratios(side.by_token(), bare.by_token()), 2)),
            said(ratios(side.by_token(), single.by_token()), 2) if side is many else "–",
            said(spread(side.messages()), 3),
            f"{sum(not one.problem for one in side.samples)}/{len(side.samples)}",
        )
        for side in sides
    ]
