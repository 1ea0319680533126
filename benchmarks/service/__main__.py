"""`python -m benchmarks.service`: measure the scenarios, and write tables, raw figures and plots."""

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.peers import PEERS
from benchmarks.service.figures import Outcome
from benchmarks.service.machine import machine
from benchmarks.service.plan import Plan
from benchmarks.service.processes import ROOT, BenchError
from benchmarks.service.report import written
from benchmarks.service.scenarios import cost, crowd, first, followers, history, memory, startup, stores
from benchmarks.service.servers import Bench, bench, installed

SCENARIOS: dict[str, Callable[[Bench, Plan], Outcome]] = {
    "a": cost.measure,
    "b": first.measure,
    "c": crowd.measure,
    "d": memory.measure,
    "e": history.measure,
    "f": followers.measure,
    "g": stores.measure,
    "h": startup.measure,
}
# adk-litellm is the same server as adk with a dearer adapter.
_PEERS = tuple(name for name in PEERS if name != "adk-litellm")
_QUICK_SCALE = 0.15


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = _parser()
    asked = parser.parse_args(arguments)
    letters = [letter for letter in asked.scenarios.split(",") if letter]
    if unknown := set(letters) - set(SCENARIOS):
        parser.error(f"unknown scenarios: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    names = [] if asked.no_peers or asked.quick else [name for name in asked.peers.split(",") if name]
    if unknown := set(names) - set(PEERS):
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    peers, why = installed(names) if set(letters) & {"a", "b"} else ([], [])
    for line in why:
        _say(line)
    plan = Plan(
        rounds=asked.rounds or (1 if asked.quick else 3),
        scale=asked.seconds_scale or (_QUICK_SCALE if asked.quick else 1.0),
        is_quick=asked.quick,
        peers=peers,
        stores=tuple(f"{store}:" for store in asked.stores.split(",")),
        followers=asked.followers,
    )
    try:
        outcomes = _measure(letters, plan, why, asked.out)
    except BenchError as error:
        sys.exit(f"bench: {error}")
    _say(f"written: {asked.out}")
    sys.exit(0 if all(outcome.tables or outcome.text for outcome in outcomes) else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="which, separated by commas")
    parser.add_argument("--rounds", type=int, default=0, help="how often servers take turns; default 3")
    parser.add_argument("--seconds-scale", type=float, default=0.0, help="stretches or shortens every case")
    parser.add_argument("--quick", action="store_true", help="one short round of each, without peers")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--peers", default=",".join(_PEERS), help=f"which of {', '.join(PEERS)}")
    parser.add_argument("--stores", default="memory,sqlite", help="of Runwire's servers")
    parser.add_argument("--followers", type=int, default=100, help="of one run, in scenario f")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    return parser


def _measure(letters: Sequence[str], plan: Plan, why: Sequence[str], out: Path) -> list[Outcome]:
    facts: dict[str, Any] = machine(plan)
    outcomes: list[Outcome] = []
    with bench() as made:
        for letter in letters:
            began = time.monotonic()
            _say(f"({letter}) …")
            try:
                outcome = SCENARIOS[letter](made, plan)
            except Exception as error:  # noqa: BLE001 -- one scenario; what the others measure must not be lost
                if not isinstance(error, BenchError):
                    traceback.print_exc()
                outcome = Outcome(letter, "failed", "", problems=[f"{type(error).__name__}: {error}"])
            outcome.seconds = time.monotonic() - began
            outcomes.append(outcome)
            _say(outcome.markdown() + f"\n\n({letter}) took {outcome.seconds:.0f} s\n")
            # After each, so that what was measured is there when a later scenario breaks everything.
            written(out, facts, outcomes, why)
    return outcomes


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except json.JSONDecodeError as error:
        sys.exit(f"bench: {error}")
