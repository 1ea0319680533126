"""Talk to a Runwire server: `from runwire import Client`.

Names are imported when they are first used, so that `runwire --help` need not load gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
_MODULES = {"Client": "client", "Conversation": "client", "RunStream": "run"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
