"""Writes what was measured: results.md, results.json, and the plots if there is matplotlib."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.service.figures import Outcome
from benchmarks.service.processes import ROOT, BenchError, environment, finished

_PLOTTING = ROOT / ".tools" / "bench" / "venv" / "bin" / "python"
_PLOT_SECONDS = 120.0


def written(out: Path, facts: Mapping[str, Any], outcomes: Sequence[Outcome], why: Sequence[str]) -> None:
    """Write everything, replacing what was there."""
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "machine": facts,
        "left_out": list(why),
        "scenarios": {outcome.letter: asdict(outcome) for outcome in outcomes},
    }
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    plots, problem = _plots(out)
    (out / "results.md").write_text(_markdown(facts, outcomes, why, plots, problem))


def _plots(out: Path) -> tuple[list[str], str]:
    """Return the names of the plots, and why there are none."""
    if not _PLOTTING.exists():
        return [], "no plots: make bench sets up what makes them"
    argv = [str(_PLOTTING), "-m", "benchmarks.service.plots", str(out / "results.json"), str(out)]
    try:
        return finished(argv, _PLOT_SECONDS, environment(MPLBACKEND="Agg")).split(), ""
    except BenchError as error:
        return [], f"no plots: {error}"


def _markdown(
    facts: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    why: Sequence[str],
    plots: Sequence[str],
    problem: str,
) -> str:
    parts = [
        "# Results",
        "Made by `make bench`; [docs/performance.md](../../docs/performance.md) says what is measured and how to "
        "read it. Medians of the rounds (least–most); ratios are of figures of the same round, and what to read when "
        "the machine is not idle.",
        _machine(facts),
    ]
    if targets := [target.line() for outcome in outcomes for target in outcome.targets]:
        parts.append("## Targets of the issue\n\n" + "\n".join(targets))
    parts += [outcome.markdown() for outcome in outcomes]
    if plots:
        parts.append("## Plots\n\n" + "\n".join(f"![{name.removesuffix('.png')}]({name})" for name in plots))
    parts += [*([problem] if problem else []), *why]
    if peers := facts["peers"]:
        lines = [
            f"* **{name}** ({', '.join(f'{package} {number}' for package, number in told['versions'].items())}): "
            f"{told['what_is_fair']}"
            for name, told in peers.items()
        ]
        parts.append("## Settings of the peers\n\n" + "\n".join(lines))
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(facts: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    load = ", ".join(f"{number:.1f}" for number in facts["load_before"])
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['memory_mib']:,} MiB, Linux {facts['kernel']}, Python "
        f"{facts['python']}, {facts['go']}; {packages}. Commit {facts['commit']}. Load average before: {load}. "
        f"{facts['rounds']} rounds, scale {facts['scale']}."
    )
