"""What built-in plugins do with what is unusual."""

import json
import logging
from types import MappingProxyType
from typing import Any

import pytest
from hooks_support import CALL, REQUEST, SAID, context_of

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.plugins.builtin import ApprovalPolicy, GlobalInstruction, LoggingPlugin, Redaction
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import Ask

CARD = Redaction({"card": r"\d{4}-?\d{4}", "mail": r"\w+@\w+", "wide": "<[^<>]*>"})


async def shown_arguments(arguments: str) -> str:
    plugins = RunPlugins([CARD])
    calling = Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "pay", arguments),))
    payload = await plugins.on_event(context_of(plugins), ev.MessagePayload("m", calling))
    assert plugins.take_failures() == []
    assert isinstance(payload, ev.MessagePayload)
    return payload.message.tool_calls[0].arguments


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"a":  "1234-5678"}', {"a": "[redacted card]"}),
        ('{"a": 12345678, "b": true, "c": 1.5}', {"a": "[redacted card]", "b": True, "c": 1.5}),
        ('{"a": "x\\u0040y"}', {"a": "[redacted mail]"}),
        ('{"x@y": [{"a": "x@y"}]}', {"[redacted mail]": [{"a": "[redacted mail]"}]}),
        ('{"a": "<", "b": ">"}', {}),
        ('{"a": "x@y", "b": "<", "c": ">"}', {}),
        ('{"a": "x@y", "b": "\\ud800"}', {"a": "[redacted mail]", "b": "?"}),
    ],
)
async def test_arguments_stay_json_without_their_secrets(arguments: str, shown: Any) -> None:
    assert json.loads(await shown_arguments(arguments)) == shown


@pytest.mark.parametrize("arguments", ["", '{"a":  1,"b" :"\\u00fc"}', "{broken"])
async def test_arguments_without_secrets_stay_as_they_are_written(arguments: str) -> None:
    assert await shown_arguments(arguments) == arguments


async def test_arguments_that_are_no_json_are_text() -> None:
    assert await shown_arguments('{"a": "x@y"') == '{"a": "[redacted mail]"'


async def test_an_escape_does_not_hide_a_secret_in_a_result() -> None:
    plugins = RunPlugins([CARD])
    results = ev.ToolResults((ToolResult("c", "find", '{"mail": "x\\u0040y"}'),))

    payload = await plugins.on_event(context_of(plugins), results)

    assert isinstance(payload, ev.ToolResults)
    assert json.loads(payload.results[0].content) == {"mail": "[redacted mail]"}


async def test_any_mapping_is_looked_into() -> None:
    payload = await CARD.on_event(context_of(RunPlugins()), ev.Custom("c", MappingProxyType({"a": "x@y"})))

    assert isinstance(payload, ev.Custom)
    assert payload.data == {"a": "[redacted mail]"}


def test_no_patterns_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="no patterns"):
        Redaction({})


@pytest.mark.parametrize("mode", [None, 5])
def test_an_approval_policy_that_decides_nothing_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match="is not"):
        ApprovalPolicy(mode)


async def test_an_approval_policy_has_its_own_names() -> None:
    names = ["add"]
    policy = ApprovalPolicy(names)
    names.clear()

    assert await policy.before_tool(context_of(RunPlugins()), CALL) == Ask()


def test_an_empty_instruction_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        GlobalInstruction("")


async def test_agents_at_work_at_the_same_time_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 10.0, 11.0, 12.0])
    plugin = LoggingPlugin(with_contents=True, clock=lambda: next(times))
    plugins = RunPlugins([plugin])
    here = context_of(plugins)
    there = plugins.context(here.run, "agent", "agent", "i2")

    with caplog.at_level(logging.INFO):
        await plugin.before_model(here, REQUEST)
        await plugin.before_model(there, REQUEST)
        await plugin.after_model(here, Message(Role.ASSISTANT, "two\nlines"))
        await plugin.after_model(there, SAID)

    assert "after 11.000 s" in caplog.messages[2]
    assert "after 2.000 s" in caplog.messages[3]
    assert all("\n" not in line for line in caplog.messages)
