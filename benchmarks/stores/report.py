"""The table, and the raw figures as JSON."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmarks.stores.measure import Result

_HEAD = ("store", "case", "ours: CPU", "wall µs", "against", "CPU", "wall µs", "CPU ×", "wall ×", "rounds")
_PACKAGES = ("sqlalchemy", "pydantic", "asyncpg", "asyncmy", "redis", "hiredis", "uvloop")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "load": list(os.getloadavg()),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def table(results: Sequence[Result]) -> str:
    """Return results as a table in Markdown: one line for each side that ours is compared with."""
    lines = [_HEAD]
    for result in results:
        for number, side in enumerate(name for name in result.sides if name != result.ours):
            lead = (
                (
                    *(result.store, _case(result)),
                    *(f"{result.cpu(result.ours):,.0f}", f"{result.wall(result.ours):,.0f}"),
                )
                if number == 0
                else ("", "", "", "")
            )
            lines.append(
                (
                    *lead,
                    *(side, f"{result.cpu(side):,.0f}", f"{result.wall(side):,.0f}"),
                    *(f"{result.ratio(side):.2f}", f"{result.ratio(side, 'wall'):.2f}"),
                    str(len(result.sides[side].cpu)),
                )
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def _case(result: Result) -> str:
    commits = result.notes.get("appends a commit")
    return result.case if commits is None else f"{result.case} ({commits:.0f} a commit)"


def raw(results: Sequence[Result], versions: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that was measured."""
    return {
        "machine": {**before, "load_after": list(os.getloadavg())},
        "versions": dict(versions),
        "results": [
            {
                **asdict(result),
                "cpu_ratio": {side: result.ratio(side) for side in result.sides},
                "wall_ratio": {side: result.ratio(side, "wall") for side in result.sides},
            }
            for result in results
        ],
    }
