"""Rounds of tool calls: whatever a tool does costs only its call."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from agents_support import Bench, FakePlugins, calls_turn, error_of

from runwire_server.domain.content import Role, ToolCall, ToolSpec, ToolStatus
from runwire_server.domain.errors import StopError
from runwire_server.domain.events import ToolFinished, ToolOutputDelta, ToolProgress, ToolResults, ToolStarted
from runwire_server.plugins.plugin import Deny
from runwire_server.tools.function import RESULT_BYTES_MAX, function_tool
from runwire_server.tools.tool import ToolContext, ToolError, ToolInvocation, ToolPolicy
from support import call_turn, text_turn


def echo(text: str) -> str:
    return text


class PlainTool:
    """A tool that has only a schema, and returns what it is told to."""

    policy = ToolPolicy()

    def __init__(self, result: Any = "ok") -> None:
        schema = {
            "type": "object",
            "properties": {"city": {"type": "string"}, "items": {"items": {"required": ["x"]}}},
            "required": ["city"],
        }
        self.spec = ToolSpec("plain", "", schema)
        self.result = result
        self.calls: list[Mapping[str, Any]] = []

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        self.calls.append(arguments)
        result: str = self.result
        return result


def bench_of(*calls: tuple[str, str, str], tools: Any = (), **fields: Any) -> Bench:
    return Bench([calls_turn(*calls), text_turn("done")], tools, **fields)


async def errors(bench: Bench) -> list[tuple[str, bool, str | None]]:
    await bench.run()
    assert all(r.status is ToolStatus.ERROR for r in bench.output.results)
    told = [error_of(r.content) for r in bench.output.results]
    assert [r.reason for r in bench.output.results] == [e["code"] for e in told]
    return [(e["code"], e["retryable"], e.get("pointer")) for e in told]


async def test_results_are_in_the_order_of_the_calls_and_events_in_that_of_their_ends() -> None:
    gates = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def wait(name: str, context: ToolContext) -> str:
        if name == "b":
            gates["a"].set()
            return "second"
        await gates["a"].wait()
        while "b" not in bench.output.finished:
            await asyncio.sleep(0)
        return "first"

    bench = bench_of(("a", "wait", '{"name": "a"}'), ("b", "wait", '{"name": "b"}'), tools=[wait])
    await bench.run()

    assert bench.output.finished == ["b", "a"]
    assert [r.tool_call_id for r in bench.output.results] == ["a", "b"]
    assert [(e.index, e.duration_seconds >= 0) for e in bench.output.of(ToolFinished)] == [
        (1, True),
        (0, True),
    ]
    (results,) = bench.output.of(ToolResults)
    assert results.message_id == bench.output.log[0].message_id


async def test_an_unknown_tool_is_answered_with_what_may_be_meant() -> None:
    tools = [function_tool(echo, name=name) for name in ("echo", "echo1", "echo2", "echo3", "other")]
    bench = bench_of(("a", "ecko", "{}"), ("b", "e" * 161, "{}"), ("c", "zzz", "{}"), tools=tools)

    assert await errors(bench) == [("UNKNOWN_TOOL", False, None)] * 3
    near, long, far = (error_of(r.content)["message"] for r in bench.output.results)
    assert near.count("'echo") == 3
    assert "did you mean" not in long + far
    assert bench.output.started == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [("{", ""), ("[1]", ""), ("null", ""), ('{"text": NaN}', ""), ('{"text": []}', "/text"), ("{}", "/text")],
)
async def test_arguments_that_do_not_fit_are_told_with_their_place(arguments: str, pointer: str) -> None:
    assert await errors(bench_of(("a", "echo", arguments), tools=[echo])) == [
        ("INVALID_ARGUMENTS", True, pointer)
    ]


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [('{"city": 1}', "/city"), ('{"city": "x", "items": [{"x": 1}, {}]}', "/items/1"), ("{}", "")],
)
async def test_a_schema_is_enough_to_check_arguments(arguments: str, pointer: str) -> None:
    tool = PlainTool()

    assert await errors(bench_of(("a", "plain", arguments), tools=[tool])) == [
        ("INVALID_ARGUMENTS", True, pointer)
    ]
    assert tool.calls == []


def leave() -> None:
    raise SystemExit(3)


async def leave_async() -> None:
    raise SystemExit(3)


def interrupt() -> None:
    raise KeyboardInterrupt


async def interrupt_async() -> None:
    raise KeyboardInterrupt


async def exit_generator() -> None:
    raise GeneratorExit


async def cancel_itself() -> None:
    raise asyncio.CancelledError


def unspeakable() -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise ValueError

    raise UnspeakableError


def stop_iteration() -> None:
    raise StopIteration


@pytest.mark.parametrize(
    "tool",
    [
        leave,
        leave_async,
        interrupt,
        interrupt_async,
        exit_generator,
        cancel_itself,
        unspeakable,
        stop_iteration,
    ],
)
async def test_whatever_a_tool_raises_costs_only_its_call(tool: Callable[..., Any]) -> None:
    bench = bench_of(("a", tool.__name__, "{}"), ("b", "echo", '{"text": "x"}'), tools=[tool, echo])

    answer = await bench.run()

    assert answer.content == "done"
    failed, fine = bench.output.results
    assert (failed.reason, error_of(failed.content)["retryable"], fine.content) == ("TOOL_FAILED", False, "x")


async def test_a_tools_own_error_has_its_own_code() -> None:
    def pay() -> None:
        raise ToolError("no money", "NO_FUNDS", retryable=True)

    bench = bench_of(("a", "pay", "{}"), tools=[pay])

    assert await errors(bench) == [("NO_FUNDS", True, None)]


async def test_a_result_that_is_too_large_or_no_text_is_an_error() -> None:
    assert await errors(
        bench_of(("a", "plain", '{"city": ""}'), tools=[PlainTool("x" * (RESULT_BYTES_MAX + 1))])
    ) == [("RESULT_TOO_LARGE", False, None)]
    assert await errors(bench_of(("a", "plain", '{"city": ""}'), tools=[PlainTool(5)])) == [
        ("TOOL_FAILED", False, None)
    ]


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_a_tool_that_takes_too_long_is_given_up(is_stubborn: bool) -> None:
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if is_stubborn:
                raise ValueError from None
            raise

    tool = function_tool(hang, timeout_seconds=0.01)

    assert await errors(bench_of(("a", "hang", "{}"), tools=[tool])) == [("TIMEOUT", True, None)]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ValueError(), 3),
        (ToolError("x", retryable=True), 3),
        (ToolError("x"), 1),
        (TimeoutError(), 3),
    ],
)
async def test_retries_are_for_what_may_pass(error: Exception, tries: int) -> None:
    count = 0

    async def flaky() -> None:
        nonlocal count
        count += 1
        raise error

    await errors(
        bench_of(("a", "flaky", "{}"), tools=[function_tool(flaky, retries=2, retry_delay_seconds=0)])
    )

    assert count == tries


async def test_a_retry_that_succeeds_is_a_success_and_one_call() -> None:
    tries: list[int] = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError
        return "at last"

    bench = bench_of(("a", "flaky", "{}"), tools=[function_tool(flaky, retries=2, retry_delay_seconds=0)])
    await bench.run()

    assert [r.content for r in bench.output.results] == ["at last"]
    assert bench.output.finished == ["a"]


@pytest.mark.parametrize(
    ("fields", "most"), [({"max_parallel_tools": 2}, 2), ({}, 5), ({"options": {"max_parallel_tools": 1}}, 1)]
)
async def test_only_so_many_calls_are_at_work_at_a_time(fields: dict[str, Any], most: int) -> None:
    working = 0
    seen: list[int] = []

    async def work() -> None:
        nonlocal working
        working += 1
        seen.append(working)
        for _ in range(20):
            await asyncio.sleep(0)
        working -= 1

    bench = bench_of(*((str(n), "work", "{}") for n in range(5)), tools=[work], **fields)
    await bench.run()

    assert max(seen) == most
    if most == 1:
        assert bench.output.started == bench.output.finished == ["0", "1", "2", "3", "4"]


async def test_an_exclusive_call_has_nobody_beside_it() -> None:
    log: list[str] = []

    async def work(name: str) -> None:
        log.append(f"+{name}")
        for _ in range(20):
            await asyncio.sleep(0)
        log.append(f"-{name}")

    alone = function_tool(work, name="alone", is_exclusive=True)
    order = [("a", "work"), ("b", "alone"), ("c", "alone"), ("d", "work"), ("e", "work")]
    await bench_of(*((i, t, f'{{"name": "{i}"}}') for i, t in order), tools=[work, alone]).run()

    assert log[:6] == ["+a", "-a", "+b", "-b", "+c", "-c"]
    assert log[6:8] == ["+d", "+e"]


class Stopping:
    """A round of three calls: one that ends at once, one that never does, and one where something stops the run."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.is_cancelled = False
        self._began = asyncio.Event()
        self.bench = bench_of(
            ("q", "quick", "{}"),
            ("l", "slow", "{}"),
            ("s", "stop", "{}"),
            tools=[self.quick, self.slow, self.stop],
            middleware=[self.middleware],
            plugins=FakePlugins(after_tool=lambda call, _: self._stop_at("after_tool", call.name)),
        )
        self.bench.output.on_emit = self.on_emit

    def _stop_at(self, where: str, name: str) -> None:
        if (where, "stop") == (self.where, name):
            raise StopError("enough")

    async def quick(self) -> str:
        return "quick"

    async def slow(self) -> None:
        try:
            self._began.set()
            await asyncio.Event().wait()
        finally:
            self.is_cancelled = True

    async def stop(self) -> str:
        await self._began.wait()
        while "q" not in self.bench.output.finished:
            await asyncio.sleep(0)
        self._stop_at("tool", "stop")
        return "fine"

    async def middleware(self, invocation: ToolInvocation, following: Any) -> str:
        told: str = await following(invocation)
        self._stop_at("middleware", invocation.tool.spec.name)
        return told

    def on_emit(self, payload: Any) -> Any:
        if isinstance(payload, ToolFinished):
            self._stop_at("log", payload.result.tool_name)
        return payload


@pytest.mark.parametrize("where", ["tool", "middleware", "after_tool", "log"])
async def test_a_stop_ends_the_round_and_loses_nothing_that_finished(where: str) -> None:
    stopping = Stopping(where)

    with pytest.raises(StopError, match="enough"):
        await stopping.bench.run()

    assert stopping.is_cancelled
    assert stopping.bench.output.finished == (["q", "s"] if where == "after_tool" else ["q"])
    assert stopping.bench.output.results == []


async def test_a_stop_before_a_tool_starts_nothing() -> None:
    def stop(call: ToolCall) -> None:
        if call.id == "b":
            raise StopError("enough")

    bench = bench_of(
        ("a", "echo", '{"text": ""}'),
        ("b", "echo", '{"text": ""}'),
        tools=[echo],
        plugins=FakePlugins(before_tool=stop),
    )
    with pytest.raises(StopError):
        await bench.run()

    assert bench.output.started == []


async def test_a_cancelled_run_cancels_its_tools() -> None:
    began = asyncio.Event()
    is_cancelled = asyncio.Event()

    async def hang() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()

    bench = bench_of(("a", "hang", "{}"), tools=[hang])
    task = asyncio.create_task(bench.run())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert is_cancelled.is_set()
    assert bench.output.finished == []


async def test_a_log_that_cannot_be_written_ends_the_round_with_its_error() -> None:
    bench = bench_of(("a", "echo", '{"text": ""}'), ("b", "echo", '{"text": ""}'), tools=[echo])

    def refuse(payload: Any) -> Any:
        if isinstance(payload, ToolStarted):
            raise OSError("full")
        return payload

    bench.output.on_emit = refuse
    with pytest.raises(OSError, match="full"):
        await bench.run()


async def test_middleware_is_an_onion_the_same_for_every_kind_of_tool() -> None:
    async def stream(text: str) -> AsyncIterator[str]:
        yield text

    def layer(name: str) -> Any:
        async def middleware(invocation: ToolInvocation, following: Any) -> str:
            arguments = {**invocation.arguments, "text": invocation.arguments.get("text", "") + name}
            return f"{name}({await following(replace(invocation, arguments=arguments))})"

        return middleware

    plain = PlainTool()
    bench = bench_of(
        ("a", "echo", '{"text": "x"}'),
        ("b", "stream", '{"text": "x"}'),
        ("c", "plain", '{"city": "x"}'),
        tools=[echo, stream, plain],
        middleware=[layer("1"), layer("2")],
        tool_middleware=[layer("3")],
    )
    await bench.run()

    assert [r.content for r in bench.output.results] == ["1(2(3(x123)))", "1(2(3(x123)))", "1(2(3(ok)))"]
    assert plain.calls == [{"city": "x", "text": "123"}]


@pytest.mark.parametrize(
    ("made", "expected"),
    [("cached", "ok"), (None, "TOOL_FAILED"), (7, "TOOL_FAILED"), (ToolError("x", "BUSY"), "BUSY")],
)
async def test_middleware_may_answer_or_fail(made: Any, expected: str) -> None:
    async def middleware(invocation: ToolInvocation, following: Any) -> Any:
        if isinstance(made, Exception):
            raise made
        return made

    bench = bench_of(("a", "plain", '{"city": ""}'), tools=[PlainTool()], tool_middleware=[middleware])
    await bench.run()

    (result,) = bench.output.results
    assert (result.reason or "ok") == expected


async def test_plugins_edit_answer_deny_and_see_every_result() -> None:
    seen: list[tuple[str, str]] = []

    def before(call: ToolCall) -> Any:
        verdicts = {
            "edit": replace(call, arguments='{"text": "edited"}'),
            "short": "text",
            "deny": Deny("not today"),
        }
        return verdicts.get(call.id)

    def after(call: ToolCall, result: Any) -> Any:
        seen.append((call.id, result.reason))
        return replace(result, content=result.content + "!") if call.id == "edit" else None

    ids = ["edit", "short", "deny", "bad", "unknown"]
    calls = [(i, "echo", "{}" if i == "bad" else '{"text": "x"}') for i in ids[:4]] + [
        ("unknown", "nope", "{}")
    ]
    bench = bench_of(*calls, tools=[echo], plugins=FakePlugins(before_tool=before, after_tool=after))
    await bench.run()

    told = {r.tool_call_id: r for r in bench.output.results}
    assert (told["edit"].content, told["short"].content) == ("edited!", "text")
    assert (told["deny"].reason, error_of(told["deny"].content)["message"]) == ("DENIED", "not today")
    assert sorted(seen) == sorted(
        [
            ("edit", ""),
            ("short", ""),
            ("deny", "DENIED"),
            ("bad", "INVALID_ARGUMENTS"),
            ("unknown", "UNKNOWN_TOOL"),
        ]
    )
    started = {e.tool_call.id: e.tool_call.arguments for e in bench.output.of(ToolStarted)}
    assert started["edit"] == '{"text": "edited"}'


async def test_a_tool_reports_and_writes_also_from_a_thread_but_not_after_its_end() -> None:
    contexts: list[ToolContext] = []

    async def work(context: ToolContext) -> str:
        contexts.append(context)
        await context.progress("half", 0.5)
        context.write("piece")
        context.write("")
        return "whole"

    def in_thread(context: ToolContext) -> str:
        context.write(threading.current_thread().name[:4])
        return ""

    bench = bench_of(("a", "work", "{}"), ("b", "in_thread", "{}"), tools=[work, in_thread])
    await bench.run()
    contexts[0].write("late")

    shown = [p for p in bench.output.partials if isinstance(p, ToolProgress | ToolOutputDelta)]
    assert ToolProgress("a", "work", "half", 0.5) in shown
    assert [(p.tool_call_id, p.text) for p in shown if isinstance(p, ToolOutputDelta)] == [
        ("a", "piece"),
        ("b", "tool"),
    ]


async def test_a_streaming_tool_shows_pieces_and_returns_the_whole() -> None:
    async def count() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number} "

    bench = bench_of(("a", "count", "{}"), tools=[count])
    await bench.run()

    assert [p.text for p in bench.output.partials if isinstance(p, ToolOutputDelta)] == ["0 ", "1 ", "2 "]
    assert [r.content for r in bench.output.results] == ["0 1 2 "]


async def test_the_same_answer_twice_is_two_calls() -> None:
    bench = Bench(
        [call_turn("echo", '{"text": "1"}'), call_turn("echo", '{"text": "2"}'), text_turn("done")], [echo]
    )

    await bench.run()

    assert [r.content for r in bench.output.results] == ["1", "2"]
    assert [m.content for m in bench.model.requests[2].messages if m.role is Role.TOOL] == ["1", "2"]
