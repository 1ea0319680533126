"""(g) What the stores cost against their bare drivers: the table of `benchmarks.stores`."""

import json
from pathlib import Path

from benchmarks.service.figures import Outcome
from benchmarks.service.plan import Plan
from benchmarks.service.processes import ROOT, BenchError, environment, finished, python
from benchmarks.service.servers import Bench

_KINDS = ("sqlite", "redis", "postgres", "mariadb")
_SECONDS_MOST = 150.0


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure each store in a process of its own, so that one that cannot be had hides no other."""
    outcome = Outcome(
        "g",
        "Appends and reads of each store against the bare driver",
        "See [benchmarks/README.md](../README.md): CPU is this process's, µs an operation; *CPU ×* is what ours "
        "costs against the other side's round next to it.",
        raw={},
    )
    kinds = _KINDS[:1] if plan.is_quick else _KINDS
    seconds = "0.3" if plan.is_quick else str(max(0.3, round(0.6 * plan.scale, 2)))
    tables: list[str] = []
    for kind in kinds:
        out = bench.scratch / f"stores-{kind}.json"
        argv = python("-m", "benchmarks.stores", "--stores", kind, "--seconds", seconds, "--json", str(out))
        argv += ["--cases", "append, 100"] if plan.is_quick else []
        try:
            tables.append(finished(argv, _SECONDS_MOST, _environment()))
        except BenchError as error:
            outcome.problems.append(f"{kind} is left out: {error}")
            continue
        outcome.raw[kind] = json.loads(Path(out).read_text())
    outcome.text = _joined(tables)
    return outcome


def _environment() -> dict[str, str]:
    env = environment()
    return {**env, "PYTHONPATH": f"{env['PYTHONPATH']}:{ROOT / 'tests'}"}


def _joined(tables: list[str]) -> str:
    """Return the lines of all tables under one head, and below them what was said of each."""
    rows = [line for table in tables for line in table.splitlines() if line.startswith("|")]
    heads = rows[:2]
    body = [line for line in rows if "CPU ×" not in line and not line.startswith("| --")]
    notes = [line for table in tables for line in table.splitlines() if line and not line.startswith("|")]
    return "\n".join([*heads, *body]) + "\n\n" + "\n\n".join(notes) if tables else ""
