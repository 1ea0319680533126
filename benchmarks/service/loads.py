"""The load client, and what it tells."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.service.processes import ROOT, Process, finished, running

BINARY = ROOT / ".tools" / "bench" / "load"
_SLACK_SECONDS = 60.0
_BEHIND = 1.1


@dataclass(frozen=True, slots=True)
class Offer:
    """What is asked for: so many runs at a time, each of so many tokens; `rate` 0 is as fast as possible."""

    runs: int
    tokens: int
    rate: int = 0
    ramp: float = 0.0
    repeat: int = 1
    more: str = ""  # settings for the model server: rounds=1
    flags: tuple[str, ...] = ()
    timeout: float = 200.0

    @property
    def message(self) -> str:
        """What the user says."""
        rate = f" rate={self.rate}" if self.rate else ""
        return f"bench tokens={self.tokens}{rate}{' ' if self.more else ''}{self.more}"

    @property
    def seconds(self) -> float:
        """How long it takes when nobody falls behind; 0 when that is not known."""
        return self.ramp + self.repeat * self.tokens / self.rate if self.rate else 0.0

    def argv(self) -> list[str]:
        """The load client's flags."""
        flags = ["--runs", str(self.runs), "--repeat", str(self.repeat), "--ramp", str(self.ramp)]
        flags += ["--timeout", str(self.timeout), "--message", self.message]
        return [*flags, *self.flags]


@dataclass(frozen=True, slots=True)
class Target:
    """A server under load. `client` is the load client's command and where it finds the server."""

    name: str
    process: Process
    client: tuple[str, ...]
    is_peer: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one server. `told` is what the load client says; `problem` what is wrong with the round."""

    server: str
    offer: Offer
    cpu_seconds: float
    told: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    rss_before: int = 0
    rss_most: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens came. The floor's are not numbered: each message is one."""
        return int(self.told.get("tokens") or self.told.get("messages") or 0)

    @property
    def cpu_per_token(self) -> float | None:
        """CPU µs of the server for each token that came."""
        return self.cpu_seconds * 1e6 / self.tokens if self.tokens else None

    @property
    def messages_per_token(self) -> float | None:
        """Messages on the wire for each token."""
        return float(self.told["messages"]) / self.tokens if self.tokens else None

    @property
    def tokens_per_second(self) -> float | None:
        """How many tokens came in a second of the clock."""
        return self.tokens / self.told["seconds"] if self.told.get("seconds") else None

    @property
    def is_behind(self) -> bool:
        """Whether the server took longer than the tokens were offered for."""
        return bool(self.told) and 0 < self.offer.seconds * _BEHIND < self.told["seconds"]

    def at(self, name: str, part: str = "p50") -> float | None:
        """Return a figure of the load client, such as first_token_ms p99."""
        spread = self.told.get(name)
        return None if spread is None else float(spread[part])


def offered(target: Target, offer: Offer) -> Sample:
    """Put load on a server, and return what that cost it. What goes wrong is in the sample."""
    try:
        target.process.check()
        rss = target.process.rss_bytes()
        before = target.process.cpu_seconds()
        output = finished(argv(target, offer), offer.timeout * offer.repeat + offer.ramp + _SLACK_SECONDS)
        cpu = target.process.cpu_seconds() - before
        told = json.loads(output.splitlines()[-1])
    except Exception as error:  # noqa: BLE001 -- one round: a server that fails is a result, too
        return Sample(target.name, offer, 0.0, problem=f"{target.name}: {error}")
    return Sample(
        target.name, offer, cpu, told, problem_of(target.name, told), rss, target.process.rss_bytes()
    )


def argv(target: Target, offer: Offer) -> list[str]:
    """Return the command line of the load client."""
    command, *where = target.client
    return [str(BINARY), command, *where, *offer.argv()]


def problem_of(name: str, told: dict[str, Any]) -> str:
    """Say what went wrong in a round, if anything did."""
    if told["ok"] != told["runs"]:
        said = f": {told['problems'][0]}" if told["problems"] else ""
        return f"{name}: {told['ok']} of {told['runs']} runs ok{said}"
    if told["followers"]["problems"]:
        return f"{name}: a follower: {told['followers']['problems'][0]}"
    return ""


def in_background(target: Target, offer: Offer, scratch: Path) -> Any:
    """Put load on a server while the context lasts; the process's log has what the client tells."""
    return running(f"load-{target.name}", argv(target, offer), {}, scratch)
