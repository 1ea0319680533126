"""(c) A thousand runs at 50 tokens/s for a minute."""

from contextlib import AbstractContextManager
from dataclasses import asdict, replace

from benchmarks.service.figures import Outcome, Table, Target
from benchmarks.service.loads import Offer, Sample, offered
from benchmarks.service.loads import Target as Server
from benchmarks.service.plan import Plan
from benchmarks.service.servers import Bench, floor, runwire
from benchmarks.service.watching import Watch

_RUNS = 1000
_RATE = 50
_SLOWEST = 1.2
_KIB_MOST = 100.0
_HEAD = (
    *("server", "runs ok", "tokens/s (offered)", "first event p50/p99 ms", "lateness p50/p99/max ms"),
    "slowest/median run",
    *("CPU µs a token", "messages a token", "RSS before → during MiB", "KiB a live run", "client CPU"),
)


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure whether a thousand runs are all served."""
    outcome = Outcome(
        "c",
        "1,000 runs at 50 tokens/s",
        "Lateness is when the client has a token less when the model server sent it, of all tokens of all runs; the "
        "slowest run's duration over the median's says whether anybody starves. RSS during is the most seen, looked "
        "at each second, after warming up with 20 runs. The load client and the model server share the cores with "
        "the server (*client CPU* is the client's share of one core).",
    )
    offer = Offer(_RUNS, plan.scaled(3000, 250), _RATE, 8, timeout=max(120.0, 240 * plan.scale))
    samples = [_one(runwire(bench, store), offer) for store in plan.long_stores]
    # The floor tells what one message per token would do here; a third of the time is enough for that.
    samples.append(_one(floor(bench), replace(offer, tokens=max(250, offer.tokens // 3))))
    outcome.tables.append(Table("", _HEAD, [_row(sample) for sample in samples]))
    for sample in samples[:-1]:
        outcome.targets += _targets(sample)
    outcome.problems = [sample.problem for sample in samples if sample.problem]
    outcome.raw = [asdict(sample) for sample in samples]
    outcome.plots["lateness"] = [
        {"server": sample.server, **sample.told["lateness_ms"]}
        for sample in samples
        if sample.told.get("lateness_ms")
    ]
    return outcome


def _one(server: AbstractContextManager[Server], offer: Offer) -> Sample:
    with server as target, Watch(target.process) as watch:
        sample = offered(target, offer)
    return replace(sample, rss_most=watch.rss_most)


def kib_a_run(sample: Sample) -> float:
    """Return by how much memory grew for each run at a time."""
    return (sample.rss_most - sample.rss_before) / 1024 / sample.offer.runs


def _row(sample: Sample) -> tuple[str, ...]:
    told, offer = sample.told, sample.offer
    if not told:
        return (sample.server, "–", *("–",) * (len(_HEAD) - 2))
    late, first = told["lateness_ms"], told["first_event_ms"]
    wanted = offer.runs * offer.tokens / offer.seconds
    return (
        sample.server,
        f"{told['ok']}/{told['runs']}",
        f"{sample.tokens_per_second or 0:,.0f} ({wanted:,.0f}){', behind' if sample.is_behind else ''}",
        f"{first['p50']:,.0f} / {first['p99']:,.0f}" if first else "–",
        f"{late['p50']:.1f} / {late['p99']:.1f} / {late['max']:.0f}" if late else "–",
        f"{told['slowest_ratio']:.3f}",
        f"{sample.cpu_per_token or 0:.1f}",
        f"{sample.messages_per_token or 0:.2f}",
        f"{sample.rss_before / 2**20:.0f} → {sample.rss_most / 2**20:.0f}",
        f"{kib_a_run(sample):.0f}",
        f"{told['cpu_seconds'] / told['seconds']:.0%}",
    )


def _targets(sample: Sample) -> list[Target]:
    told = sample.told
    if not told:
        return [Target(f"{sample.server}: every run is served", "failed", is_met=False)]
    ratio, kib = float(told["slowest_ratio"]), kib_a_run(sample)
    return [
        Target(
            f"{sample.server}: every run is served",
            f"{told['ok']} of {told['runs']}",
            told["ok"] == told["runs"] and not sample.problem,
        ),
        Target(
            f"{sample.server}: slowest run at most {_SLOWEST} × the median", f"{ratio:.3f}", ratio <= _SLOWEST
        ),
        Target(f"{sample.server}: at most {_KIB_MOST:.0f} KiB a live run", f"{kib:.0f}", kib <= _KIB_MOST),
    ]
