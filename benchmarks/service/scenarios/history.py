"""(e) What a turn costs against how much its session has stored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from benchmarks.service.figures import Outcome, Spread, Table, at_most, ratios, said, spread
from benchmarks.service.loads import Offer, Sample, offered
from benchmarks.service.loads import Target as Server
from benchmarks.service.plan import Plan
from benchmarks.service.processes import finished, python
from benchmarks.service.servers import Bench, runwire

# Length: in how many sessions, each with how many turns a round. Short ones are more, for a turn makes them longer.
_SHAPES = {10: (8, 5), 100: (4, 10), 1_000: (4, 10), 10_000: (1, 10)}
_CALLS = {10_000: 4}
_FILLED_ONCE = 1_000
_BASE = 100
_LIMIT = 1.5
_FILL_SECONDS = 300.0
_HEAD = (
    "store",
    "stored events",
    "CPU ms a turn",
    f"× that at {_BASE}",
    "first token ms",
    "turn ms p50",
    "turn ms p99 (worst session)",
    "rounds ok",
)


@dataclass(frozen=True, slots=True)
class _Point:
    length: int
    samples: Sequence[Sample]

    def cpu(self) -> list[float | None]:
        """Return the CPU ms of a turn in each round."""
        return [None if one.problem else one.cpu_seconds * 1e3 / one.told["runs"] for one in self.samples]

    def at(self, name: str, part: str, factor: float = 1.0) -> Spread | None:
        """Return a figure of the load client."""
        known = [one.at(name, part) for one in self.samples]
        return spread(value and value * factor for value in known)


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure turns in sessions of several lengths."""
    outcome = Outcome(
        "e",
        "A turn against the length of its session",
        "One turn at a time (`bench tokens=20`) in sessions that AppendEvent has filled with messages of 180 bytes. "
        "A model is shown at most the newest 200 events, so from some hundreds of events on the cost must not grow. "
        "A turn's time is the whole call's.",
        plots={"turns": {}},
    )
    raw: dict[str, Any] = {}
    for store in plan.stores[-1:] if plan.is_quick else plan.stores:
        with runwire(bench, store) as target:
            points = _store(target, plan)
        _tell(outcome, target.name, points)
        raw[target.name] = {point.length: [asdict(one) for one in point.samples] for point in points}
    outcome.raw = raw
    return outcome


def _store(target: Server, plan: Plan) -> list[_Point]:
    samples: dict[int, list[Sample]] = {length: [] for length in _SHAPES}
    for number in range(plan.rounds):
        for length, (sessions, turns) in _SHAPES.items():
            # The turns of all rounds together are little for the long ones.
            prefix = f"long-{length}" if length >= _FILLED_ONCE else f"long-{length}-{number}"
            if number == 0 or length < _FILLED_ONCE:
                _fill(target, prefix, sessions, length)
            # One session after another, so that no turn is in the way of another one.
            parts = [
                offered(
                    target, Offer(1, 20, repeat=turns, flags=("--session", f"{prefix}-{session}"), timeout=60)
                )
                for session in list(range(sessions)) * _CALLS.get(length, 1)
            ]
            samples[length].append(_together(parts))
    return [_Point(length, made) for length, made in samples.items()]


def _together(parts: Sequence[Sample]) -> Sample:
    """Return one sample of several: sums, medians of the medians, and the worst of the rest."""
    problem = next((part.problem for part in parts if part.problem), "")
    if problem:
        return replace(parts[0], problem=problem)
    told = {name: sum(part.told[name] for part in parts) for name in ("runs", "ok", "tokens", "messages")}
    for name in ("first_token_ms", "duration_s"):
        told[name] = {
            "p50": median(part.told[name]["p50"] for part in parts),
            "p99": max(part.told[name]["p99"] for part in parts),
        }
    return replace(parts[0], cpu_seconds=sum(part.cpu_seconds for part in parts), told=told)


def _fill(target: Server, prefix: str, sessions: int, length: int) -> None:
    arguments = ("sessions", target.client[2], "--prefix", prefix)
    counts = ("--count", str(sessions), "--length", str(length))
    finished(python("-m", "benchmarks.service.fill", *arguments, *counts), _FILL_SECONDS)


def _tell(outcome: Outcome, name: str, points: Sequence[_Point]) -> None:
    base = next(point for point in points if point.length == _BASE)
    rows = []
    for point in points:
        rows.append(
            (
                name,
                f"{point.length:,}",
                said(spread(point.cpu()), 2),
                said(ratios(point.cpu(), base.cpu()), 2),
                said(point.at("first_token_ms", "p50"), 1),
                said(point.at("duration_s", "p50", 1e3), 1),
                said(point.at("duration_s", "p99", 1e3), 1),
                f"{sum(not one.problem for one in point.samples)}/{len(point.samples)}",
            )
        )
        outcome.problems += [
            f"{point.length:,} events: {one.problem}" for one in point.samples if one.problem
        ]
    outcome.tables.append(Table("", _HEAD, rows))
    longest = points[-1]
    text = f"{name}: a turn at {longest.length:,} events costs at most {_LIMIT} × that at {_BASE}"
    outcome.targets.append(at_most(text, ratios(longest.cpu(), base.cpu()), _LIMIT))
    outcome.plots["turns"][name] = [
        {"length": point.length, "cost": asdict(found)}
        for point in points
        if (found := spread(point.cpu())) is not None
    ]
