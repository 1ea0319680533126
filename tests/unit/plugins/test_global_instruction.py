"""GlobalInstruction: one text before all others, as it is (P3)."""

from dataclasses import replace

import pytest
from plugins_support import REQUEST, USER, Chain

from runwire_server.domain.content import Message, Role
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.builtin import GlobalInstruction

TEXTS = ["Be kind.", "{braces} {0} {} %s %d %% $x \\1 \\n", "two\nlines"]


async def asked(text: str, request: ModelRequest) -> ModelRequest:
    made = await Chain(GlobalInstruction(text)).give("before_model", request)
    assert isinstance(made, ModelRequest)
    return made


@pytest.mark.parametrize("text", TEXTS)
async def test_it_comes_before_the_agents_own_instruction(text: str) -> None:
    own = Message(Role.SYSTEM, "own {x} %s")
    made = await asked(text, replace(REQUEST, messages=(own, USER)))
    assert made == replace(REQUEST, messages=(Message(Role.SYSTEM, f"{text}\n\nown {{x}} %s"), USER))


@pytest.mark.parametrize("text", TEXTS)
async def test_a_request_without_a_system_message_gets_one(text: str) -> None:
    assert (await asked(text, REQUEST)).messages == (Message(Role.SYSTEM, text), USER)


@pytest.mark.parametrize("messages", [(), (Message(Role.SYSTEM),)])
async def test_there_may_be_nothing_else(messages: tuple[Message, ...]) -> None:
    assert (await asked("x", replace(REQUEST, messages=messages))).messages == (Message(Role.SYSTEM, "x"),)
