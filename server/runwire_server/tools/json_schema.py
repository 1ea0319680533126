"""Check values against JSON Schemas that others wrote, with bounded work.

Two things in a schema can take for ever: patterns, which Python's re tries by backtracking while it holds the
interpreter's lock, so that not even a thread with a time limit would help; and references, by which a short schema
can ask for exponentially many checks. So patterns are matched by pydantic's engine, which takes linear time, and all
checks of a validation are counted.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend, validator_for
from pydantic_core import SchemaError as PatternError
from pydantic_core import SchemaValidator, core_schema
from referencing import Registry
from referencing.exceptions import Unresolvable

SCHEMA_BYTES_MAX = 64 * 1024
_STEPS_MAX = 200_000
_PATTERN_CHARS_MAX = 1024
_VIOLATIONS_MAX = 5
_MESSAGE_CHARS_MAX = 300
# Of these, the values are data, and no schemas.
_DATA_KEYS = frozenset({"const", "enum", "default", "examples"})
# The values of these are schemas by name.
_NAMED_KEYS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

_steps: ContextVar[list[int]] = ContextVar("steps")


class BadSchemaError(Exception):
    """A schema cannot be used. The text says why."""


class TooMuchWorkError(Exception):
    """A value cannot be checked within the bounds."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong in a value, and where: a JSON pointer, empty for the value as a whole."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '(the whole)'}: {self.message}"


class JsonSchema:
    """A schema that values can be checked against."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises: BadSchemaError."""
        try:
            text = json.dumps(schema)
            if '"patternProperties"' in text and '"unevaluatedProperties"' in text:
                # What is left unevaluated is found out with Python's re.
                raise BadSchemaError("patternProperties and unevaluatedProperties do not go together")
            _check_parts(schema, schema)
            kind = validator_for(schema, default=Draft202012Validator)
            with_meta = _bounded(kind)(kind.META_SCHEMA)
            problem = next(iter(_counted(with_meta, schema)), None)
        except RecursionError:
            raise BadSchemaError("it is nested too deep") from None
        except TooMuchWorkError:
            raise BadSchemaError("it is too complex") from None
        if problem is not None:
            raise BadSchemaError(f"it is no valid JSON Schema: {_violation(problem)}")
        self._validator = _bounded(kind)(schema, registry=Registry())

    def violations(self, value: Any) -> list[Violation]:
        """Return what is wrong in the value, at most 5 things. Raises: TooMuchWorkError."""
        found: list[Violation] = []
        try:
            for error in _counted(self._validator, value):
                found.append(_violation(error))
                if len(found) == _VIOLATIONS_MAX:
                    break
        except (RecursionError, Unresolvable) as error:
            raise TooMuchWorkError(f"the schema refers to itself or to nothing: {error}"[:200]) from None
        return found


@lru_cache(maxsize=64)
def parse_schema(text: str) -> JsonSchema:
    """Return the schema of this JSON text. Raises: BadSchemaError."""
    if len(text) > SCHEMA_BYTES_MAX or len(text.encode("utf-8", "replace")) > SCHEMA_BYTES_MAX:
        raise BadSchemaError(f"it is larger than {SCHEMA_BYTES_MAX} bytes")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSchemaError(f"it is not valid JSON: {error}") from None
    if not isinstance(schema, dict):
        raise BadSchemaError("it must be a JSON object")
    return JsonSchema(schema)


def pointer_of(path: Iterator[Any] | tuple[Any, ...]) -> str:
    """Return the JSON pointer of a path: /items/0/x."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _counted(validator: Any, value: Any) -> Iterator[ValidationError]:
    token = _steps.set([0])
    try:
        # Not lazily: the count is this validation's.
        errors = []
        for error in validator.iter_errors(value):
            errors.append(error)
            if len(errors) == _VIOLATIONS_MAX:
                break
    finally:
        _steps.reset(token)
    return iter(errors)


def _violation(error: ValidationError) -> Violation:
    return Violation(pointer_of(tuple(error.absolute_path)), error.message[:_MESSAGE_CHARS_MAX])


Check = Callable[[Any, Any, Any, Any], Any]


@lru_cache(maxsize=16)
def _bounded(kind: Any) -> Any:
    """Return a validator class that counts its checks, and that matches patterns in linear time."""
    own: dict[str, Check] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    checks = {**kind.VALIDATORS, **{key: own[key] for key in own if key in kind.VALIDATORS}}
    return extend(kind, {key: _counting(check) for key, check in checks.items()})  # type: ignore[no-untyped-call]


def _counting(check: Check) -> Check:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        _spend(len(value) if isinstance(value, list | dict) else 1)
        return check(validator, value, instance, schema)

    return counted


def _spend(steps: int) -> None:
    count = _steps.get()
    count[0] += max(steps, 1)
    if count[0] > _STEPS_MAX:
        raise TooMuchWorkError("the value takes too long to check")


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for pattern, schema in patterns.items():
            for key, value in instance.items():
                if _matches(pattern, key):
                    yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    _spend(len(instance))
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extras = [k for k in instance if k not in properties and not any(_matches(p, k) for p in patterns)]
    if validator.is_type(allowed, "object"):
        for key in extras:
            yield from validator.descend(instance[key], allowed, path=key)
    elif not allowed and extras:
        shown = ", ".join(repr(key) for key in extras[:_VIOLATIONS_MAX])
        yield ValidationError(f"additional properties are not allowed: {shown}")


def _unique_items(validator: Any, is_wanted: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if is_wanted and validator.is_type(instance, "array"):
        _spend(len(instance))
        texts = {json.dumps(_plain(item), sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError("it has non-unique items")


def _plain(value: Any) -> Any:
    """Return the value with whole floats as integers: JSON has one kind of number."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _matches(pattern: str, text: str) -> bool:
    _spend(1)
    return _compiled(pattern).isinstance_python(text)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> SchemaValidator:
    if len(pattern) > _PATTERN_CHARS_MAX:
        raise BadSchemaError(f"a pattern is longer than {_PATTERN_CHARS_MAX} characters")
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except PatternError:
        raise BadSchemaError(
            f"the pattern {pattern[:100]!r} is no regular expression, or looks ahead, behind or back"
        ) from None


def _check_parts(schema: Any, root: Mapping[str, Any]) -> None:
    """Refuse what cannot be checked with bounded work, or leads elsewhere. Raises: BadSchemaError."""
    if isinstance(schema, list):
        for item in schema:
            _check_parts(item, root)
    if not isinstance(schema, Mapping):
        return
    _check_keys(schema, root)
    for key, value in schema.items():
        if key in _NAMED_KEYS and isinstance(value, Mapping):
            for item in value.values():
                _check_parts(item, root)
        elif key not in _DATA_KEYS:
            _check_parts(value, root)


def _check_keys(schema: Mapping[str, Any], root: Mapping[str, Any]) -> None:
    if schema is not root and isinstance(schema.get("$id"), str):
        raise BadSchemaError("it has a second $id; only references within one schema are followed")
    for key in _REFERENCES:
        if isinstance(schema.get(key), str):
            _check_reference(schema[key], root)
    patterns = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    if isinstance(schema.get("patternProperties"), Mapping):
        patterns += schema["patternProperties"]
    for pattern in patterns:
        _compiled(pattern)


def _check_reference(reference: str, root: Mapping[str, Any]) -> None:
    if not reference.startswith("#"):
        raise BadSchemaError(f"the reference {reference[:100]!r} leads elsewhere; only '#…' is followed")
    if reference != "#" and not reference.startswith("#/"):
        return  # an anchor: it shows when the schema is used
    target: Any = root
    for part in reference[2:].split("/") if len(reference) > 1 else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, Mapping) and name in target:
            target = target[name]
        else:
            raise BadSchemaError(f"the reference {reference[:100]!r} leads nowhere")
