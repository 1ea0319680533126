"""Runs that were made, and nobody executes."""

from runwire_server.domain.ids import ReplicaId
from runwire_server.domain.runs import Run, RunState


def looks_lost(run: Run, replica: ReplicaId) -> bool:
    """Whether that replica made the run, perhaps claimed and opened it with that, and nothing has happened since.

    When it does not execute it, it has not learned of it, and nobody else will.
    """
    is_new = run.attempt <= 1 and run.last_sequence <= 1 and not run.state.is_terminal
    return is_new and run.owner == replica and run.state is not RunState.WAITING
