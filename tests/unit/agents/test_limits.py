"""Limits of a run: it fails, or answers once more without tools."""

from dataclasses import replace
from typing import Any

import pytest
from agents_support import USER, Bench, called, calls_turn, error_of

from runwire_server.domain.content import Message, Role, Usage
from runwire_server.domain.errors import LimitReached
from runwire_server.domain.events import MessagePayload
from runwire_server.domain.runs import LimitAction
from runwire_server.models.model import EndChunk, TextChunk, ToolCallChunk
from support import call_turn, text_turn


def echo(text: str = "") -> str:
    return text


def answering(**limits: Any) -> dict[str, Any]:
    return {"on_limit": LimitAction.ANSWER, **limits}


def costly(tokens: int) -> list[Any]:
    return [ToolCallChunk(0, "a", "echo", "{}"), EndChunk("tool_calls", Usage(total_tokens=tokens))]


@pytest.mark.parametrize(
    ("options", "turns", "stop_reason", "calls", "executed"),
    [
        ({"max_llm_calls": 2}, [call_turn("echo")], "max_llm_calls", 2, 2),
        ({"max_llm_calls": 0}, [call_turn("echo")], "max_llm_calls", 0, 0),
        ({}, [call_turn("echo")], "max_llm_calls", 50, 50),
        ({"max_tool_rounds": 1}, [call_turn("echo")], "max_tool_rounds", 2, 1),
        ({"max_tool_rounds": 0}, [call_turn("echo")], "max_tool_rounds", 1, 0),
        ({"max_total_tokens": 10}, [costly(6)], "max_total_tokens", 2, 2),
    ],
)
async def test_a_run_fails_at_a_limit(
    options: dict[str, Any], turns: list[Any], stop_reason: str, calls: int, executed: int
) -> None:
    bench = Bench(turns, [echo], options=options)

    with pytest.raises(LimitReached) as caught:
        await bench.run()

    assert (caught.value.stop_reason, caught.value.code) == (stop_reason, stop_reason.upper())
    assert (len(bench.model.requests), len(bench.output.results)) == (calls, executed)


@pytest.mark.parametrize(
    ("limits", "turns", "reason", "may_call"),
    [
        ({"max_llm_calls": 2}, [call_turn("echo"), text_turn("done")], "max_llm_calls", [True, False]),
        ({"max_llm_calls": 1}, [text_turn("done")], "max_llm_calls", [False]),
        ({"max_total_tokens": 6}, [costly(6), text_turn("done")], "max_total_tokens", [True, False]),
        (
            {"max_tool_rounds": 1},
            [call_turn("echo"), call_turn("echo"), text_turn("done")],
            "max_tool_rounds",
            [True, True, False],
        ),
    ],
)
async def test_a_run_may_answer_once_more_without_tools(
    limits: dict[str, Any], turns: list[Any], reason: str, may_call: list[bool]
) -> None:
    bench = Bench(turns, [echo], options=answering(**limits))

    assert (await bench.run()).content == "done"
    assert bench.output.reasons[-1] == reason
    assert [request.may_call_tools for request in bench.model.requests] == may_call
    assert all(request.tools for request in bench.model.requests)


async def test_calls_beyond_the_rounds_are_answered_and_not_executed() -> None:
    turns = [
        call_turn("echo", '{"text": "1"}'),
        calls_turn(("a", "echo", "{}"), ("b", "echo", "{}")),
        text_turn("done"),
    ]
    bench = Bench(turns, [echo], options=answering(max_tool_rounds=1))
    await bench.run()

    first, *refused = bench.output.results
    assert first.content == "1"
    assert [(error_of(r.content)["code"], error_of(r.content)["retryable"]) for r in refused] == [
        ("LIMIT_REACHED", False)
    ] * 2


async def test_calls_that_a_model_makes_all_the_same_are_dropped() -> None:
    turn = [TextChunk("well"), ToolCallChunk(0, "a", "echo", "{}"), EndChunk("tool_calls")]
    bench = Bench([turn], [echo], options=answering(max_llm_calls=1))

    answer = await bench.run()

    assert answer == Message(Role.ASSISTANT, "well")
    assert bench.output.reasons == ["max_llm_calls"]
    assert bench.output.results == []
    assert [p for p in bench.output.partials if not hasattr(p, "text")] == []


async def test_without_tools_the_last_call_is_like_any() -> None:
    bench = Bench([text_turn("done")], options=answering(max_llm_calls=1))
    await bench.run()

    assert bench.output.reasons == ["stop"]
    assert bench.model.requests[0].may_call_tools


async def test_limits_count_what_earlier_activations_and_other_agents_used() -> None:
    bench = Bench([text_turn("done")], [echo], options=answering(max_llm_calls=3))
    bench.output.record = replace(bench.output.record, usage=Usage(model_calls=2))
    await bench.run()
    assert bench.output.reasons == ["max_llm_calls"]

    bench.history += [Message(Role.ASSISTANT, "done"), USER]
    with pytest.raises(LimitReached):
        await bench.run()


async def test_a_round_that_waited_counts_once() -> None:
    bench = Bench([call_turn("echo"), text_turn("done")], [echo], options={"max_tool_rounds": 1})
    bench.output.log.append(MessagePayload("m", called(("a", "echo", "{}"))))
    bench.output.record = replace(bench.output.record, tool_rounds=1)
    bench.history.append(called(("a", "echo", "{}")))

    with pytest.raises(LimitReached, match="max_tool_rounds"):
        await bench.run()

    assert bench.output.started == ["a"]


async def test_a_round_of_an_earlier_run_counts_too() -> None:
    bench = Bench([call_turn("echo"), text_turn("done")], [echo], options={"max_tool_rounds": 1})
    bench.history.append(called(("a", "echo", "{}")))

    with pytest.raises(LimitReached, match="max_tool_rounds"):
        await bench.run()

    assert bench.output.started == ["a"]


async def test_after_a_crash_behind_refused_calls_the_last_answer_still_comes_without_tools() -> None:
    bench = Bench([text_turn("done")], [echo], options=answering(max_tool_rounds=1))
    bench.output.record = replace(bench.output.record, tool_rounds=2)
    bench.history += [called(("a", "echo", "{}")), Message(Role.TOOL, "refused", tool_call_id="a")]
    await bench.run()

    assert bench.output.reasons == ["max_tool_rounds"]
