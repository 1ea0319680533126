"""The command line: measure, and print one table."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.stores.cases import all_cases
from benchmarks.stores.measure import Result
from benchmarks.stores.places import KINDS, opened
from benchmarks.stores.report import machine, raw, table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores", description=__doc__)
    parser.add_argument("--stores", default=",".join(KINDS), help="which, separated by commas")
    parser.add_argument(
        "--cases", default="", help="only those with this in their names, for example: append"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="for each case; 0: one round")
    parser.add_argument("--json", type=Path, help="write the raw figures to this file")
    asked = parser.parse_args(arguments)
    kinds = asked.stores.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"unknown stores: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    before = machine()
    # As `runwire serve` does.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results, versions = runner.run(_measure(kinds, asked.seconds, asked.cases))
    print(table(results))
    print(f"\nCPU and wall: µs an operation, medians. Load before: {before['load'][0]:.1f}. {versions}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(raw(results, versions, before), indent=1))


async def _measure(kinds: Sequence[str], seconds: float, wanted: str) -> tuple[list[Result], dict[str, str]]:
    results: list[Result] = []
    versions: dict[str, str] = {}
    for kind in kinds:
        async with opened(kind) as (store, bare):
            versions[kind] = bare.version()
            async for result in all_cases(kind, store, bare, seconds, wanted):
                print(f"{kind}: {result.case}", file=sys.stderr)
                results.append(result)
    return results, versions


if __name__ == "__main__":
    main()
