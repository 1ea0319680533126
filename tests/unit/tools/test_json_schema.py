"""Schemas that others wrote: what they say is checked, and with bounded work."""

import json
from typing import Any

import pytest

from runwire_server.tools.json_schema import (
    BadSchemaError,
    JsonSchema,
    TooMuchWorkError,
    parse_schema,
    pointer_of,
)


def pointers(schema: dict[str, Any], value: Any) -> list[str]:
    return [v.pointer for v in JsonSchema(schema).violations(value)]


@pytest.mark.parametrize(
    ("schema", "fits", "fails"),
    [
        ({"pattern": "^a+$"}, ["aa", 5], ["b"]),
        ({"pattern": "a"}, ["bab"], ["b"]),
        ({"patternProperties": {"^x": {"type": "integer"}}}, [{"x": 1, "y": "s"}], [{"x1": "s"}]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}, []], [{"b": 1}]),
        ({"patternProperties": {"x": {}}, "additionalProperties": False}, [{"ax": 1}], [{"b": 1}]),
        ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "b"}]),
        (
            {"uniqueItems": True},
            [[1, True, "1", {"a": 1}]],
            [[1, 1.0], [{"a": 1, "b": 2}, {"b": 2.0, "a": 1}]],
        ),
        ({"unevaluatedProperties": False, "properties": {"a": {}}}, [{"a": 1}], [{"b": 1}]),
        ({"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}, [[1]], [["a"]]),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]},
            [["a"]],
            [[1]],
        ),
        (
            {"properties": {"$ref": {"type": "string"}, "pattern": {"const": "("}}},
            [{"$ref": "x"}],
            [{"$ref": 1}],
        ),
    ],
)
def test_values_are_checked(schema: dict[str, Any], fits: list[Any], fails: list[Any]) -> None:
    assert [pointers(schema, value) for value in fits] == [[]] * len(fits)
    assert all(pointers(schema, value) for value in fails)


def test_a_recursive_schema_is_fine() -> None:
    tree = {"properties": {"kids": {"items": {"$ref": "#"}}, "n": {"type": "integer"}}}

    assert pointers(tree, {"kids": [{"n": 1, "kids": [{"n": "x"}]}]}) == ["/kids/0/kids/0/n"]


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "("},
        {"pattern": "(?=a)b"},
        {"pattern": r"(a)\1"},
        {"pattern": "x" * 1025},
        {"pattern": "(a{1000}){1000}"},
        {"patternProperties": {"(?!x)": {}}},
        {"patternProperties": {"x": {}}, "unevaluatedProperties": False},
        {"items": {"$ref": "https://example.com/schema"}},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"properties": {"a": {"$id": "http://x/y"}}},
        {"type": 5},
        {"required": "x"},
    ],
)
def test_schemas_that_cannot_be_used_safely_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(BadSchemaError):
        JsonSchema(schema)


def test_schemas_that_are_too_deep_or_too_large_are_refused() -> None:
    deep = '{"not":' * 5000 + "{}" + "}" * 5000
    for text in (deep, json.dumps({"description": "x" * 65536}), "[" * 60_000):
        with pytest.raises(BadSchemaError):
            parse_schema(text)


def test_patterns_take_linear_time() -> None:
    assert pointers({"pattern": "^(a+)+$"}, "a" * 100_000 + "b") == [""]
    assert pointers(
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 50_000 + "b": 1}
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {
            "$defs": {
                **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)},
                "d60": {},
            },
            "$ref": "#/$defs/d0",
        },
        {"items": {"anyOf": [*({"const": n} for n in range(1000)), {}]}},
        {"$ref": "#no-such-anchor"},
        {"items": {"enum": [*range(10_000), "x"]}},
    ],
)
def test_work_is_bounded(schema: dict[str, Any]) -> None:
    with pytest.raises(TooMuchWorkError):
        JsonSchema(schema).violations(["x"] * 10_000)


def test_a_schema_of_many_fields_is_fine() -> None:
    fields = {f"p{n}": {"type": "string", "maxLength": 5, "description": "x"} for n in range(900)}

    assert pointers({"type": "object", "properties": fields}, {"p7": 1}) == ["/p7"]


def test_pointers_are_escaped() -> None:
    assert pointer_of(("a/b", 0, "c~d")) == "/a~1b/0/c~0d"
    assert pointer_of(()) == ""
