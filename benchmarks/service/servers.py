"""Starts the servers that are measured, and the model server that they all ask."""

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.peers import PEERS, Peer
from benchmarks.service.loads import BINARY, Offer, Target, offered
from benchmarks.service.processes import ROOT, BenchError, Process, environment, free_port, python, running

APP = "benchmarks.service.app:app"
_INSTALL_SECONDS = 600.0
_READY_SECONDS = 120.0
_READY_POLL_SECONDS = 0.2
_WARM = Offer(runs=10, tokens=50, repeat=2, timeout=60)


@dataclass(frozen=True, slots=True)
class Bench:
    """The model server, and a folder for files that nobody keeps."""

    model: Process
    model_address: str
    scratch: Path

    @property
    def model_url(self) -> str:
        """The base URL that a client of OpenAI wants."""
        return f"http://{self.model_address}/v1"

    def direct(self) -> Target:
        """The model server itself, asked as a peer is."""
        return Target("model", self.model, ("sse", "--url", f"{self.model_url}/chat/completions"))


@contextmanager
def bench() -> Iterator[Bench]:
    """Yield a model server for all that is measured."""
    if not BINARY.exists():
        raise BenchError(f"there is no {BINARY.relative_to(ROOT)}: make bench builds it")
    scratch = Path(tempfile.mkdtemp(prefix="rw-bench-"))
    try:
        with running("model", [str(BINARY), "model", "--port", "0"], environment(), scratch) as model:
            address = model.wait_for_line(r"listening (\S+)")[1]
            yield Bench(model, address, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def runwire(bench: Bench, store: str = "memory:", *, is_warm: bool = True) -> Iterator[Target]:
    """Yield Runwire on a store; `sqlite:` is a new file. No limits that a scenario could meet, else the defaults."""
    name = f"runwire {store.partition(':')[0]}"
    if store == "sqlite:":
        store = f"sqlite:{bench.scratch / f'runwire-{time.monotonic_ns()}.db'}"
    options = ("serve", APP, "--listen", "127.0.0.1:0", "--store", store, "--log-level", "warning")
    env = environment(
        OPENAI_API_KEY="bench",
        OPENAI_BASE_URL=bench.model_url,
        OPENAI_MODEL="bench",
        RUNWIRE_RUNS_MAX="10000",
        RUNWIRE_SESSION_EVENT_LIMIT="0",
        RUNWIRE_DRAIN_SECONDS="0",
    )
    with running(name, python("-m", "runwire", *options), env, bench.scratch) as process:
        address = process.wait_for_line(r"serves .* on (\S+:\d+)")[1]
        target = Target(name, process, ("runwire", "--target", address))
        if is_warm:
            warm(target)
        yield target


@contextmanager
def floor(bench: Bench) -> Iterator[Target]:
    """Yield a bare grpc.aio handler with ready-made messages."""
    argv = python("-m", "benchmarks.service.floor", "0")
    with running("floor", argv, environment(), bench.scratch) as process:
        address = process.wait_for_line(r"listening (\S+)")[1]
        target = Target("floor", process, ("runwire", "--target", address, "--no-check"))
        warm(target)
        yield target


@contextmanager
def peer(bench: Bench, asked: Peer) -> Iterator[Target]:
    """Yield a peer, in a folder that it may write to."""
    port = free_port()
    folder = bench.scratch / asked.name
    folder.mkdir(exist_ok=True)
    env = {**environment(MODEL_URL=bench.model_url), **asked.environment}
    env.pop("PYTHONPATH")
    with running(asked.name, asked.argv(port), env, bench.scratch, folder) as process:
        _wait_ready(process, asked.ready_url.format(port=port))
        place = str(port)
        flags = ["--url", asked.url.replace("{port}", place), "--body", asked.body]
        if asked.prepare_url:
            flags += ["--prepare-url", asked.prepare_url.replace("{port}", place)]
            flags += ["--prepare-body", asked.prepare_body, "--prepare-path-id", asked.prepare_path_id]
        for header, value in asked.headers.items():
            flags += ["--header", f"{header}={value}"]
        target = Target(asked.name, process, ("sse", *flags), is_peer=True)
        warm(target)
        yield target


def warm(target: Target) -> None:
    """Let a server do its first runs, which import and compile, before anything is measured."""
    if problem := offered(target, _WARM).problem:
        raise BenchError(f"warming up: {problem}")


def _wait_ready(process: Process, url: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        process.check()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(_READY_POLL_SECONDS)
    raise BenchError(f"{process.name} was not ready within {_READY_SECONDS:.0f} s: {process.tail()}")


def installed(names: Sequence[str]) -> tuple[list[Peer], list[str]]:
    """Install peers; return those that are there, and why others are not."""
    there: list[Peer] = []
    why: list[str] = []
    for name in names:
        asked = PEERS[name]
        try:
            made = subprocess.run(
                [str(ROOT / "benchmarks/peers/install"), asked.folder or asked.name],
                env=environment(PYTHON=sys.executable),
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
            said = (made.stderr.strip() or made.stdout.strip() or "no reason given").splitlines()[-1]
            problem = said if made.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if problem:
            why.append(f"{name} is left out: {problem}")
        else:
            there.append(asked)
    return there, why


def started(stack: ExitStack, bench: Bench, peers: Sequence[Peer]) -> tuple[list[Target], list[str]]:
    """Start peers one after another, each paused until it is its turn; return them, and why others are not there."""
    there: list[Target] = []
    why: list[str] = []
    for asked in peers:
        try:
            target = stack.enter_context(peer(bench, asked))
        except BenchError as error:
            why.append(f"{asked.name} is left out: {error}")
            continue
        target.process.pause()
        there.append(target)
    return there, why
