"""What callers ask of the runner, already checked by the transport."""

from dataclasses import dataclass, field

from runwire_server.domain.runs import RunInput


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """Start a run. Empty app and agent names mean the default ones; empty ids are made.

    `fingerprint` is equal for equal requests. `deadline_seconds` is the caller's, from now.
    """

    app_name: str = ""
    user_id: str
    session_id: str = ""
    request_id: str = ""
    agent_name: str = ""
    input: RunInput = field(default_factory=RunInput)
    fingerprint: str = ""
    deadline_seconds: float | None = None
