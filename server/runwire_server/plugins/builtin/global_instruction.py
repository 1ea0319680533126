"""One instruction for all agents of an app."""

from runwire_server.domain.content import Message, Role
from runwire_server.domain.record import replace
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.plugin import HookContext, Plugin


class GlobalInstruction(Plugin):
    """Put a text, as it is, before the instructions of every model request."""

    name = "global_instruction"

    def __init__(self, text: str) -> None:
        """Raises: ValueError for an empty text."""
        if not text:
            raise ValueError("the global instruction is empty")
        self._text = text

    async def before_model(self, context: HookContext, request: ModelRequest) -> ModelRequest:
        """See Plugin."""
        first, *others = request.messages or (Message(Role.SYSTEM),)
        if first.role is Role.SYSTEM:
            text = f"{self._text}\n\n{first.content}" if first.content else self._text
            return replace(request, messages=(replace(first, content=text), *others))
        return replace(request, messages=(Message(Role.SYSTEM, self._text), *request.messages))
