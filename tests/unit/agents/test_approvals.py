"""Calls that need an answer from outside: approvals, and tools that the caller executes."""

from dataclasses import replace
from typing import Any

import pytest
from agents_support import Bench, FakePlugins, calls_turn, error_of

from runwire_server.domain.content import Message, Role, ToolCall, ToolSpec
from runwire_server.domain.errors import RunWaiting
from runwire_server.domain.events import MessagePayload, ToolResults, ToolStarted
from runwire_server.domain.mail import Decision, QuestionKind
from runwire_server.domain.runs import ToolSelection
from runwire_server.plugins.plugin import Allow, Ask, Deny
from runwire_server.tools.function import function_tool
from support import call_turn, text_turn

SENT: list[str] = []
SCREEN = ToolSpec("screen", "", {"type": "object", "properties": {"x": {"type": "integer"}}})


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    SENT.clear()


def send(text: str) -> str:
    SENT.append(text)
    return f"sent {text}"


def echo(text: str) -> str:
    return text


careful = function_tool(send, requires_approval=True)


def bench_of(*calls: tuple[str, str, str], **fields: Any) -> Bench:
    return Bench([calls_turn(*calls), text_turn("done")], [careful, echo], **fields)


async def waits(bench: Bench) -> None:
    with pytest.raises(RunWaiting):
        await bench.run()
    bench.remember()


def arguments_started(bench: Bench) -> dict[str, str]:
    return {e.tool_call.id: e.tool_call.arguments for e in bench.output.of(ToolStarted)}


async def test_a_call_waits_for_its_approval_and_its_siblings_do_not() -> None:
    bench = bench_of(
        ("a", "send", '{"text": "1"}'), ("b", "echo", '{"text": "2"}'), ("c", "send", '{"text": "3"}')
    )
    await waits(bench)

    assert SENT == []
    assert [r.tool_call_id for r in bench.output.results] == ["b"]
    kinds = [
        payload if isinstance(payload, tuple) else type(payload).__name__ for payload in bench.output.log
    ]
    assert kinds == ["MessagePayload", ("asked", ["a", "c"]), "ToolStarted", "ToolFinished", "ToolResults"]

    bench.output.answer("a")
    await waits(bench)
    assert SENT == ["1"]
    bench.output.deny("c", "no")
    assert (await bench.run()).content == "done"

    assert SENT == ["1"]
    assert len(bench.output.asked) == 1
    told = [m.content for m in bench.model.requests[1].messages if m.role is Role.TOOL]
    assert told[:2] == ["sent 1", "2"]
    assert error_of(told[2]) == {"code": "DENIED", "message": "no", "retryable": False}
    assert {p.message_id for p in bench.output.of(ToolResults)} == {
        bench.output.of(MessagePayload)[0].message_id
    }


async def test_an_answer_that_comes_meanwhile_is_taken_without_waiting() -> None:
    bench = bench_of(("a", "send", '{"text": "1"}'))
    bench.output.on_ask = lambda: bench.output.answer("a")

    assert (await bench.run()).content == "done"
    assert SENT == ["1"]


async def test_arguments_may_be_edited_and_are_checked_like_any() -> None:
    bench = bench_of(("a", "send", '{"text": "1"}'), ("b", "send", '{"text": "2"}'))
    await waits(bench)
    bench.output.answer("a", arguments='{"text": "better"}')
    bench.output.answer("b", arguments='{"text": []}')
    await bench.run()

    assert SENT == ["better"]
    assert arguments_started(bench)["a"] == '{"text": "better"}'
    assert error_of(bench.output.results[1].content)["pointer"] == "/text"


async def test_an_approval_that_expired_is_a_denial() -> None:
    bench = bench_of(("a", "send", '{"text": "1"}'))
    await waits(bench)
    bench.output.answer("a", decision=Decision.EXPIRED)
    await bench.run()

    assert bench.output.results[0].reason == "DENIED"
    assert SENT == []


async def test_calls_that_do_not_fit_are_not_asked_for() -> None:
    bench = bench_of(("a", "send", "{}"))
    await bench.run()

    assert bench.output.asked == []
    assert bench.output.results[0].reason == "INVALID_ARGUMENTS"


async def test_plugins_ask_allow_and_deny() -> None:
    verdicts: dict[str, Any] = {"a": Ask("risky"), "b": Allow(), "c": Deny(), "d": None}
    plugins = FakePlugins(before_tool=lambda call: verdicts[call.id])
    bench = bench_of(
        ("a", "echo", '{"text": "1"}'),
        ("b", "send", '{"text": "2"}'),
        ("c", "send", '{"text": "3"}'),
        ("d", "send", '{"text": "4"}'),
        plugins=plugins,
    )
    await waits(bench)

    assert SENT == ["2"]
    assert [(ask.tool_call.id, ask.reason) for ask in bench.output.asked[0]] == [("a", "risky"), ("d", "")]
    assert [r.reason for r in bench.output.results] == ["", "DENIED"]
    bench.output.answer("a")
    bench.output.answer("d")
    await bench.run()
    assert SENT == ["2", "4"]


async def test_a_denial_holds_even_if_nobody_would_ask_any_more() -> None:
    verdict: list[Any] = [Ask()]
    bench = bench_of(("a", "echo", '{"text": "1"}'), plugins=FakePlugins(before_tool=lambda _: verdict[0]))
    await waits(bench)
    verdict[0] = Allow()
    bench.output.deny("a")
    await bench.run()

    assert bench.output.results[0].reason == "DENIED"


async def test_an_approval_is_shown_what_plugins_made_of_the_call() -> None:
    def edit(call: ToolCall) -> ToolCall:
        return replace(call, arguments='{"text": "edited"}')

    bench = bench_of(("a", "send", '{"text": "1"}'), plugins=FakePlugins(before_tool=edit))
    await waits(bench)

    assert bench.output.asked[0][0].tool_call.arguments == '{"text": "edited"}'
    bench.output.answer("a")
    await bench.run()
    assert SENT == ["edited"]


async def test_an_answer_is_for_one_message_only() -> None:
    bench = Bench(
        [call_turn("send", '{"text": "1"}'), call_turn("send", '{"text": "2"}'), text_turn("done")], [careful]
    )
    await waits(bench)
    bench.output.answer("call_1")
    await waits(bench)

    assert SENT == ["1"]
    assert len(bench.output.asked) == 2
    bench.output.answer("call_1")
    await bench.run()
    assert SENT == ["1", "2"]


def client(**fields: Any) -> dict[str, Any]:
    return {"tools": ToolSelection(client_tools=(SCREEN,), **fields)}


async def test_a_tool_of_the_caller_is_executed_by_the_caller() -> None:
    bench = bench_of(("a", "screen", '{"x": 1}'), ("b", "echo", '{"text": "2"}'), options=client())
    await waits(bench)

    assert [(a.kind, a.tool_call.id) for a in bench.output.asked[0]] == [(QuestionKind.TOOL_OUTPUT, "a")]
    assert bench.output.started == ["b"]
    bench.output.answer("a", output="pixels")
    await bench.run()
    (_, result) = bench.output.results
    assert (result.tool_call_id, result.tool_name, result.content) == ("a", "screen", "pixels")
    assert bench.output.finished == ["b", "a"]
    assert [spec.name for spec in bench.model.requests[0].tools] == ["send", "echo", "screen"]


async def test_a_callers_tool_gets_only_arguments_that_fit() -> None:
    bench = bench_of(("a", "screen", '{"x": "y"}'), options=client())
    await bench.run()

    assert error_of(bench.output.results[0].content)["pointer"] == "/x"


@pytest.mark.parametrize("is_denied", [False, True])
async def test_a_callers_tool_may_need_an_approval_first(is_denied: bool) -> None:
    bench = bench_of(("a", "screen", '{"x": 1}'), options=client(approved_first=("screen",)))
    await waits(bench)
    if is_denied:
        bench.output.deny("a")
        await bench.run()
        assert bench.output.results[0].reason == "DENIED"
        return
    bench.output.answer("a", arguments='{"x": 2}')
    await waits(bench)

    assert [[(a.kind, a.tool_call.arguments) for a in batch] for batch in bench.output.asked] == [
        [(QuestionKind.APPROVAL, '{"x": 1}')],
        [(QuestionKind.TOOL_OUTPUT, '{"x": 2}')],
    ]
    await waits(bench)
    bench.output.answer("a", output="pixels")
    assert (await bench.run()).content == "done"


async def test_a_direct_answer_waits_for_siblings() -> None:
    direct = function_tool(lambda: "42", name="direct", return_direct=True)
    bench = Bench([calls_turn(("a", "send", '{"text": "1"}'), ("b", "direct", "{}"))], [careful, direct])
    await waits(bench)
    bench.output.answer("a")

    answer = await bench.run()

    assert (answer.role, answer.content) == (Role.TOOL, "42")
    assert SENT == ["1"]
    assert bench.output.started == ["b", "a"]


async def test_what_a_system_says_meanwhile_loses_no_approval() -> None:
    bench = bench_of(("a", "send", '{"text": "1"}'))
    await waits(bench)
    bench.history.append(Message(Role.SYSTEM, "be quick"))
    bench.output.answer("a")
    await bench.run()

    assert SENT == ["1"]
    assert [m.role.value for m in bench.model.requests[1].messages] == ["user", "assistant", "tool", "system"]
