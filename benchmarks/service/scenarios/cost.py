"""(a) What a token costs the server: Runwire, the floor and the peers, taking turns."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

from benchmarks.service.figures import Outcome, Spread, Table, Target, at_most, ratios, said, spread
from benchmarks.service.loads import Sample, offered
from benchmarks.service.loads import Target as Server
from benchmarks.service.plan import CASES, Case, Plan
from benchmarks.service.servers import Bench, floor, runwire, started

_OURS = "runwire memory"
# A peer that takes longer than this for a round is not asked again.
_PEER_SECONDS = 60.0
_HEAD = (
    *("server", "CPU µs a token", "× floor", "× runwire", "messages a token"),
    *("tokens/s (of those offered)", "rounds ok"),
)


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure what a token costs."""
    outcome = Outcome(
        "a",
        "CPU of the server for each token",
        "CPU µs of the server, all threads and children, for each token that reached the client: the median of the "
        "rounds (least–most). *× floor* is against the bare grpc.aio handler in the same round, less is better; *× "
        "runwire* is how many times Runwire's cost with the memory store this is. A paced server whose tokens/s are "
        "well below those offered has fallen behind.",
        plots={"cases": {}},
    )
    with ExitStack() as stack:
        ours = [stack.enter_context(runwire(bench, store)) for store in plan.stores]
        servers = [*ours, stack.enter_context(floor(bench))]
        peers, why = started(stack, bench, plan.peers)
        outcome.problems += why
        samples = {case.name: _case(case, plan, servers, peers) for case in CASES}
    for case in CASES:
        _tell(outcome, case, samples[case.name])
    outcome.raw = {name: [asdict(sample) for sample in made] for name, made in samples.items()}
    return outcome


def _case(case: Case, plan: Plan, servers: Sequence[Server], peers: Sequence[Server]) -> list[Sample]:
    samples: list[Sample] = []
    for number in range(plan.rounds):
        print(f"  {case.title}: round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
        samples += [offered(server, case.offer(plan)) for server in servers]
        for server in peers[:: 1 if number % 2 == 0 else -1] if number < case.peer_rounds else ():
            if any(
                one.server == server.name and one.told.get("seconds", 0) > _PEER_SECONDS for one in samples
            ):
                continue
            server.process.resume()
            samples.append(offered(server, case.offer(plan, is_peer=True)))
            server.process.pause()
    return samples


def _tell(outcome: Outcome, case: Case, samples: Sequence[Sample]) -> None:
    by_server: dict[str, list[Sample]] = {}
    for sample in samples:
        by_server.setdefault(sample.server, []).append(sample)
    costs = {name: [one.cpu_per_token for one in made] for name, made in by_server.items()}
    rows, bars = [], []
    for name, made in by_server.items():
        against = ratios(costs[name], costs["floor"])
        ours = ratios(costs[name], costs.get(_OURS, ()))
        rows.append(_row(made, against, ours))
        if (cost := spread(costs[name])) is not None:
            bars.append({"server": name, "cost": asdict(cost), "ratio": against and asdict(against)})
    outcome.tables.append(Table(case.title, _HEAD, rows))
    outcome.plots["cases"][case.name] = {"title": case.title, "bars": bars, "limit": case.limit}
    for name in (name for name in costs if name.startswith("runwire")):
        text = f"{case.title}: {name} costs at most {case.limit} × the floor"
        outcome.targets.append(at_most(text, ratios(costs[name], costs["floor"]), case.limit))
    outcome.targets += _against_peers(case, by_server, costs)
    outcome.problems += [f"{case.title}: {one.problem}" for one in samples if one.problem]


def _row(made: Sequence[Sample], against: Spread | None, ours: Spread | None) -> tuple[str, ...]:
    served = spread(one.tokens_per_second for one in made)
    offer = made[0].offer
    share = ""
    if served is not None and offer.seconds:
        wanted = offer.runs * offer.tokens * offer.repeat / offer.seconds
        share = f" ({served.median / wanted:.0%}{', behind' if any(one.is_behind for one in made) else ''})"
    return (
        made[0].server,
        said(spread(one.cpu_per_token for one in made)),
        said(against, 2),
        said(ours, 1),
        said(spread(one.messages_per_token for one in made), 2),
        f"{served.median:,.0f}{share}" if served is not None else "–",
        f"{sum(not one.problem for one in made)}/{len(made)}",
    )


def _against_peers(
    case: Case, by_server: dict[str, list[Sample]], costs: dict[str, list[float | None]]
) -> list[Target]:
    """Hold the cheapest peer in Python to what the issue wants."""
    found = {
        name: against
        for name in by_server
        if not name.startswith("runwire")
        and name not in {"floor", "trpc-agent-go"}
        and (against := ratios(costs[name], costs.get(_OURS, ()))) is not None
    }
    if not found:
        return []
    name = min(found, key=lambda each: found[each].median)
    text = f"{case.title}: every peer in Python costs at least {case.peer_limit} × Runwire; the cheapest is {name}"
    return [Target(text, said(found[name], 1), found[name].median >= case.peer_limit)]
