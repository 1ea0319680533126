"""(b) How much later the first event and the first token come than from the model server itself."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks.service.figures import Outcome, Spread, Table, at_most, said, spread
from benchmarks.service.loads import Offer, Sample, in_background, offered
from benchmarks.service.loads import Target as Server
from benchmarks.service.plan import Plan
from benchmarks.service.servers import Bench, runwire, started

_ADDED_MS = 2.0
_RATE = 50
_PROBE = Offer(runs=100, tokens=150, rate=_RATE, ramp=1)
_HALF_CORE = 0.5
_RAMP_SECONDS = 2.0
_SETTLE_SECONDS = 1.0
_HEAD = (
    "server",
    "first event ms p50",
    "p99",
    "first token ms p50",
    "p99",
    "added to first token ms p50",
    "runs ok",
)


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure first events, idle and at half load."""
    outcome = Outcome(
        "b",
        "Time to the first event and the first token",
        "One run after another; ms from the call to what is named. Runwire's first event is run_started, which is "
        "stored before it is sent; the model server's is the first byte of its answer. *Added* is the difference of "
        "the medians in the same round. The load client looks at a busy gRPC connection once a millisecond: up to "
        "1 ms of a first token that closely follows the first event is the client's. Half load: beside it, as many "
        "paced runs as take Runwire half a core; the model server is measured beside them, too.",
        plots={"first": []},
    )
    with ExitStack() as stack:
        ours = [stack.enter_context(runwire(bench, store)) for store in plan.stores]
        peers, why = started(stack, bench, plan.peers)
        outcome.problems += why
        idle = _rounds(bench, plan, ours, peers)
        half: dict[str, list[Sample]] = {}
        for server in ours[: len(plan.long_stores)]:
            half[server.name] = _half(bench, plan, server, outcome)
    _tell(outcome, "idle", idle)
    for name, samples in half.items():
        _tell(outcome, f"half load on {name}", samples)
    outcome.raw = {
        "idle": [asdict(one) for one in idle],
        "half": {name: [asdict(one) for one in made] for name, made in half.items()},
    }
    return outcome


def _offer(plan: Plan, *, is_peer: bool = False) -> Offer:
    return Offer(1, 20, repeat=20 if is_peer else max(60, plan.scaled(200)), timeout=30)


def _rounds(bench: Bench, plan: Plan, ours: Sequence[Server], peers: Sequence[Server]) -> list[Sample]:
    samples: list[Sample] = []
    for number in range(plan.rounds):
        samples += [offered(server, _offer(plan)) for server in (bench.direct(), *ours)]
        for server in peers if number == 0 else ():
            server.process.resume()
            samples.append(offered(server, _offer(plan, is_peer=True)))
            server.process.pause()
    return samples


def _half(bench: Bench, plan: Plan, server: Server, outcome: Outcome) -> list[Sample]:
    """Measure beside as many paced runs as take half a core."""
    probe = offered(server, _PROBE)
    if probe.problem or not probe.cpu_seconds:
        outcome.problems.append(f"half load: {probe.problem or 'no CPU was used'}")
        return []
    # A run costs what its tokens cost at this rate, its start included: the probe's runs are of three seconds.
    cores = probe.cpu_seconds / (_PROBE.tokens / _RATE)
    runs = max(1, round(_PROBE.runs * _HALF_CORE / cores))
    seconds = plan.rounds * max(6.0, 15 * plan.scale) + _RAMP_SECONDS + 60
    beside = Offer(runs, round(seconds * _RATE), _RATE, _RAMP_SECONDS, timeout=seconds + 60)
    samples: list[Sample] = []
    with in_background(server, beside, bench.scratch) as load:
        time.sleep(_RAMP_SECONDS + _SETTLE_SECONDS)
        for _ in range(plan.rounds):
            for one in (bench.direct(), server):
                load.check()
                samples.append(offered(one, _offer(plan)))
    outcome.plots.setdefault("half_runs", {})[server.name] = runs
    return samples


def _tell(outcome: Outcome, when: str, samples: Sequence[Sample]) -> None:
    by_server: dict[str, list[Sample]] = {}
    for sample in samples:
        by_server.setdefault(sample.server, []).append(sample)
    direct = by_server.get("model", [])
    rows = []
    for name, made in by_server.items():
        added = _added(made, direct, "first_token_ms")
        rows.append(_row(made, None if name == "model" else added))
        if name.startswith("runwire"):
            text = f"{when}: {name} adds at most {_ADDED_MS:.0f} ms to the "
            if when == "idle":
                event = _added(made, direct, "first_event_ms")
                outcome.targets.append(at_most(f"{text}first event (median)", event, _ADDED_MS))
                outcome.targets.append(at_most(f"{text}first token (median)", added, _ADDED_MS))
        _plot(outcome.plots["first"], when, made)
    runs = {f"half load on {name}": number for name, number in outcome.plots.get("half_runs", {}).items()}
    title = f"{when}: {runs[when]} paced runs beside it" if when in runs else when
    outcome.tables.append(Table(title, _HEAD, rows))
    outcome.problems += [f"{when}: {one.problem}" for one in samples if one.problem]


def _added(made: Sequence[Sample], direct: Sequence[Sample], name: str) -> Spread | None:
    pairs = ((one.at(name), other.at(name)) for one, other in zip(made, direct, strict=False))
    return spread(mine - theirs for mine, theirs in pairs if mine is not None and theirs is not None)


def _row(made: Sequence[Sample], added: Spread | None) -> tuple[str, ...]:
    figures = [
        said(spread(one.at(name, part) for one in made), 2)
        for name in ("first_event_ms", "first_token_ms")
        for part in ("p50", "p99")
    ]
    return (made[0].server, *figures, said(added, 2), f"{sum(not one.problem for one in made)}/{len(made)}")


def _plot(into: list[dict[str, Any]], when: str, made: Sequence[Sample]) -> None:
    known = [(one.at("first_token_ms"), one.at("first_token_ms", "p99")) for one in made]
    middles = [middle for middle, _ in known if middle is not None]
    if middles:
        worst = [high for _, high in known if high is not None]
        into.append({"server": made[0].server, "when": when, "p50": median(middles), "p99": median(worst)})
