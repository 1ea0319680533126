"""ErrorMessages: what users read when a run fails (P3, PLG-07)."""

from dataclasses import replace
from typing import Any

import pytest
from plugins_support import ANSWER, ERROR, Chain

from runwire_server.domain import events as ev
from runwire_server.plugins.builtin import ErrorMessages

TEXTS = {"MODEL_REJECTED": "The model said no. {x} %s", "": "Sorry."}
FAILED_ANSWER = ev.MessagePayload("m", ANSWER, finish_reason="error")


async def shown(texts: Any, code: str) -> tuple[str, str]:
    """Return the texts of the error, and of the answer after it."""
    chain = Chain(ErrorMessages(texts))
    error = ev.ErrorPayload(replace(ERROR, code=code))
    first = await chain.give("on_event", error)
    second = await chain.give("on_event", FAILED_ANSWER)
    assert first == replace(error, error=replace(error.error, message=first.error.message))
    assert second == replace(FAILED_ANSWER, message=replace(ANSWER, content=second.message.content))
    assert chain.failures() == []
    return first.error.message, second.message.content


@pytest.mark.parametrize(
    ("texts", "code", "text"),
    [
        (TEXTS, "MODEL_REJECTED", "The model said no. {x} %s"),
        (TEXTS, "INTERNAL", "Sorry."),
        (TEXTS, "", "Sorry."),
        ("Oops.", "INTERNAL", "Oops."),
        ("", "INTERNAL", ""),
    ],
)
async def test_texts_by_code_or_for_all_others(texts: Any, code: str, text: str) -> None:
    assert await shown(texts, code) == (text, text)


async def test_without_a_text_for_it_an_error_stays_as_it_is() -> None:
    texts = {"MODEL_REJECTED": "no"}
    assert await shown(texts, "INTERNAL") == (ERROR.message, ANSWER.content)


async def test_the_mapping_is_copied() -> None:
    texts = {"": "one"}
    plugin = ErrorMessages(texts)
    texts[""] = "two"
    made = await Chain(plugin).give("on_event", ev.ErrorPayload(ERROR))
    assert made.error.message == "one"


@pytest.mark.parametrize(
    "payload",
    [ev.MessagePayload("m", ANSWER, finish_reason="stop"), ev.Custom("c", {}), ev.ModelRetry(1, ERROR, 0)],
)
async def test_all_else_stays_as_it_is(payload: Any) -> None:
    assert await Chain(ErrorMessages("x")).give("on_event", payload) == payload
