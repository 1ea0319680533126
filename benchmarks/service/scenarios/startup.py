"""(h) How long it takes to start, and which imports cost it."""

import re
import time
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.service.figures import Outcome, Table, ratios, said, spread
from benchmarks.service.plan import Plan
from benchmarks.service.processes import environment, finished, free_port, python, running
from benchmarks.service.servers import APP, Bench

_IMPORT_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_SHOWN = 15
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")
_IMPORTS = {
    "python -c pass": "pass",
    "import grpc.aio": "import grpc.aio",
    "import runwire_server.app": "import runwire_server.app",
}
_FLOOR = "bare grpc.aio server"


def measure(bench: Bench, plan: Plan) -> Outcome:
    """Measure starts and imports."""
    outcome = Outcome(
        "h",
        "Start",
        "Seconds of the clock from starting the process until its first answer to a health check (any answer, for "
        "the bare server), with files in the page cache. Imports: the whole process, so that `pass` is Python's own.",
    )
    servers = {
        "runwire serve, memory": _serve(bench, "memory:"),
        "runwire serve, sqlite (new file)": _serve(bench, "sqlite:"),
        _FLOOR: ("-m", "benchmarks.service.floor", "{port}"),
    }
    times: dict[str, list[float | None]] = {}
    for number in range(-1, plan.rounds):
        found = {name: _started(bench, argv) for name, argv in servers.items()}
        found |= {name: _timed(code) for name, code in _IMPORTS.items()}
        if number >= 0:  # the round before the first fills the caches
            for name, seconds in found.items():
                times.setdefault(name, []).append(seconds)
    rows = [
        (name, said(spread(measured), 3), said(ratios(measured, times[_FLOOR]), 2))
        for name, measured in times.items()
    ]
    outcome.tables.append(Table("", ("what", "seconds", "× bare server's start"), rows))
    slowest = _importtime()
    head = ("module", "with what it imports ms", "itself ms")
    shown = [(name, f"{whole / 1e3:.1f}", f"{own / 1e3:.1f}") for name, whole, own in slowest]
    outcome.tables.append(
        Table("What `import runwire_server.app` spends its time on (-X importtime)", head, shown)
    )
    outcome.raw = {
        "seconds": {name: asdict(of) for name, measured in times.items() if (of := spread(measured))},
        "imports": slowest,
    }
    return outcome


def _serve(bench: Bench, store: str) -> tuple[str, ...]:
    if store == "sqlite:":
        store = f"sqlite:{bench.scratch}/start-{{port}}.db"
    options = ("--listen", "127.0.0.1:{port}", "--store", store, "--log-level", "warning")
    return ("-m", "runwire", "serve", APP, *options)


def _started(bench: Bench, arguments: Sequence[str]) -> float:
    """Return how long a server takes until it answers."""
    port = str(free_port())
    env = environment(OPENAI_API_KEY="bench", OPENAI_BASE_URL=bench.model_url, OPENAI_MODEL="bench")
    probing = python("-m", "benchmarks.service.probe", port)
    with running("probe", probing, environment(), bench.scratch) as probe:
        probe.wait_for_line("ready", _ANSWER_SECONDS)
        began = time.monotonic()
        argv = python(*(part.format(port=port) for part in arguments))
        with running("started", argv, env, bench.scratch):
            return float(probe.wait_for_line(r"answered (\S+)\n", _ANSWER_SECONDS)[1]) - began


def _timed(code: str) -> float:
    began = time.monotonic()
    finished(python("-c", code), _IMPORT_SECONDS)
    return time.monotonic() - began


def _importtime() -> list[tuple[str, int, int]]:
    """Return the packages that take longest, each with what it was the first to import, in µs."""
    code = (
        "import subprocess, sys; sys.stdout.write(subprocess.run([sys.executable, '-X', 'importtime', '-c', "
        "'import runwire_server.app'], capture_output=True, text=True, check=True).stderr)"
    )
    found = _LINE.findall(finished(python("-c", code), _IMPORT_SECONDS))
    slowest = sorted(((name, int(whole), int(own)) for own, whole, _, name in found), key=lambda one: -one[1])
    return slowest[:_SHOWN]
