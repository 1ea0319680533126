"""What a model is shown: its instructions, then the conversation."""

from collections.abc import Sequence

from runwire_server.domain.content import Message, Role
from runwire_server.domain.history import model_view


def build_messages(instructions: str, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages of a model request. See domain.history.model_view: what is stored is not touched."""
    view = model_view(messages)
    return (Message(Role.SYSTEM, instructions), *view) if instructions else tuple(view)


def instructions_with_schema(instructions: str, output_schema: str) -> str:
    """Return the instructions with what the answer must look like; not all providers heed the request's schema."""
    if not output_schema:
        return instructions
    rule = f"Your final answer must be only a JSON value that fits this JSON Schema: {output_schema}"
    return f"{instructions}\n\n{rule}" if instructions else rule
