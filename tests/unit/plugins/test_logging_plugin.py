"""LoggingPlugin: what runs do, without what they say (P3)."""

import logging
from dataclasses import replace

import pytest
from plugins_support import ANSWER, CALL, REQUEST, RESULT, RUN, Chain

from runwire_server.domain.content import Message, Role, Usage
from runwire_server.domain.runs import Outcome
from runwire_server.plugins.builtin import LoggingPlugin

SECRET = "sesame"
REQUESTED = replace(REQUEST, messages=(Message(Role.USER, SECRET),))
SAID = replace(ANSWER, content=SECRET, tool_calls=(CALL,))
ASKED = replace(CALL, arguments=f'{{"a": "{SECRET}"}}')
GOT = replace(RESULT, content=SECRET, reason="TIMEOUT")


async def log_of(
    plugin: LoggingPlugin, caplog: pytest.LogCaptureFixture, name: str = "runwire.runs"
) -> list[str]:
    caplog.set_level(logging.INFO, logger=name)
    chain = Chain(plugin)
    assert await chain.give("before_model", REQUESTED) == REQUESTED
    assert await chain.give("after_model", SAID) == SAID
    assert await chain.give("before_tool", ASKED) == (ASKED, None)
    assert await chain.give("after_tool", ASKED, GOT) == GOT
    ended = replace(
        RUN, outcome=Outcome.FAILED, stop_reason="error", usage=Usage(total_tokens=7, model_calls=2)
    )
    await chain.give("after_run", ended)
    await chain.give("after_run", RUN)
    assert chain.failures() == []
    assert chain.context.notes == {}
    assert {record.name for record in caplog.records} == {name}
    return [record.getMessage() for record in caplog.records]


async def test_no_contents_unless_asked_to(caplog: pytest.LogCaptureFixture) -> None:
    lines = await log_of(LoggingPlugin(), caplog)
    assert SECRET not in "\n".join(lines)
    assert lines[0] == "run r, agent: asks the model, 1 messages"
    assert "calls: tool" in lines[1]
    assert "calls tool (call_1)" in lines[2]
    assert "tool (call_1) ended after" in lines[3]
    assert lines[3].endswith("TIMEOUT")
    assert lines[4] == "run r ended failed (error), 2 model calls, 7 tokens"
    assert lines[5].startswith("run r ended open ()")


async def test_contents_when_asked_to_but_not_all_of_them(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("mine")
    lines = await log_of(LoggingPlugin(logger, with_contents=True), caplog, "mine")
    assert all(SECRET in line for line in lines[1:4])
    caplog.clear()
    await Chain(LoggingPlugin(logger, with_contents=True)).give(
        "after_model", replace(ANSWER, content="x" * 9999)
    )
    assert len(caplog.records[0].getMessage()) < 700
