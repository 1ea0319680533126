"""What a follower is sent (EDGE-62, EDGE-63, STRM-04): a filter is about what is sent, never about what is stored."""

from datetime import UTC, datetime
from typing import Any

import pytest

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import Decision
from runwire_server.domain.runs import Outcome, Run, RunError, RunOptions, RunState
from runwire_server.domain.streams import (
    Channel,
    StreamMode,
    StreamOptions,
    channel_of,
    is_forwarded,
    is_within,
)

CALL = ToolCall("c", "t", "{}")
RESULT = ToolResult("c", "t", "x")
ERROR = RunError("t", "x", "X")
RUN = Run(
    key=RunKey("app", "r"),
    session=SessionKey("app", "u", "s"),
    agent_name="agent",
    state=RunState.RUNNING,
    create_time=datetime(2026, 1, 1, tzinfo=UTC),
)
ALWAYS: list[Any] = [
    ev.RunStarted(RUN, RunOptions()),
    ev.Completion(Outcome.COMPLETED, "stop"),
    ev.ErrorPayload(ERROR),
    ev.ApprovalRequested("a", CALL),
    ev.ToolOutputsRequested((CALL,)),
    ev.CaughtUp(),
    ev.Heartbeat(RunState.RUNNING),
    ev.Reconnect(ev.ReconnectReason.DRAINING),
]
MESSAGES, TASKS, DEBUG, UPDATES = StreamMode.MESSAGES, StreamMode.TASKS, StreamMode.DEBUG, StreamMode.UPDATES
BY_MODE: list[tuple[Any, set[StreamMode]]] = [
    (ev.TextDelta("m", "x"), {MESSAGES}),
    (ev.ReasoningDelta("m", "x"), {MESSAGES}),
    (ev.ToolCallDelta("m", 0, "c", "t", "{"), {MESSAGES}),
    (ev.MessagePayload("m", Message(Role.ASSISTANT, "x")), {MESSAGES}),
    (ev.ToolResults((RESULT,)), {MESSAGES}),
    (ev.ToolStarted(CALL, 0), {MESSAGES, TASKS, DEBUG}),
    (ev.ToolFinished(RESULT, 0, 0.0), {MESSAGES, TASKS, DEBUG}),
    (ev.ToolProgress("c", "t", "x"), {MESSAGES, TASKS, DEBUG}),
    (ev.ToolOutputDelta("c", "t", "x"), {MESSAGES, TASKS, DEBUG}),
    (ev.ApprovalResolved("a", Decision.APPROVED), {UPDATES, TASKS, DEBUG}),
    (ev.PluginFailed("p", "h", ERROR), {DEBUG}),
    (ev.RunStateChanged(RunState.QUEUED, RunState.RUNNING), {UPDATES, DEBUG}),
    (ev.ModelRetry(1, ERROR, 0.0), {TASKS, DEBUG}),
    (ev.Custom("c", {}), {StreamMode.CUSTOM}),
]


def kind(value: Any) -> str:
    return type(value).__name__


def test_every_payload_is_in_these_tables() -> None:
    known = {type(payload) for payload in [*ALWAYS, *(payload for payload, _ in BY_MODE)]}
    assert known == set(ev.Payload.__args__)


@pytest.mark.parametrize(("payload", "modes"), BY_MODE, ids=[kind(payload) for payload, _ in BY_MODE])
def test_each_mode_passes_exactly_its_payloads(payload: Any, modes: set[StreamMode]) -> None:
    assert is_forwarded(payload, StreamOptions())
    passed = {mode for mode in StreamMode if is_forwarded(payload, StreamOptions(modes=frozenset({mode})))}
    assert passed == modes
    assert is_forwarded(payload, StreamOptions(modes=frozenset(StreamMode)))


@pytest.mark.parametrize("payload", ALWAYS, ids=kind)
def test_what_a_client_needs_is_always_sent(payload: Any) -> None:
    for mode in StreamMode:
        for channel in Channel:
            options = StreamOptions(
                modes=frozenset({mode}),
                channels=frozenset({channel}),
                whole_messages_only=True,
                branch="other",
            )
            assert is_forwarded(payload, options, "agent")


@pytest.mark.parametrize("payload", [payload for payload, _ in BY_MODE], ids=kind)
def test_each_channel_passes_exactly_its_payloads(payload: Any) -> None:
    passed = {c for c in Channel if is_forwarded(payload, StreamOptions(channels=frozenset({c})))}
    assert passed == {channel_of(payload)}


def test_whole_messages_or_only_partials() -> None:
    delta, whole = BY_MODE[0][0], BY_MODE[3][0]
    assert not is_forwarded(delta, StreamOptions(whole_messages_only=True))
    assert is_forwarded(whole, StreamOptions(whole_messages_only=True))
    assert is_forwarded(delta, StreamOptions(partials_only=True))
    assert not is_forwarded(whole, StreamOptions(partials_only=True))


def test_a_branch_has_all_below_it_and_no_namesakes() -> None:
    payload = BY_MODE[3][0]
    for branch, is_sent in [("app", True), ("app/sub", True), ("app2", False), ("", False), ("x/app", False)]:
        assert is_within(branch, "app") is is_sent
        assert is_forwarded(payload, StreamOptions(branch="app"), branch) is is_sent
