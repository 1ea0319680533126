"""Answers that must fit a JSON Schema."""

import asyncio
import json
import re
from collections.abc import Sequence

from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import InvalidRequestError
from runwire_server.domain.toolcalls import parse_json
from runwire_server.tools.json_schema import BadSchemaError, TooMuchWorkError, Violation, parse_schema

OUTPUT_BYTES_MAX = 256 * 1024
REPAIR_TAG = "output_repair"
_FENCED = re.compile(r"\s*```[a-zA-Z]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


class OutputInvalid(Exception):  # noqa: N818 -- what the output is
    """An answer does not fit its schema. `violations` are at most 5."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = tuple(violations)


def check_schema(text: str) -> None:
    """Refuse an output schema that cannot be used. Raises: InvalidRequestError (options.output_schema)."""
    try:
        parse_schema(text)
    except BadSchemaError as error:
        raise InvalidRequestError.of("options.output_schema", str(error)) from None


async def read_output(answer: str, schema: str) -> str:
    """Return the answer as compact JSON text. It may be in a Markdown fence, as some models cannot help.

    Raises: OutputInvalid.
    """
    # Within its bounds it can take a second; the loop has other things to do.
    return await asyncio.to_thread(_read, answer, schema)


def _read(answer: str, schema: str) -> str:
    if len(answer) > OUTPUT_BYTES_MAX:
        raise OutputInvalid([Violation("", f"it is larger than {OUTPUT_BYTES_MAX} characters")])
    fenced = _FENCED.fullmatch(answer)
    try:
        value = parse_json(fenced[1] if fenced else answer)
    except ValueError as error:
        raise OutputInvalid([Violation("", f"it is not JSON: {error}")]) from None
    try:
        violations = parse_schema(schema).violations(value)
    except (BadSchemaError, TooMuchWorkError) as error:
        raise OutputInvalid([Violation("", str(error))]) from None
    if violations:
        raise OutputInvalid(violations)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def repair_message(error: OutputInvalid) -> Message:
    """Return what a model is told of an answer that does not fit."""
    lines = "\n".join(f"- {violation}" for violation in error.violations)
    text = f"[{REPAIR_TAG}] Your answer does not fit the JSON Schema:\n{lines}\nAnswer again, with only the JSON."
    return Message(Role.USER, text)


def is_repair(message: Message) -> bool:
    """Whether it was made by repair_message."""
    return message.role is Role.USER and message.content.startswith(f"[{REPAIR_TAG}] ")
