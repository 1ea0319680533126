"""What a plugin may make of an event: its own words, never another identity (P2, EDGE-100)."""

from dataclasses import replace
from typing import Any

import pytest
from plugins_support import ANSWER, CALL, RESULT, STRUCTURAL

from runwire_server.domain import events as ev
from runwire_server.domain.content import Role
from runwire_server.domain.mail import Decision
from runwire_server.domain.runs import RunError
from runwire_server.plugins.event_rules import (
    QUESTIONS,
    WrongEventError,
    kept_event,
    kept_identity,
    kept_partial,
)
from runwire_server.plugins.event_rules import STRUCTURAL as KINDS
from runwire_server.plugins.plugin import DROP

SAID = ev.MessagePayload("m", replace(ANSWER, tool_calls=(CALL,)))
OTHER_CALL = replace(CALL, id="other", name="rm", arguments="{}")
OTHER_RESULT = replace(RESULT, tool_call_id="other", tool_name="rm", content="new")
ERROR = RunError("run_error", "x", "X")


def test_the_structural_kinds_are_those_of_the_tests() -> None:
    assert {type(payload) for payload in STRUCTURAL} == {*KINDS, *QUESTIONS}


def test_of_questions_only_the_words_can_be_changed() -> None:
    asked = ev.ApprovalRequested("a", CALL, None, "why")
    other = ev.ApprovalRequested("b", OTHER_CALL, None, "because")
    assert kept_event(asked, other) == ev.ApprovalRequested(
        "a", replace(CALL, arguments="{}"), None, "because"
    )
    answered = ev.ApprovalResolved("a", Decision.DENIED, "alice", "no", "{}")
    made = kept_event(answered, ev.ApprovalResolved("b", Decision.APPROVED, "eve", "x", "[]"))
    assert made == ev.ApprovalResolved("a", Decision.DENIED, "alice", "x", "[]")
    wanted = ev.ToolOutputsRequested((CALL,))
    assert kept_event(wanted, ev.ToolOutputsRequested((replace(CALL, arguments="{}"),))) is not None
    for payload in (asked, answered, wanted):
        with pytest.raises(WrongEventError):
            kept_event(payload, DROP)
    with pytest.raises(WrongEventError):
        kept_event(wanted, ev.ToolOutputsRequested(()))


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (
            SAID,
            ev.MessagePayload("other", replace(SAID.message, content="new")),
            ev.MessagePayload("m", replace(SAID.message, content="new")),
        ),
        (
            ev.ToolResults((RESULT,), "m"),
            ev.ToolResults((replace(RESULT, content="new"),), "other"),
            ev.ToolResults((replace(RESULT, content="new"),), "m"),
        ),
        (
            ev.ToolStarted(CALL, 2),
            ev.ToolStarted(OTHER_CALL, 7),
            ev.ToolStarted(replace(CALL, arguments="{}"), 2),
        ),
        (
            ev.ToolFinished(RESULT, 2, 1.0),
            ev.ToolFinished(OTHER_RESULT, 7, 0.0),
            ev.ToolFinished(replace(RESULT, content="new"), 2, 0.0),
        ),
        (ev.ErrorPayload(ERROR), ev.ErrorPayload(replace(ERROR, message="y")), None),
        (ev.ModelRetry(1, ERROR, 0.0), ev.ModelRetry(2, ERROR, 1.0), None),
        (ev.Custom("a", {}), ev.Custom("b", {"x": 1}), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_replacement_keeps_who_it_is(old: Any, new: Any, kept: Any) -> None:
    assert kept_identity(old, new) == (new if kept is None else kept)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SAID, ev.Custom("a", {})),
        (SAID, "text"),
        (SAID, replace(SAID, message=ANSWER)),
        (SAID, replace(SAID, message=replace(SAID.message, tool_calls=(OTHER_CALL,)))),
        (SAID, replace(SAID, message=replace(SAID.message, tool_calls=(CALL, OTHER_CALL)))),
        (SAID, replace(SAID, message=replace(SAID.message, role=Role.USER))),
        (ev.ToolResults((RESULT,)), ev.ToolResults(())),
        (ev.ToolResults((RESULT,)), ev.ToolResults((OTHER_RESULT,))),
        (ev.ToolResults((RESULT,)), ev.ToolResults((RESULT, RESULT))),
    ],
)
def test_a_replacement_that_is_something_else_is_refused(old: Any, new: Any) -> None:
    with pytest.raises(WrongEventError):
        kept_identity(old, new)


def test_a_subclass_is_not_the_same_kind() -> None:
    class Mine(ev.Custom):
        pass

    with pytest.raises(WrongEventError):
        kept_identity(ev.Custom("a", {}), Mine("a", {}))


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (ev.TextDelta("m", "a"), ev.TextDelta("o", "b"), ev.TextDelta("m", "b")),
        (ev.ReasoningDelta("m", "a"), ev.ReasoningDelta("o", "b"), ev.ReasoningDelta("m", "b")),
        (
            ev.ToolCallDelta("m", 1, "c", "t", "a"),
            ev.ToolCallDelta("o", 2, "c", "t", "b"),
            ev.ToolCallDelta("m", 1, "c", "t", "b"),
        ),
        (ev.ToolProgress("c", "t", "a"), ev.ToolProgress("o", "t", "b"), ev.ToolProgress("c", "t", "b")),
        (
            ev.ToolOutputDelta("c", "t", "a"),
            ev.ToolOutputDelta("o", "t", "b"),
            ev.ToolOutputDelta("c", "t", "b"),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_delta_stays_with_its_message(old: Any, new: Any, kept: Any) -> None:
    assert kept_partial(old, new) == kept


@pytest.mark.parametrize("new", [ev.ReasoningDelta("m", "a"), ev.ToolProgress("c", "t", "a"), "text", None])
def test_a_delta_of_another_kind_is_refused(new: Any) -> None:
    with pytest.raises(WrongEventError):
        kept_partial(ev.TextDelta("m", "a"), new)
