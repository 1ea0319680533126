"""How much is measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.peers import Peer
from benchmarks.service.loads import Offer

# With fewer, it is the start of a run that is measured.
_TOKENS_LEAST = 250


@dataclass(frozen=True, slots=True)
class Plan:
    """`scale` stretches or shortens every case; `rounds` is how often the servers take turns."""

    rounds: int = 3
    scale: float = 1.0
    is_quick: bool = False
    peers: Sequence[Peer] = ()
    stores: Sequence[str] = ("memory:", "sqlite:")
    followers: int = 100

    @property
    def long_stores(self) -> Sequence[str]:
        """What the scenarios that take long are run on."""
        return self.stores[:1] if self.is_quick else self.stores

    def scaled(self, number: float, least: int = 1) -> int:
        """Return a number of tokens or runs, made larger or smaller."""
        return max(least, round(number * self.scale))


@dataclass(frozen=True, slots=True)
class Case:
    """A load of scenario (a). `limit` is the most that Runwire may cost, in floors; `peer_rounds` how often peers."""

    name: str
    title: str
    runs: int
    tokens: int
    rate: int
    ramp: float
    repeat: int
    limit: float
    peer_limit: float
    peer_rounds: int

    def offer(self, plan: Plan, *, is_peer: bool = False) -> Offer:
        """Return the load. A peer costs so much more that one repetition is enough to be measured."""
        tokens = plan.scaled(self.tokens, _TOKENS_LEAST) if self.rate else self.tokens
        repeat = 1 if is_peer else plan.scaled(self.repeat)
        return Offer(self.runs, tokens, self.rate, self.ramp, repeat)


CASES = (
    Case("burst", "10 × 500 in bursts", 10, 500, 0, 0, 20, 0.3, 10, 9),
    Case("paced100", "100 runs at 50/s", 100, 250, 50, 1, 1, 2.0, 3, 2),
    Case("paced300", "300 runs at 50/s", 300, 250, 50, 2, 1, 1.5, 3, 1),
)
