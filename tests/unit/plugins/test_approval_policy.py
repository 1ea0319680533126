"""ApprovalPolicy: who must be asked (P3, D24)."""

import asyncio
from typing import Any

import pytest
from plugins_support import CALL, Chain, context

from runwire_server.domain.content import ToolCall
from runwire_server.domain.errors import StopError
from runwire_server.plugins.builtin import ApprovalPolicy
from runwire_server.plugins.plugin import Allow, Ask, Deny, HookContext

OTHER = ToolCall("c", "other", "{}")
FAILED = Ask("the approval policy failed")


@pytest.mark.parametrize(
    ("mode", "call", "verdict"),
    [
        ("always", CALL, Ask("why")),
        ("never", CALL, Allow()),
        (["tool"], CALL, Ask("why")),
        ({"tool"}, OTHER, None),
        ((), CALL, None),
        (["always"], CALL, None),
    ],
)
async def test_by_word_or_by_name(mode: Any, call: ToolCall, verdict: Any) -> None:
    assert await ApprovalPolicy(mode, reason="why").before_tool(context(), call) == verdict


@pytest.mark.parametrize(
    ("decision", "verdict"),
    [
        (True, Ask("why")),
        (False, Allow()),
        (Ask("mine"), Ask("mine")),
        (Deny("no"), Deny("no")),
        # What is no decision is none: ask.
        (None, Ask("why")),
        (0, Ask("why")),
        ("no", Ask("why")),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_by_function(decision: Any, verdict: Any, is_async: bool) -> None:
    seen: list[tuple[HookContext, ToolCall]] = []

    def decide(where: HookContext, call: ToolCall) -> Any:
        seen.append((where, call))
        return decision

    async def decide_later(where: HookContext, call: ToolCall) -> Any:
        await asyncio.sleep(0)
        return decide(where, call)

    where = context()
    policy = ApprovalPolicy(decide_later if is_async else decide, reason="why")
    assert await policy.before_tool(where, CALL) == verdict
    assert seen == [(where, CALL)]


def raising(error: BaseException) -> Any:
    def decide(*_: Any) -> Any:
        raise error

    return decide


async def never_ready(*_: Any) -> bool:
    await asyncio.Event().wait()
    return False


async def cancels_itself(*_: Any) -> bool:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "decide",
    [
        raising(ValueError()),
        raising(SystemExit()),
        raising(KeyboardInterrupt()),
        raising(GeneratorExit()),
        raising(StopError("x")),
        cancels_itself,
        never_ready,
        lambda: False,
    ],
    ids=["error", "exit", "interrupt", "generator", "stop", "cancel", "slow", "arguments"],
)
async def test_what_nobody_could_decide_a_person_must(decide: Any) -> None:
    """Within a chain, too: the policy's time is up before the hook's is, else nobody would be asked."""
    chain = Chain(ApprovalPolicy(decide, seconds_max=0.05))
    assert await chain.call("before_tool") == (CALL, FAILED)
    assert chain.failures() == []


@pytest.mark.parametrize("seconds", [0, -1, 10.0])
def test_a_decision_has_less_time_than_a_hook(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds_max"):
        ApprovalPolicy("always", seconds_max=seconds)


@pytest.mark.parametrize("mode", ["sometimes", "", "ALWAYS", "tool"])
def test_another_word_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match="is not 'always'"):
        ApprovalPolicy(mode)
