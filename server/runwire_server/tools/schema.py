"""A function's signature and docstring as the JSON schema that a model is told."""

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from runwire_server.tools.tool import ToolContext

_ARGUMENT = re.compile(r"^(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def arguments_model(function: Callable[..., Any]) -> tuple[str, type[BaseModel]]:
    """Return the name of the ToolContext parameter, or "", and a model of all others.

    Raises: TypeError, naming function and parameter.
    """
    name = getattr(function, "__name__", repr(function))
    hints = get_type_hints(function, include_extras=True)
    documented = documented_arguments(function)
    context_name = ""
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} cannot be given by name")
        if parameter.name not in hints:
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} has no type")
        hint = hints[parameter.name]
        if hint is ToolContext:
            context_name = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = _field(hint, default, documented.get(parameter.name))
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
    return context_name, create_model(f"{name}_arguments", __config__=config, **fields)


def parameters_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the JSON schema of the arguments, without the titles that pydantic adds."""
    schema = arguments_model(function)[1].model_json_schema()
    return {key: _untitled(value) for key, value in schema.items() if key not in {"title", "description"}}


def describe(function: Callable[..., Any]) -> str:
    """Return the docstring without its sections on arguments and results."""
    text = inspect.getdoc(function) or ""
    return re.split(r"\n\s*(?:Args|Arguments|Parameters|Returns|Raises|Yields):\s*\n", text)[0].strip()


def documented_arguments(function: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring's Args section says of each argument."""
    found: dict[str, str] = {}
    is_inside = False
    current = ""
    for line in (inspect.getdoc(function) or "").splitlines():
        if re.fullmatch(r"\s*(?:Args|Arguments|Parameters):\s*", line):
            is_inside = True
        elif is_inside and line and not line.startswith((" ", "\t")):
            break
        elif is_inside and (match := _ARGUMENT.match(line.strip())) and not line.startswith("        "):
            current = match.group(1)
            found[current] = match.group(2).strip()
        elif is_inside and current and line.strip():
            found[current] = f"{found[current]} {line.strip()}".strip()
    return found


def _field(hint: Any, default: Any, text: str | None) -> tuple[Any, Any]:
    """Return a pydantic field. A plain string in Annotated is a description, and counts before the docstring."""
    if get_origin(hint) is Annotated:
        base, *extras = get_args(hint)
        own = next((extra for extra in extras if isinstance(extra, str)), None)
        text = own or text
        rest = [extra for extra in extras if not isinstance(extra, str)]
        has_own = any(isinstance(extra, FieldInfo) and extra.description for extra in rest)
        text = None if has_own else text
        if rest:
            hint = Annotated[(base, *rest)]
        else:
            hint = base
    return hint, Field(default, description=text)


def _untitled(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _untitled(item)
            for key, item in value.items()
            if not (key == "title" and isinstance(item, str))
        }
    if isinstance(value, list):
        return [_untitled(item) for item in value]
    return value
