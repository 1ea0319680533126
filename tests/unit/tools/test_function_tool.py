"""Calling functions as tools."""

import asyncio
import contextvars
import enum
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from runwire_server.domain.ids import SessionKey
from runwire_server.tools.function import RESULT_BYTES_MAX, function_tool, tool
from runwire_server.tools.tool import BadArgumentsError, ToolContext, ToolError, ToolPolicy


async def _report(message: str, fraction: float | None) -> None: ...


CONTEXT = ToolContext("r1", SessionKey("app", "user", "session"), "call_1", _report)


async def call(function: Callable[..., Any], **arguments: Any) -> str:
    return await function_tool(function).call(arguments, CONTEXT)


class Unit(enum.Enum):
    CELSIUS = "c"


@dataclass
class Place:
    city: str


class Stay(BaseModel):
    nights: int = 1


async def test_arguments_are_coerced_to_the_types_of_the_parameters() -> None:
    seen: list[Any] = []

    async def f(a: int, b: float, c: str, d: Unit, e: Place, g: Stay, h: list[Place], i: datetime) -> None:
        seen.extend([a, b, c, d, e, g, h, i])

    await call(
        f,
        a="4",
        b=1,
        c=5,
        d="c",
        e={"city": "x"},
        g={"nights": "2"},
        h=[{"city": "y"}],
        i="2026-01-01T00:00:00Z",
    )

    when = datetime(2026, 1, 1, tzinfo=UTC)
    assert seen == [4, 1.0, "5", Unit.CELSIUS, Place("x"), Stay(nights=2), [Place("y")], when]


async def test_defaults_fill_in_and_are_not_shared() -> None:
    async def f(a: int = 3, b: list[int] = []) -> str:  # noqa: B006 -- the point of the test
        b.append(a)
        return json.dumps(b)

    assert await call(f) == "[3]"
    assert await call(f) == "[3]"
    assert await call(f, a=1, b=[2]) == "[2, 1]"


async def test_the_context_is_given_to_whoever_asks() -> None:
    def f(a: int, context: ToolContext) -> str:
        return f"{a} {context.tool_call_id}"

    assert await call(f, a=1) == "1 call_1"
    with pytest.raises(BadArgumentsError, match="context"):
        await call(f, a=1, context={})


async def test_parameters_with_names_that_pydantic_keeps_are_filled() -> None:
    async def f(json: str, model_config: str, _hidden: int, p0: str) -> str:
        return f"{json} {model_config} {_hidden} {p0}"

    assert await call(f, json="a", model_config="b", _hidden=1, p0="c") == "a b 1 c"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["a: Field required", "place: Field required"]),
        ({"a": "x", "place": {"city": 5, "zip": 1}}, ["a: Input should be a valid integer"]),
        ({"a": 1, "place": {}}, ["place.city: Field required"]),
        ({"a": 1, "place": {"city": "x"}, "bogus": 1}, ["bogus: Extra inputs are not permitted"]),
        ({"p0": 1, "place": {"city": "x"}}, ["a: Field required", "p0: Extra inputs"]),
    ],
)
async def test_bad_arguments_are_told_field_by_field(arguments: dict[str, Any], expected: list[str]) -> None:
    def f(a: int, place: Place) -> None: ...

    with pytest.raises(BadArgumentsError) as caught:
        await call(f, **arguments)

    assert all(line in str(caught.value) for line in expected)


async def test_many_bad_arguments_make_a_short_text() -> None:
    def f(a: list[int]) -> None: ...

    with pytest.raises(BadArgumentsError) as caught:
        await call(f, a=["x" * 1000] * 50)

    assert str(caught.value).endswith("; and 40 more")
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        ({"a": "ü", "b": [1, None]}, '{"a":"ü","b":[1,null]}'),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), '"NaN"'),
        (Place("x"), '{"city":"x"}'),
        ([Stay(nights=2)], '[{"nights":2}]'),
        (Unit.CELSIUS, '"c"'),
        (datetime(2026, 1, 1, tzinfo=UTC), '"2026-01-01T00:00:00Z"'),
        (ValueError("odd"), '"odd"'),
    ],
)
async def test_results_become_text_or_json(result: Any, expected: str) -> None:
    def f() -> Any:
        return result

    async def g() -> Any:
        return result

    assert await call(f) == expected
    assert await call(g) == expected


@pytest.mark.parametrize("result", ["ü" * RESULT_BYTES_MAX, ["x" * RESULT_BYTES_MAX]])
async def test_a_result_that_is_too_large_is_an_error(result: Any) -> None:
    async def f() -> Any:
        return result

    with pytest.raises(ToolError, match=f"more than {RESULT_BYTES_MAX}") as caught:
        await call(f)

    assert (caught.value.code, caught.value.retryable) == ("RESULT_TOO_LARGE", False)


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"a": "x", "stays": []}, "/a"),
        ({"a": 1, "stays": [{"nights": 1}, {"nights": "x"}]}, "/stays/1/nights"),
        ({"a": 1, "stays": [], "b/c~": 1}, "/b~1c~0"),
    ],
)
async def test_bad_arguments_have_a_pointer_and_are_known_before_the_call(
    arguments: dict[str, Any], pointer: str
) -> None:
    def f(a: int, stays: list[Stay]) -> None: ...

    with pytest.raises(BadArgumentsError) as caught:
        await call(f, **arguments)
    with pytest.raises(BadArgumentsError) as known:
        function_tool(f).check_arguments(arguments)
    assert (caught.value.pointer, known.value.pointer) == (pointer, pointer)


async def test_an_async_generator_shows_its_output_while_it_comes() -> None:
    shown: list[str] = []

    async def count(to: int) -> AsyncIterator[Any]:
        """Count."""
        for number in range(to):
            yield number if number else "begin "

    context = ToolContext("r1", SessionKey("app", "user", "session"), "call_1", _report, shown.append)

    assert await function_tool(count).call({"to": 3}, context) == "begin 12"
    assert shown == ["begin ", "1", "2"]


async def test_an_endless_stream_ends_at_the_bound() -> None:
    async def endless() -> AsyncIterator[str]:
        while True:
            yield "x" * 65536

    with pytest.raises(ToolError, match="more than"):
        await call(endless)


def test_a_decorator_makes_tools_with_a_policy() -> None:
    @tool(requires_approval=True, retries=2, return_direct=True, is_exclusive=True, timeout_seconds=5)
    def first(a: int) -> int:
        """Do it."""
        return a

    @tool
    def second() -> None: ...

    assert first.spec.description == "Do it."
    assert first.policy == ToolPolicy(
        requires_approval=True, retries=2, return_direct=True, is_exclusive=True, timeout_seconds=5
    )
    assert second.policy == ToolPolicy()
    for bad in ({"retries": -1}, {"retries": 11}, {"retry_delay_seconds": -1}, {"timeout_seconds": 0}):
        with pytest.raises(ValueError, match="first"):
            function_tool(lambda: None, name="first", **bad)
    with pytest.raises(TypeError):
        function_tool(lambda: None, name="first", bogus=1)


async def test_a_result_of_just_the_bound_is_whole() -> None:
    async def f() -> str:
        return "x" * RESULT_BYTES_MAX

    assert await call(f) == "x" * RESULT_BYTES_MAX


async def test_synchronous_functions_run_in_threads_and_do_not_block_the_loop() -> None:
    release = threading.Event()

    def f() -> str:
        return f"{release.wait(20)} {threading.current_thread().name.split('_')[0]}"

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(f)) for _ in range(8)]
        await asyncio.sleep(0)
        release.set()

    assert {task.result() for task in tasks} == {"True tool"}


async def test_context_variables_are_seen_in_the_thread_and_kept_out_of_the_caller() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("mine")

    def f() -> str:
        seen = variable.get()
        variable.set("theirs")
        return seen

    assert await call(f) == "mine"
    assert variable.get() == "mine"


async def test_objects_with_an_async_call_are_awaited() -> None:
    class Tool:
        async def __call__(self, a: int) -> int:
            return a + 1

    assert await call(Tool(), a=1) == "2"


async def test_a_functions_own_errors_pass_through() -> None:
    def f() -> None:
        raise KeyError("x")

    async def g() -> None:
        raise BadArgumentsError("not this city")

    with pytest.raises(KeyError):
        await call(f)
    with pytest.raises(BadArgumentsError, match="not this city"):
        await call(g)


async def test_a_tool_can_neither_end_the_server_nor_hang_the_call() -> None:
    def leave() -> None:
        sys.exit(3)

    async def leave_async() -> None:
        sys.exit(3)

    def stop() -> None:
        raise StopIteration

    for function in (leave, leave_async):
        with pytest.raises(RuntimeError, match="exited with code 3"):
            await call(function)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await call(stop)


async def test_an_async_tool_can_be_cancelled() -> None:
    began = asyncio.Event()

    async def f() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(call(f))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
