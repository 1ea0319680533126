"""Puts the tables of results.json into docs/performance.md: `python -m benchmarks.service.summary [FOLDER]`.

What stands between `<!-- measured: NAME -->` and `<!-- end -->` is replaced.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.service.figures import Table
from benchmarks.service.processes import ROOT

_PAGE = ROOT / "docs" / "performance.md"
_PLACE = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_USE = 0.6  # of a core, see the page
_RATE = 50


def main(folder: Path) -> None:
    """Rewrite the page."""
    results: Mapping[str, Any] = json.loads((folder / "results.json").read_text())
    texts = {"machine": _machine(results["machine"]), "costs": _costs(results["scenarios"])}
    texts["others"] = _others(results["scenarios"])
    texts["sizes"] = _sizes(results["scenarios"])
    page = _PAGE.read_text()
    _PAGE.write_text(_PLACE.sub(lambda found: f"{found[1]}{texts[found[2]]}\n{found[3]}", page))


def _machine(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['cores']} cores of {facts['cpu']}, Python {facts['python']}, commit {facts['commit']}, "
        f"load average before: {facts['load_before'][0]:.1f}, {facts['rounds']} rounds."
    )


def _costs(scenarios: Mapping[str, Any]) -> str:
    """Return one table of all loads: what a token costs, and how many floors that is."""
    cases = list(scenarios.get("a", {}).get("plots", {}).get("cases", {}).values())
    servers = list(dict.fromkeys(bar["server"] for case in cases for bar in case["bars"]))
    rows = []
    for server in servers:
        cells = [server]
        for case in cases:
            bar = next((one for one in case["bars"] if one["server"] == server), None)
            cells.append(_cell(bar))
        rows.append(cells)
    return Table("", ("CPU µs a token (× floor)", *(case["title"] for case in cases)), rows).markdown()


def _cell(bar: Mapping[str, Any] | None) -> str:
    if bar is None:
        return "–"
    ratio = f" ({bar['ratio']['median']:,.2f} ×)" if bar["ratio"] else ""
    return f"{bar['cost']['median']:,.1f}{ratio}"


def _others(scenarios: Mapping[str, Any]) -> str:
    parts = []
    for letter in "bcdef":
        outcome = scenarios.get(letter)
        if outcome is not None:
            parts.append(f"**({letter}) {outcome['title']}**")
            parts += [Table(**table).markdown() for table in outcome["tables"]]
    if (start := scenarios.get("h")) is not None and start["tables"]:
        parts += [f"**(h) {start['title']}**", Table(**start["tables"][0]).markdown()]
    return "\n\n".join(parts)


def _sizes(scenarios: Mapping[str, Any]) -> str:
    """Return what the formulas give with the figures of this run."""
    cases = scenarios.get("a", {}).get("plots", {}).get("cases", {})
    turns = scenarios.get("e", {}).get("plots", {}).get("turns", {})
    rows = []
    for name in (bar["server"] for bar in cases.get("paced300", {"bars": []})["bars"]):
        if not name.startswith("runwire"):
            continue
        cost = next(bar["cost"]["median"] for bar in cases["paced300"]["bars"] if bar["server"] == name)
        rows.append((name, f"{cost:.0f}", f"{_USE * 1e6 / (_RATE * cost):,.0f}", *_turn(turns.get(name, []))))
    head = ("server", "C µs", f"runs a core at {_RATE} tokens/s", "T ms", "short turns a second and core")
    return Table("", head, rows).markdown()


def _turn(points: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    cost = next((point["cost"]["median"] for point in points if point["length"] == 100), None)
    return ("–", "–") if cost is None else (f"{cost:.1f}", f"{_USE * 1e3 / cost:,.0f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "benchmarks" / "results")
