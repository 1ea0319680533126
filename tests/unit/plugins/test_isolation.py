"""A bad hook costs no more than itself (P1, PLG-06, PLG-14, EDGE-100, ASTER-15, D24): every hook, every misdeed."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from plugins_support import ANSWER, CALL, DELTA, REQUEST, RESULT, SAID, STRUCTURAL, UNTOUCHED, Chain, made

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, Role
from runwire_server.domain.errors import StopError
from runwire_server.plugins.plugin import Plugin


async def forever(*_: Any) -> None:
    await asyncio.Event().wait()


def raising(error: BaseException) -> Any:
    def hook(*_: Any) -> None:
        raise error

    return hook


async def cancelling_itself(*_: Any) -> None:
    raise asyncio.CancelledError


async def stubborn(*_: Any) -> None:
    """Answers its cancellation with another error."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("no") from None


MISDEEDS: dict[str, Any] = {
    "raises": raising(ValueError("secret detail")),
    "raises_base": raising(BaseException("x")),
    "exits": raising(SystemExit(1)),
    "interrupts": raising(KeyboardInterrupt()),
    "cancelled_error": raising(asyncio.CancelledError()),
    "group": raising(BaseExceptionGroup("x", [SystemExit(1)])),
    "generator_exit": raising(GeneratorExit()),
    "recursion": raising(RecursionError()),
    "cancels_itself": cancelling_itself,
    "wrong_type": lambda *_: 42,
    "too_slow": forever,
    "stubborn": stubborn,
}
ASYNC_ONLY = {"too_slow", "cancels_itself", "stubborn"}
SLOW = {"too_slow", "stubborn"}
CASES = [
    (hook, misdeed)
    for hook in UNTOUCHED
    for misdeed in MISDEEDS
    if not (hook == "on_partial" and misdeed in ASYNC_ONLY) and (hook, misdeed) != ("after_run", "wrong_type")
]


@pytest.mark.parametrize(("hook", "misdeed"), CASES)
async def test_whatever_a_hook_does_the_thing_goes_on_as_it_was(
    hook: str, misdeed: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = made("good", **{hook: lambda *_: None})
    chain = Chain(made("bad", **{hook: MISDEEDS[misdeed]}), good, seconds=0.05 if misdeed in SLOW else 5)
    with caplog.at_level(logging.CRITICAL + 1):
        assert await chain.call(hook) == UNTOUCHED[hook]
    assert len(good.seen) == 1
    assert chain.counted == [("bad", hook)]
    failures = chain.plugins.take_failures()
    if hook == "after_run":
        assert failures == []  # the log is closed
        return
    (failure,) = failures
    assert (failure.plugin, failure.hook) == ("bad", hook)
    assert (failure.error.type, failure.error.code) == ("plugin_error", "PLUGIN_FAILED")
    assert failure.error.error_id in failure.error.message
    assert "secret" not in failure.error.message
    assert chain.plugins.take_failures() == []


# What a hook returns that has the right type, and what no log or model could take.
UNFIT: list[tuple[str, Any]] = [
    ("before_agent", Message(Role.ASSISTANT, 5)),  # type: ignore[arg-type]
    ("after_agent", Message(Role.ASSISTANT, None)),  # type: ignore[arg-type]
    ("before_model", replace(REQUEST, messages=(Message(Role.USER, b"x"),))),  # type: ignore[arg-type]
    ("before_model", Message(Role.ASSISTANT, "\ud800")),
    ("after_model", replace(ANSWER, tool_calls=(replace(CALL, arguments={"a": 1}),))),  # type: ignore[arg-type]
    ("after_model", replace(ANSWER, parts=(Part(data={"a": object()}),))),
    ("after_model", replace(ANSWER, parts=(Part(text=3),))),  # type: ignore[arg-type]
    ("before_tool", replace(CALL, arguments={"a": 1})),  # type: ignore[arg-type]
    ("after_tool", replace(RESULT, content={"a": 1})),  # type: ignore[arg-type]
    ("on_event", replace(SAID, message=replace(ANSWER, content=None))),  # type: ignore[arg-type]
    ("on_event", replace(SAID, message=replace(ANSWER, role=Role.USER))),
    ("on_event", replace(SAID, message=replace(ANSWER, tool_calls=(CALL,)))),
    ("on_event", ev.Custom("c", {})),
    ("on_partial", replace(DELTA, text=7)),  # type: ignore[arg-type]
    ("on_partial", ev.ReasoningDelta("m", "x")),
]


@pytest.mark.parametrize(("hook", "answer"), UNFIT)
async def test_what_a_hook_returns_must_fit(hook: str, answer: Any) -> None:
    chain = Chain(made("bad", **{hook: lambda *_: answer}))
    assert await chain.call(hook) == UNTOUCHED[hook]
    assert chain.failures() == chain.counted == [("bad", hook)]


@pytest.mark.parametrize("data", [{"a": {1}}, {"a": float("nan")}, {"a": "\ud800" * 2, "b": object()}])
async def test_data_must_be_json(data: Any) -> None:
    payload = ev.Custom("c", {"a": 1})
    chain = Chain(made("bad", on_event=lambda _: ev.Custom("c", data)))
    assert await chain.give("on_event", payload) == payload
    assert chain.failures() == [("bad", "on_event")]


async def test_a_hook_that_is_no_coroutine_is_left_out() -> None:
    class Plain(Plugin):
        def after_model(self, context: Any, answer: Message) -> Message:  # type: ignore[override]
            return replace(answer, content="x")

    chain = Chain(Plain())
    assert await chain.call("after_model") == ANSWER
    assert chain.failures() == [("Plain", "after_model")]


async def test_hooks_that_fail_again_and_again_say_so_each_time() -> None:
    chain = Chain(made("bad", after_model=MISDEEDS["raises"]))
    for _ in range(3):
        await chain.call("after_model")
    assert chain.failures() == [("bad", "after_model")] * 3


ASYNC_HOOKS = [hook for hook in UNTOUCHED if hook != "on_partial"]


@pytest.mark.parametrize("hook", ASYNC_HOOKS)
async def test_who_is_cancelled_while_a_hook_works_is_cancelled(hook: str) -> None:
    began = asyncio.Event()

    async def wait(*_: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    chain = Chain(made("slow", **{hook: wait}))
    task = asyncio.get_running_loop().create_task(chain.call(hook))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert chain.counted == []


@pytest.mark.parametrize("hook", [hook for hook in ASYNC_HOOKS if hook != "after_run"])
async def test_stop_error_passes(hook: str) -> None:
    never = made("never", **{hook: lambda *_: None})
    chain = Chain(made("stop", **{hook: raising(StopError("enough"))}), never)
    with pytest.raises(StopError, match="enough"):
        await chain.call(hook)
    assert never.seen == []
    assert chain.counted == []


@pytest.mark.parametrize("hook", ["after_run", "on_partial"])
async def test_stop_error_does_not_pass_where_nothing_could_be_stopped(hook: str) -> None:
    chain = Chain(made("stop", **{hook: raising(StopError("enough"))}))
    assert await chain.call(hook) == UNTOUCHED[hook]
    assert chain.counted == [("stop", hook)]


@pytest.mark.parametrize("payload", STRUCTURAL, ids=lambda p: type(p).__name__)
async def test_stop_error_does_not_keep_from_the_log_what_it_needs(payload: Any) -> None:
    chain = Chain(made("stop", on_event=raising(StopError("enough"))))
    assert await chain.give("on_event", payload) == payload
    assert chain.failures() == [("stop", "on_event")]


async def test_a_slow_hook_is_given_its_time_and_no_more() -> None:
    async def soon(answer: Message) -> Message:
        await asyncio.sleep(0)
        return replace(answer, content="in time")

    chain = Chain(made("slow", after_model=forever), made("soon", after_model=soon), seconds=0.02)
    assert (await chain.call("after_model")).content == "in time"
    assert chain.counted == [("slow", "after_model")]


async def test_hooks_at_the_same_time_do_not_mix() -> None:
    """Parallel tools share one chain (PLG-13)."""
    chain = Chain(made("bad", after_tool=MISDEEDS["raises"]), made("good", after_tool=lambda _, r: r))
    results = await asyncio.gather(
        *(
            chain.give("after_tool", replace(CALL, id=str(n)), replace(RESULT, tool_call_id=str(n)))
            for n in range(20)
        )
    )
    assert [result.tool_call_id for result in results] == [str(n) for n in range(20)]
    assert len(chain.failures()) == 20


async def test_the_details_are_in_the_servers_log_under_the_error_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = Chain(made("bad", after_model=MISDEEDS["raises"]))
    await chain.call("after_model")
    (failure,) = chain.plugins.take_failures()
    (record,) = caplog.records
    assert failure.error.error_id in record.getMessage()
    assert "bad.after_model" in record.getMessage()
    assert record.exc_info is not None
    assert "secret detail" in str(record.exc_info[1])
