"""Talk to a Runwire server: `from runwire import Client`."""

from runwire.client import Client, Conversation
from runwire.errors import (
    CallError,
    RunCancelledError,
    RunEndedError,
    RunFailedError,
    RunLostError,
    RunTimedOutError,
    RunwireError,
)
from runwire.run import RunStream

__all__ = [
    "CallError",
    "Client",
    "Conversation",
    "RunCancelledError",
    "RunEndedError",
    "RunFailedError",
    "RunLostError",
    "RunStream",
    "RunTimedOutError",
    "RunwireError",
]
