"""A function's signature and docstring as the JSON schema for a model, and as what checks arguments."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from runwire_server.tools.tool import ToolContext

_SECTION = r"(?:Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*"
_ARGUMENTS = re.compile(r"\s*(?:Args|Arguments|Parameters):\s*")
_ARGUMENT = re.compile(r"^(\s+)\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
# The values of these are schemas by name; of those, data.
_NAMED_KEYS = frozenset({"properties", "$defs"})
_DATA_KEYS = frozenset({"default", "examples", "enum", "const"})
_CONFIG = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes.

    `contexts` are its parameters of type ToolContext. `model` checks all others; its fields have names of
    their own, because a parameter may be called what a pydantic field may not: `fields` has the parameters'
    names.
    """

    contexts: tuple[str, ...]
    fields: Mapping[str, str]
    model: type[BaseModel]
    schema: Mapping[str, Any]


def read_signature(function: Callable[..., Any]) -> Signature:
    """Return what a function takes. The schema has no titles, and names each parameter as the function does.

    Raises: TypeError, naming the function and the parameter: for one without a type, for *args, **kwargs and
        positional-only ones, and for a type that JSON cannot give.
    """
    name = function_name(function)
    hints = _hints(function, name)
    documented = documented_arguments(function)
    contexts: list[str] = []
    types: dict[str, tuple[Any, FieldInfo]] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} cannot be given by name")
        if parameter.name not in hints:
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} has no type")
        hint = hints[parameter.name]
        if _is_context(hint):
            contexts.append(parameter.name)
        else:
            types[parameter.name] = _field(hint, parameter, documented.get(parameter.name))
    fields = {f"p{number}": parameter for number, parameter in enumerate(types)}
    definitions: dict[str, Any] = {field: types[parameter] for field, parameter in fields.items()}
    try:
        model = create_model(f"{name}_arguments", __config__=_CONFIG, **definitions)
        schema = model.model_json_schema(schema_generator=_Schema)
    except (PydanticUserError, PydanticInvalidForJsonSchema) as error:
        raise _unusable(name, types, error) from error
    shown = _untitled(schema)
    shown.pop("description", None)
    return Signature(tuple(contexts), fields, model, {"properties": {}, **shown})


def function_name(function: Callable[..., Any]) -> str:
    """Return what a function is called; for an object that can be called, what its class is called."""
    if isinstance(function, functools.partial):
        return function_name(function.func)
    return getattr(function, "__name__", None) or type(function).__name__


def describe(function: Callable[..., Any]) -> str:
    """Return the docstring without its sections on arguments and results."""
    return re.split(rf"(?:^|\n)[ \t]*{_SECTION}\n", _docstring(function) + "\n")[0].strip()


def documented_arguments(function: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring's Args section says of each argument."""
    found: dict[str, str] = {}
    indent: str | None = None
    is_inside = False
    current = ""
    for line in _docstring(function).splitlines():
        if _ARGUMENTS.fullmatch(line):
            is_inside = True
        elif is_inside and line.strip():
            if not line[0].isspace():
                break
            match = _ARGUMENT.match(line)
            if match and indent in {None, match[1]}:
                indent, current = match[1], match[2]
                found[current] = match[3].strip()
            elif current:
                # Deeper than the names: it goes on about the last one.
                found[current] = f"{found[current]} {line.strip()}".strip()
    return found


class _Schema(GenerateJsonSchema):
    """A default that JSON cannot hold is left out of the schema without a warning."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 -- as in the base


def _docstring(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function.func if isinstance(function, functools.partial) else function) or ""


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    target: Any = function.func if isinstance(function, functools.partial) else function
    if not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return get_type_hints(target, include_extras=True)
    except NameError as error:
        parameter = next(
            (key for key, hint in target.__annotations__.items() if str(error.name) in str(hint)), "?"
        )
        raise TypeError(
            f"tool {name!r}: the type of parameter {parameter!r} cannot be found: {error}"
        ) from error


def _is_context(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in {Union, UnionType}:
        return set(get_args(hint)) == {ToolContext, NoneType}
    return hint is ToolContext


def _field(hint: Any, parameter: inspect.Parameter, text: str | None) -> tuple[Any, FieldInfo]:
    """Return a pydantic field. A plain string in Annotated describes it, and counts before the docstring."""
    extras: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
    default: Any = ... if parameter.default is parameter.empty else parameter.default
    factory: Any = None
    if isinstance(default, FieldInfo):
        extras.append(default)
        factory = default.default_factory
        default = ... if default.default is PydanticUndefined else default.default
    text = next((extra for extra in extras if isinstance(extra, str)), text)
    text = next((e.description for e in extras if isinstance(e, FieldInfo) and e.description), text)
    extras = [extra for extra in extras if not isinstance(extra, str)]
    if extras:
        hint = Annotated[(hint, *extras)]
    if factory is not None:
        field: FieldInfo = Field(default_factory=factory, alias=parameter.name, description=text)
    else:
        field = Field(default, alias=parameter.name, description=text)
    return hint, field


def _unusable(name: str, types: Mapping[str, tuple[Any, FieldInfo]], error: Exception) -> TypeError:
    """Say which parameter's type JSON cannot give."""
    for parameter, (hint, _) in types.items():
        try:
            TypeAdapter(hint).json_schema(schema_generator=_Schema)
        except (PydanticUserError, PydanticInvalidForJsonSchema) as reason:
            why = str(reason).partition("\n")[0]
            return TypeError(
                f"tool {name!r}: parameter {parameter!r} has a type that JSON cannot give: {why}"
            )
    return TypeError(f"tool {name!r}: its parameters cannot be told to a model: {error}")


def _untitled(schema: Any) -> Any:
    """Leave out the titles that pydantic makes of names; a property called title stays."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMED_KEYS:
            kept[key] = {name: _untitled(item) for name, item in value.items()}
        elif key != "title":
            kept[key] = value if key in _DATA_KEYS else _untitled(value)
    return kept
