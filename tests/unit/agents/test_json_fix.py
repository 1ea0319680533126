"""Repair of tool arguments that are not JSON."""

import json
import logging
import time
from typing import Any

import pytest
from agents_support import Bench

from runwire_server.agents import json_fix
from runwire_server.agents.json_fix import ARGUMENTS_BYTES_MAX, repair_calls
from runwire_server.domain.content import ToolCall
from runwire_server.domain.events import MessagePayload, ToolCallDelta
from support import call_turn, text_turn


def echo(text: str) -> str:
    return text


async def repaired(arguments: str) -> tuple[str, dict[str, str]]:
    (call,), raw = await repair_calls([ToolCall("a", "f", arguments)])
    return call.arguments, raw


@pytest.mark.parametrize(
    "arguments", ["", "  \n", "{}", '{"a":1 }', "[1]", '"x"', "null", '{"a":\n"\\u00fc"}']
)
async def test_valid_json_is_never_touched(arguments: str) -> None:
    assert await repaired(arguments) == (arguments, {})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("{'a': 1}", {"a": 1}),
        ('{"a": 1', {"a": 1}),
        ('{"a": "ü"', {"a": "ü"}),
        ("{a: True,}", {"a": True}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
    ],
)
async def test_what_is_broken_is_repaired_and_the_original_kept(arguments: str, expected: Any) -> None:
    fixed, raw = await repaired(arguments)

    assert json.loads(fixed) == expected
    assert raw == {"a": arguments}


@pytest.mark.parametrize(
    "arguments", ["no json at all", "[1, 2", "{" * 20_000, '{"a": "' + "x" * ARGUMENTS_BYTES_MAX]
)
async def test_what_cannot_become_an_object_stays(arguments: str) -> None:
    assert await repaired(arguments) == (arguments, {})


async def test_a_repair_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_fix, "_SECONDS_MAX", 0.01)
    monkeypatch.setattr(json_fix, "_repair", lambda _: time.sleep(0.2))

    assert await repaired("{'a': 1}") == ("{'a': 1}", {})


@pytest.mark.parametrize(
    ("of_agent", "of_run", "is_repaired"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
async def test_the_run_says_or_else_the_agent(
    of_agent: bool, of_run: bool | None, is_repaired: bool, caplog: pytest.LogCaptureFixture
) -> None:
    turns = [call_turn("echo", "{'text': 'x'}"), text_turn("done")]
    bench = Bench(turns, [echo], json_repair=of_agent, options={"json_repair": of_run})
    with caplog.at_level(logging.INFO):
        await bench.run()

    payload = bench.output.of(MessagePayload)[0]
    (result,) = bench.output.results
    assert (result.content == "x") is is_repaired
    assert payload.raw_arguments == ({"call_1": "{'text': 'x'}"} if is_repaired else {})
    assert payload.message.tool_calls[0].arguments == ('{"text": "x"}' if is_repaired else "{'text': 'x'}")
    assert ("were repaired" in caplog.text) is is_repaired
    shown = [p for p in bench.output.partials if isinstance(p, ToolCallDelta)]
    assert shown[0].arguments == "{'text': 'x'}"
