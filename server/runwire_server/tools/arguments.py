"""Check a call's arguments before it is made: by the tool, if it can, else by its schema."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from runwire_server.domain.content import ToolSpec
from runwire_server.domain.toolcalls import to_json
from runwire_server.tools.json_schema import BadSchemaError, JsonSchema, TooMuchWorkError, parse_schema
from runwire_server.tools.tool import BadArgumentsError

_logger = logging.getLogger(__name__)


@runtime_checkable
class ChecksArguments(Protocol):
    """A tool that can say whether arguments fit before it is called."""

    def check_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Raises: BadArgumentsError."""
        ...


def check_arguments(tool: object, spec: ToolSpec, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that do not fit. A schema that cannot be used refuses nothing. Raises: BadArgumentsError."""
    if isinstance(tool, ChecksArguments):
        tool.check_arguments(arguments)
        return
    if not spec.parameters:
        return
    try:
        violations = _schema(spec).violations(arguments)
    except (BadSchemaError, TypeError) as error:
        _logger.warning("the schema of tool %s cannot be used: %s", spec.name, error)
        return
    except TooMuchWorkError as error:
        raise BadArgumentsError(str(error)) from None
    if violations:
        raise BadArgumentsError("; ".join(str(v) for v in violations), violations[0].pointer)


def _schema(spec: ToolSpec) -> JsonSchema:
    return parse_schema(to_json(spec.parameters))
