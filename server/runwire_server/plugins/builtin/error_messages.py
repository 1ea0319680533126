"""What users read when a run fails."""

from collections.abc import Mapping

from runwire_server.domain.events import DurablePayload, ErrorPayload, MessagePayload
from runwire_server.domain.record import replace
from runwire_server.plugins.plugin import HookContext, Plugin


class ErrorMessages(Plugin):
    """Replace the text of error events, and of the answer that a failed run leaves in its session.

    A mapping has texts by error code; "" is for all other codes. The completion's error stays as it is.
    """

    name = "error_messages"

    def __init__(self, texts: str | Mapping[str, str]) -> None:
        self._texts = {"": texts} if isinstance(texts, str) else dict(texts)

    async def on_event(self, context: HookContext, payload: DurablePayload) -> DurablePayload | None:
        """See Plugin."""
        match payload:
            case ErrorPayload(error=error):
                context.notes[self.name] = error.code
                text = self._text(error.code)
                return None if text is None else replace(payload, error=replace(error, message=text))
            case MessagePayload(finish_reason="error", message=message):
                text = self._text(context.notes.get(self.name, ""))
                return None if text is None else replace(payload, message=replace(message, content=text))
            case _:
                return None

    def _text(self, code: str) -> str | None:
        return self._texts.get(code, self._texts.get(""))
