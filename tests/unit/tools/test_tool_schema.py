"""What a model is told of a function: its schema, its description, and what makes no tool."""

import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from runwire_server.tools.function import function_tool
from runwire_server.tools.tool import ToolContext


class Unit(enum.Enum):
    """A unit of temperature."""

    CELSIUS = "c"
    FAHRENHEIT = "f"


@dataclass
class Place:
    """Where."""

    city: str
    country: str = "DE"


class Stay(BaseModel):
    """How long."""

    title: str
    nights: int = Field(1, ge=1, description="How many nights.")


class Guest(TypedDict):
    """Who."""

    name: str


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = function_tool(function).spec.parameters["properties"]
    return found


def test_types_and_defaults_become_a_schema() -> None:
    def book(
        city: str,
        nights: int,
        price: float = 1.5,
        is_quiet: bool = False,
        unit: Unit = Unit.CELSIUS,
        kind: Literal["a", "b"] = "a",
        tags: list[str] | None = None,
        extra: dict[str, int] | None = None,
    ) -> str:
        return city

    schema = function_tool(book).spec.parameters

    assert schema["type"] == "object"
    assert schema["required"] == ["city", "nights"]
    assert schema["additionalProperties"] is False
    assert "title" not in schema
    assert schema["properties"] == {
        "city": {"type": "string"},
        "nights": {"type": "integer"},
        "price": {"type": "number", "default": 1.5},
        "is_quiet": {"type": "boolean", "default": False},
        "unit": {"$ref": "#/$defs/Unit", "default": "c"},
        "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "tags": {
            "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
            "default": None,
        },
        "extra": {
            "anyOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "null"}],
            "default": None,
        },
    }
    assert schema["$defs"]["Unit"]["enum"] == ["c", "f"]


def test_nested_types_are_described() -> None:
    def book(place: Place, stay: Stay, guests: list[Guest]) -> str:
        return ""

    definitions = function_tool(book).spec.parameters["$defs"]

    assert definitions["Place"]["properties"] == {
        "city": {"type": "string"},
        "country": {"type": "string", "default": "DE"},
    }
    # A property called title is no title.
    assert definitions["Stay"]["properties"]["title"] == {"type": "string"}
    assert definitions["Stay"]["properties"]["nights"]["description"] == "How many nights."
    assert definitions["Guest"]["required"] == ["name"]


def test_the_docstring_describes_the_tool_and_its_parameters() -> None:
    def book(city: str, nights: int, note: str = "") -> str:
        """Book a room.

        It cannot be undone: take care.

        Args:
            city: Where to stay,
                for example: Berlin.

            nights (int): How long.

        Returns:
            note: not an argument.
        """
        return city

    spec = function_tool(book).spec

    assert spec.description == "Book a room.\n\nIt cannot be undone: take care."
    assert {k: v.get("description") for k, v in spec.parameters["properties"].items()} == {
        "city": "Where to stay, for example: Berlin.",
        "nights": "How long.",
        "note": None,
    }


def test_annotations_describe_a_parameter_before_the_docstring_does() -> None:
    def book(
        city: Annotated[str, "From the annotation."],
        nights: Annotated[int, Field(ge=1, description="From the field.")],
        rooms: int = Field(1, le=9, description="From the default."),
        beds: Annotated[int, Field(ge=1)] = 2,
    ) -> str:
        """Book.

        Args:
            city: no.
            nights: no.
            rooms: no.
            beds: From the docstring.
        """
        return ""

    assert properties(book) == {
        "city": {"type": "string", "description": "From the annotation."},
        "nights": {"type": "integer", "minimum": 1, "description": "From the field."},
        "rooms": {"type": "integer", "maximum": 9, "default": 1, "description": "From the default."},
        "beds": {"type": "integer", "minimum": 1, "default": 2, "description": "From the docstring."},
    }


def test_name_description_and_timeout_can_be_said() -> None:
    def f() -> None:
        """Say nothing."""

    tool = function_tool(f, name="g-1", description="", timeout_seconds=5)

    assert (tool.spec.name, tool.spec.description, tool.policy.timeout_seconds) == ("g-1", "", 5.0)
    assert function_tool(f).spec.description == "Say nothing."
    assert function_tool(f).policy.timeout_seconds == 60.0


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    def f() -> None: ...

    assert function_tool(f).spec.parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }
    assert function_tool(f).spec.description == ""


def test_the_context_is_not_shown_to_the_model() -> None:
    async def f(
        a: int, context: ToolContext, other: ToolContext | None = None, *, b: Annotated[ToolContext, "x"]
    ) -> None: ...

    assert list(properties(f)) == ["a"]


def test_parameters_may_have_names_that_pydantic_keeps_for_itself() -> None:
    def f(
        json: str, schema: str, model_config: str, copy: int, _hidden: int, title: str, p0: str
    ) -> None: ...

    assert list(properties(f)) == ["json", "schema", "model_config", "copy", "_hidden", "title", "p0"]


def test_a_default_that_json_cannot_hold_is_left_out() -> None:
    nothing: Any = object()

    def f(a: int = nothing, b: dict[str, str] = {"title": "x"}) -> None: ...  # noqa: B006 -- pydantic copies it

    assert properties(f)["a"] == {"type": "integer"}
    assert properties(f)["b"]["default"] == {"title": "x"}


def test_methods_partials_and_callable_objects_are_functions_too() -> None:
    class Hotel:
        """A hotel."""

        def book(self, city: str) -> str:
            """Book."""
            return city

        def __call__(self, nights: int) -> int:
            return nights

    assert function_tool(Hotel().book).spec.name == "book"
    assert list(properties(Hotel().book)) == ["city"]
    assert function_tool(Hotel()).spec.name == "Hotel"
    assert list(properties(Hotel())) == ["nights"]
    assert function_tool(functools.partial(Hotel().book, "Berlin")).spec.parameters["properties"] == {}


def untyped(a, b: int):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, RUF100 -- the point of the test
    ...


def starred(*args: int) -> None: ...
def double_starred(**options: int) -> None: ...
def positional(a: int, /) -> None: ...
def callback(a: int, b: Callable[[], int]) -> None: ...
def opaque(a: int, b: ToolContext | int, c: type[Any] | object = int) -> None: ...
def unknown(b: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821 -- the point of the test


@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        (untyped, "'a' has no type"),
        (starred, "'args' cannot be given by name"),
        (double_starred, "'options' cannot be given by name"),
        (positional, "'a' cannot be given by name"),
        (callback, "'b' has a type that JSON cannot give"),
        (unknown, "'b' cannot be found"),
    ],
)
def test_what_makes_no_tool_is_said_when_it_is_defined(function: Callable[..., Any], parameter: str) -> None:
    with pytest.raises(TypeError, match=f"'{function.__name__}'.*{parameter}"):
        function_tool(function)


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "a\n"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="tool name"):
        function_tool(starred, name=name)
    with pytest.raises(ValueError, match="tool name '<lambda>'"):
        function_tool(lambda: None)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        function_tool(starred, timeout_seconds=seconds)
