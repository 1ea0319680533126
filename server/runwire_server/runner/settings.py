"""What an operator may choose of running."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from runwire_server.domain.ids import ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """What an operator may choose. `live_runs_max` counts queued runs too."""

    replica: ReplicaId
    clock: Callable[[], datetime]
    reattach_grace_seconds: float = 5.0
    run_seconds_max: float = 600.0
    live_runs_max: int = 4000
    cancel_grace_seconds: float = 1.0
    waiting_seconds_max: float = 86_400.0
    count_plugin_failure: Callable[[str, str], None] = lambda _plugin, _hook: None
