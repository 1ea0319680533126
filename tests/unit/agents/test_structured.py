"""Answers that must fit a JSON Schema."""

import json
from typing import Any

import pytest
from agents_support import Bench

from runwire_server.agents.structured import OutputInvalid, check_schema, read_output
from runwire_server.domain.content import Role
from runwire_server.domain.errors import AgentError, InvalidRequestError, LimitReached
from runwire_server.domain.events import MessagePayload
from support import call_turn, text_turn

SCHEMA = json.dumps({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]})


def echo(text: str = "") -> str:
    return text


def bench_of(*turns: Any, **options: Any) -> Bench:
    return Bench(turns, [echo], options={"output_schema": SCHEMA, **options})


async def test_an_answer_that_fits_is_taken() -> None:
    bench = bench_of(call_turn("echo"), text_turn('{"x": 1}'))

    assert (await bench.run()).content == '{"x": 1}'
    assert bench.output.tags == []
    request = bench.model.requests[0]
    assert request.output_schema == SCHEMA
    assert request.messages[0].role is Role.SYSTEM
    assert SCHEMA in request.messages[0].content


async def test_an_answer_that_does_not_fit_is_repaired_once() -> None:
    bench = bench_of(text_turn('{"x": "1"}'), call_turn("echo"), text_turn('{"x": 1}'))

    assert (await bench.run()).content == '{"x": 1}'
    assert bench.output.tags == ["output_repair"]
    told = bench.output.of(MessagePayload)[1].message
    assert (told.role, "/x: " in told.content) == (Role.USER, True)
    assert bench.model.requests[1].messages[-1] == told


async def test_a_second_answer_that_does_not_fit_ends_the_run() -> None:
    bench = bench_of(text_turn("no"))

    with pytest.raises(AgentError, match="not JSON") as caught:
        await bench.run()

    assert (caught.value.code, caught.value.stop_reason) == ("OUTPUT_INVALID", "output_invalid")
    assert len(bench.model.requests) == 2


async def test_an_attempt_in_an_earlier_activation_counts() -> None:
    bench = bench_of(text_turn("no"), LimitReached("x", "X"), text_turn("no"))
    with pytest.raises(LimitReached):
        await bench.run()
    bench.remember()
    with pytest.raises(AgentError):
        await bench.run()

    assert len(bench.model.requests) == 3


async def test_without_calls_left_there_is_no_repair() -> None:
    bench = bench_of(text_turn("no"), max_llm_calls=1)

    with pytest.raises(AgentError) as caught:
        await bench.run()

    assert caught.value.code == "OUTPUT_INVALID"
    assert bench.output.tags == []


@pytest.mark.parametrize(
    "answer",
    ['{"x":1}', ' {"x" : 1}\n', '```json\n{"x": 1}\n```', '```\n{"x": 1}\n```\n', '\n```JSON\n{\n"x": 1}```'],
)
async def test_output_is_compact_json(answer: str) -> None:
    assert await read_output(answer, SCHEMA) == '{"x":1}'


async def test_output_keeps_what_is_not_ascii() -> None:
    assert await read_output('{"x": 1, "y": "ü", "z": 1.50}', SCHEMA) == '{"x":1,"y":"ü","z":1.5}'


@pytest.mark.parametrize(
    ("answer", "pointer"),
    [
        ("", ""),
        ("The answer is {}", ""),
        ("{}", ""),
        ('{"x": 1.5}', "/x"),
        ('{"x": NaN}', ""),
        ("[" * 100_000, ""),
        ("1" * 300_000, ""),
    ],
)
async def test_output_that_does_not_fit_says_where(answer: str, pointer: str) -> None:
    with pytest.raises(OutputInvalid) as caught:
        await read_output(answer, SCHEMA)

    assert caught.value.violations[0].pointer == pointer


async def test_at_most_five_violations_are_told() -> None:
    schema = json.dumps({"items": {"type": "string"}})

    with pytest.raises(OutputInvalid) as caught:
        await read_output(json.dumps([1] * 100), schema)

    assert [v.pointer for v in caught.value.violations] == ["/0", "/1", "/2", "/3", "/4"]


def test_schemas_that_cannot_be_used_are_refused() -> None:
    check_schema(SCHEMA)
    for text in ("", "{", "[]", "true", '{"type": "thing"}', '{"$ref": "http://x/y"}', " " * 70_000):
        with pytest.raises(InvalidRequestError, match=r"options\.output_schema"):
            check_schema(text)
