"""Every error this service raises on purpose.

RunwireError
├── InvalidRequestError     the caller must change the request; says which fields
├── NotFoundError           the named thing does not exist
├── AlreadyExistsError      the named thing exists and is not this one
├── OutOfRangeError         a position beyond the end of a log
├── BusyError               someone else is at work on it; try again later
├── PreconditionError       the thing is not in a state that allows this
├── NotImplementedYetError  a later version will do it
├── LimitExceededError      a configured limit was reached
├── UnavailableError        a dependency is down, or this server shuts down; retry with backoff
│   ├── NoRoomError         a dependency has no room or no connection left
│   └── WritesLostError     what a run wrote was accepted, and could not be stored; the run must fail
├── FencedError             another replica writes this run's log; stop
├── StaleMailError          a run's mail changed meanwhile; look again
├── RunFailure              a run ends FAILED; never a status of a call
│   ├── ModelError          the model server failed
│   ├── LimitReached        a limit of the run was reached
│   ├── AgentError          an agent gave up on purpose
│   └── HookError           a hook of the app failed; a call can end with it, too
├── RunCancelled            a run ends CANCELLED at a point that its cancel asked for (control flow)
├── RunWaiting              a run cannot go on without an answer (control flow)
└── StopError               a tool, a plugin or a callback stops its run, cleanly
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field. `field` is its path in the request, in the proto's spelling."""

    field: str
    description: str


class RunwireError(Exception):
    """Base of the hierarchy. Never raised itself."""


class InvalidRequestError(RunwireError):
    """The caller must change the request."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        first = violations[0]
        super().__init__(f"{first.field}: {first.description}")
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, description: str) -> "InvalidRequestError":
        """Make the error for a single field."""
        return cls([FieldViolation(field, description)])


class NotFoundError(RunwireError):
    """The named thing does not exist. `kind` is run, session, agent, app, event, approval or tool_call."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name!r} does not exist")
        self.kind = kind
        self.name = name


class AlreadyExistsError(RunwireError):
    """The named thing exists already, and differs."""

    def __init__(self, kind: str, name: str, why: str = "exists") -> None:
        super().__init__(f"{kind} {name!r} {why}")
        self.kind = kind
        self.name = name


class OutOfRangeError(RunwireError):
    """A position beyond the end of a run's log, which ends at `last_sequence`."""

    def __init__(self, field: str, position: int, last_sequence: int) -> None:
        super().__init__(f"{field} is {position}, but the log ends at {last_sequence}")
        self.field = field
        self.last_sequence = last_sequence


class BusyError(RunwireError):
    """Someone else is at work on it. Try again later. `request_id` names the run that is, if one is."""

    def __init__(self, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.request_id = request_id


class PreconditionError(RunwireError):
    """The thing is not in a state that allows this. `reason` is UPPER_SNAKE_CASE and stable; `facts` explain it."""

    def __init__(self, message: str, reason: str = "PRECONDITION_FAILED", **facts: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.facts = facts


class NotImplementedYetError(RunwireError):
    """A later version will do it. `feature` names it."""

    def __init__(self, feature: str, why: str = "") -> None:
        super().__init__(f"{feature} is not implemented yet{': ' + why if why else ''}")
        self.feature = feature


class LimitExceededError(RunwireError):
    """A configured limit of the server was reached."""


class UnavailableError(RunwireError):
    """A dependency cannot be reached, or this server shuts down. Safe to retry with backoff."""


class NoRoomError(UnavailableError):
    """A dependency has no space, no memory or no connection left. Safe to retry with backoff."""


class WritesLostError(UnavailableError):
    """Events of a run were accepted and could not be stored. Only a run that ends FAILED can still be closed."""


class FencedError(RunwireError):
    """The log is not where this writer thinks: another attempt writes it. The loser must stop."""


class StaleMailError(RunwireError):
    """The mail of a run is not the one that a write was made for; nothing was written. Read it, and decide again."""


class RunFailure(RunwireError):  # noqa: N818 -- it is how a run ends, not a fault of the caller
    """A run ends FAILED. The message is safe to show; `code` is UPPER_SNAKE_CASE and stable."""

    type = "run_error"

    def __init__(
        self, message: str, code: str, *, retryable: bool = False, stop_reason: str = "error"
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
        self.stop_reason = stop_reason


class ModelError(RunFailure):
    """The model server refused, failed, or answered what cannot be understood."""

    type = "model_error"


class LimitReached(RunFailure):
    """A limit of the run was reached; `stop_reason` names it."""

    type = "limit_error"


class AgentError(RunFailure):
    """An agent gave up on purpose."""

    type = "agent_error"


class HookError(RunFailure):
    """A hook of the app failed. The details are in the log, under the error id in the message."""

    type = "hook_error"


class RunCancelled(RunwireError):  # noqa: N818 -- control flow, like asyncio.CancelledError
    """Raised inside a run at the point where a graceful cancel takes effect."""


class RunWaiting(RunwireError):  # noqa: N818 -- control flow
    """Raised by an agent that has asked all it needs to know, and can do nothing until it is answered."""


class StopError(RunwireError):
    """Raised by a tool, a plugin or a callback to end its run, cleanly: COMPLETED, with stop_reason stop_error.

    The text is shown to the caller.
    """
