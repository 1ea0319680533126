"""Talk to a Runwire server: `from runwire import Client`.

Names are imported when they are first used, so that `runwire --help` need not load gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runwire.answering import Decision, client_tool
    from runwire.client import Client, Conversation
    from runwire.errors import (
        CallError,
        MessageCutError,
        ReaderLagsError,
        RunCancelledError,
        RunEndedError,
        RunFailedError,
        RunLostError,
        RunTimedOutError,
        RunwireError,
    )
    from runwire.messages import MessageStream
    from runwire.run import RunStream

__all__ = [
    "CallError",
    "Client",
    "Conversation",
    "Decision",
    "MessageCutError",
    "MessageStream",
    "ReaderLagsError",
    "RunCancelledError",
    "RunEndedError",
    "RunFailedError",
    "RunLostError",
    "RunStream",
    "RunTimedOutError",
    "RunwireError",
    "client_tool",
]
_MODULES = {
    "Client": "client",
    "Conversation": "conversation",
    "Decision": "answering",
    "MessageStream": "messages",
    "RunStream": "run",
    "client_tool": "answering",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
