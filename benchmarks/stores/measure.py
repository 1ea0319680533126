"""Rounds of several sides in turn, with the CPU time of this process (all its threads) and the wall time of each."""

import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from types import TracebackType

_ROUNDS_MIN, _ROUNDS_MAX = 5, 200


class Stopwatch:
    """Times the block that it is the context of. One side's round uses it once; what is outside is preparation."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        gc.collect()
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.cpu, self.wall = time.process_time() - self.cpu, time.perf_counter() - self.wall


# Does one round and returns how many operations were timed.
Side = Callable[[Stopwatch], Awaitable[int]]


@dataclass(slots=True)
class Series:
    """One side's rounds, in microseconds an operation."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, watch: Stopwatch, operations: int) -> None:
        """Take a round."""
        self.cpu.append(watch.cpu / operations * 1e6)
        self.wall.append(watch.wall / operations * 1e6)


@dataclass(slots=True)
class Result:
    """One case on one store. `ours` names one of the sides; `notes` is what else was seen."""

    store: str
    case: str
    sides: dict[str, Series]
    ours: str = "ours"
    notes: dict[str, float] = field(default_factory=dict)

    def cpu(self, side: str) -> float:
        """Return the median of a side's CPU."""
        return median(self.sides[side].cpu)

    def wall(self, side: str) -> float:
        """Return the median of a side's wall time."""
        return median(self.sides[side].wall)

    def ratio(self, side: str, what: str = "cpu") -> float:
        """Return the median, over rounds, of ours against that side's round next to it."""
        ours: list[float] = getattr(self.sides[self.ours], what)
        other: list[float] = getattr(self.sides[side], what)
        # Round by round: the clock of processes may not tick within a very short one.
        return float(median(a / max(b, 0.01) for a, b in zip(ours, other, strict=True)))


async def in_turn(sides: Mapping[str, Side], seconds: float) -> dict[str, Series]:
    """Run rounds of all sides, one after the other, for about so long. 0: one round, and no warm-up."""
    series = {name: Series() for name in sides}
    if seconds:
        for side in sides.values():
            await side(Stopwatch())
    least = _ROUNDS_MIN if seconds else 1
    deadline = time.monotonic() + seconds
    for done in range(_ROUNDS_MAX):
        if done >= least and time.monotonic() >= deadline:
            break
        for name, side in sides.items():
            watch = Stopwatch()
            series[name].add(watch, await side(watch))
    return series
