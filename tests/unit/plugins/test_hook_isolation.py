"""A bad hook costs itself, this time, and nothing else."""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hooks_support import (
    RUN,
    SAID_EVENT,
    STRUCTURAL,
    UNTOUCHED,
    call,
    context_of,
    make_plugin,
    returning,
)

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall
from runwire_server.domain.errors import StopError
from runwire_server.domain.runs import Run
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.guarded import HookFailedError, call_hook
from runwire_server.plugins.plugin import DROP

SECONDS = 0.02
DELTA = ev.TextDelta("m1", "secret")


class Odd(BaseException):
    """Not even an Exception."""


async def raises(error: BaseException) -> None:
    raise error


async def hangs() -> None:
    await asyncio.Event().wait()


async def ends_too_late() -> Message:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return Message(Role.ASSISTANT, "too late")
    raise AssertionError


async def waits_for_what_is_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def groups() -> None:
    raise BaseExceptionGroup("all", [Odd(), ValueError()])


MISBEHAVIOUR: dict[str, Callable[[], Any]] = {
    "raises": lambda: raises(ValueError("password=hunter2")),
    "raises_timeout": lambda: raises(TimeoutError()),
    "cancels_itself": lambda: raises(asyncio.CancelledError()),
    "waits_for_what_is_cancelled": waits_for_what_is_cancelled,
    "exits": lambda: raises(SystemExit(3)),
    "interrupts": lambda: raises(KeyboardInterrupt()),
    "ends_generator": lambda: raises(GeneratorExit()),
    "odd": lambda: raises(Odd()),
    "group": groups,
    "hangs": hangs,
    "ends_too_late": ends_too_late,
    "not_async": lambda: None,
    "wrong_type": returning(5),
    "wrong_class": returning(Message),
}


@pytest.mark.parametrize("hook", UNTOUCHED)
@pytest.mark.parametrize("how", MISBEHAVIOUR)
async def test_a_bad_hook_is_left_out(hook: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    if hook == "after_run" and how.startswith("wrong"):
        return  # nobody looks at what it returns
    counted = []
    seen = []
    plugins = RunPlugins(
        (
            make_plugin("bad", **{hook: lambda *_: MISBEHAVIOUR[how]()}),
            make_plugin("good", **{hook: lambda *_: returning(seen.append("good"))()}),
        ),
        lambda plugin, hook: counted.append((plugin, hook)),
        hook_seconds_max=SECONDS,
    )

    with caplog.at_level(logging.ERROR):
        made = await call(plugins, hook)

    assert made == UNTOUCHED[hook]
    assert seen == ["good"]
    assert counted == [("bad", hook)]
    (record,) = caplog.records
    assert f"bad.{hook}" in record.getMessage()
    failures = plugins.take_failures()
    assert plugins.take_failures() == []
    if hook == "after_run":
        assert failures == []  # the log has ended
        return
    (failure,) = failures
    assert (failure.plugin, failure.hook) == ("bad", hook)
    assert (failure.error.type, failure.error.code) == ("plugin_error", "PLUGIN_FAILED")
    assert failure.error.error_id
    assert failure.error.error_id in failure.error.message
    assert failure.error.error_id in record.getMessage()
    assert "hunter2" not in str(failure)


async def test_a_hook_is_called_again_after_it_failed() -> None:
    answers = iter([raises(ValueError()), returning(Message(Role.ASSISTANT, "5"))()])
    plugins = RunPlugins([make_plugin(after_model=lambda *_: next(answers))])

    assert (await call(plugins, "after_model")).content == "it is 4"
    assert (await call(plugins, "after_model")).content == "5"


@pytest.mark.parametrize("hook", [name for name in UNTOUCHED if name != "after_run"])
async def test_stop_error_passes(hook: str) -> None:
    plugins = RunPlugins([make_plugin(**{hook: lambda *_: raises(StopError("enough"))})])

    with pytest.raises(StopError, match="enough"):
        await call(plugins, hook)

    assert plugins.take_failures() == []


async def test_stop_error_after_the_run_stops_nothing() -> None:
    told = []
    plugins = RunPlugins(
        [
            make_plugin("bad", after_run=lambda _: raises(StopError("enough"))),
            make_plugin("good", after_run=lambda _: returning(told.append("good"))()),
        ]
    )

    await plugins.after_run(RUN)

    assert told == ["good"]


@pytest.mark.parametrize("payload", STRUCTURAL, ids=lambda payload: type(payload).__name__)
async def test_stop_error_at_what_a_log_needs_is_a_failure(payload: ev.DurablePayload) -> None:
    plugins = RunPlugins([make_plugin(on_event=lambda *_: raises(StopError("enough")))])

    assert await plugins.on_event(context_of(plugins), payload) is payload
    assert len(plugins.take_failures()) == 1


@pytest.mark.parametrize("hook", UNTOUCHED)
async def test_a_cancellation_of_the_run_passes(hook: str) -> None:
    waits = asyncio.Event()
    told = []

    async def hang(*_given: Any) -> None:
        waits.set()
        await hangs()

    plugins = RunPlugins(
        [make_plugin(**{hook: hang}), make_plugin("next", **{hook: lambda *_: told.append("next")})]
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(call(plugins, hook))
        await waits.wait()
        task.cancel()

    assert task.cancelled()
    assert told == []
    assert plugins.take_failures() == []


@pytest.mark.parametrize("then", [None, ValueError(), StopError("x")], ids=str)
async def test_a_hook_cannot_swallow_the_cancellation_of_its_run(then: Exception | None) -> None:
    waits = asyncio.Event()

    async def deaf(*_given: Any) -> Any:
        waits.set()
        try:
            await hangs()
        except asyncio.CancelledError:
            if then is not None:
                raise then from None

    plugins = RunPlugins([make_plugin(before_agent=deaf)])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(call(plugins, "before_agent"))
        await waits.wait()
        task.cancel()

    assert task.cancelled()


async def test_a_deadline_around_the_hook_is_not_the_hooks() -> None:
    plugins = RunPlugins([make_plugin(before_agent=lambda *_: hangs())])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call(plugins, "before_agent")

    assert plugins.take_failures() == []


def test_a_waiting_hook_can_be_thrown_away() -> None:
    class Sleeps:
        def __await__(self) -> Any:
            yield

    async def sleeps() -> None:
        await Sleeps()

    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(call_hook("x", sleeps))
        loop.call_soon(loop.stop)
        loop.run_forever()
        coroutine = task.get_coro()
        assert coroutine is not None
        coroutine.close()
        task.cancel()
        with pytest.raises((asyncio.CancelledError, RuntimeError)):
            loop.run_until_complete(task)
    finally:
        loop.close()
        gc.collect()


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        StopError("x"),
        asyncio.CancelledError(),
        SystemExit(),
        KeyboardInterrupt(),
        GeneratorExit(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_bad_hook_of_deltas_shows_them_as_they_are(error: BaseException) -> None:
    def bad(*_given: Any) -> None:
        raise error

    counted = []
    plugins = RunPlugins([make_plugin(on_partial=bad)], lambda *where: counted.append(where))

    assert [plugins.on_partial(context_of(plugins), DELTA) for _ in range(3)] == [DELTA] * 3
    assert counted == [("made", "on_partial")] * 3
    assert len(plugins.take_failures()) == 1  # not one for every token


@pytest.mark.parametrize(
    "made",
    [5, "text", ev.ReasoningDelta("m1", "x"), SAID_EVENT, ev.TextDelta],
    ids=lambda made: str(made)[:12],
)
def test_a_delta_is_replaced_only_by_its_like(made: Any) -> None:
    plugins = RunPlugins([make_plugin(on_partial=lambda *_: made)])

    assert plugins.on_partial(context_of(plugins), DELTA) is DELTA
    assert len(plugins.take_failures()) == 1


def test_a_hook_of_deltas_that_is_async_by_mistake_is_left_out() -> None:
    plugins = RunPlugins([make_plugin(on_partial=returning(DROP))])

    assert plugins.on_partial(context_of(plugins), DELTA) is DELTA
    gc.collect()  # a coroutine that nobody awaited would warn now


@pytest.mark.parametrize(
    ("hook", "made"),
    [
        ("before_model", Message(Role.SYSTEM, "hi")),
        ("after_model", Message(Role.USER, "hi")),
        ("before_tool", ToolCall("call_1", "add", {"a": 1})),  # type: ignore[arg-type]
        ("before_tool", DROP),
        ("before_tool", True),
    ],
    ids=str,
)
async def test_an_answer_that_does_not_fit_is_a_failure(hook: str, made: Any) -> None:
    plugins = RunPlugins([make_plugin(**{hook: returning(made)})])

    assert await call(plugins, hook) == UNTOUCHED[hook]
    assert len(plugins.take_failures()) == 1


async def test_what_only_looks_right_is_a_failure_too() -> None:
    hollow = ev.MessagePayload("m1", None)  # type: ignore[arg-type]
    plugins = RunPlugins([make_plugin(on_event=returning(hollow))])

    assert await call(plugins, "on_event") == SAID_EVENT
    assert len(plugins.take_failures()) == 1


async def test_failures_while_failures_are_reported_do_not_go_round() -> None:
    called: list[Run] = []
    plugins = RunPlugins([make_plugin(on_event=lambda *_: returning(called.append(RUN))())])
    failure = ev.PluginFailed("p", "on_event", ev.RunError("plugin_error", "x", "PLUGIN_FAILED"))

    assert await plugins.on_event(context_of(plugins), failure) is failure
    assert called == []


async def test_what_call_hook_raises_names_the_entry_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(HookFailedError) as failure:
        await call_hook("p.close", lambda: raises(ValueError("why")))

    assert failure.value.error_id in caplog.text
    assert "why" in caplog.text
