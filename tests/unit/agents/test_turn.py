"""One mechanism: a step looks at the conversation, and at nothing else."""

from dataclasses import replace
from typing import Any

import pytest
from agents_support import USER, Bench, FakePlugins, called, calls_turn, result

from runwire_server.agents.llm import LlmAgent
from runwire_server.domain.content import Message, Role, ToolCall
from runwire_server.domain.errors import ModelError, StopError
from runwire_server.domain.events import MessagePayload, ModelRetry, ReasoningDelta, TextDelta, ToolCallDelta
from runwire_server.domain.runs import RunError
from runwire_server.models.model import EndChunk, ModelRequest, ReasoningChunk, RetryChunk, TextChunk
from runwire_server.models.scripted import ScriptedModel
from support import call_turn, text_turn

ANSWER = Message(Role.ASSISTANT, "done")


def echo(text: str) -> str:
    """Say it again."""
    return text


async def test_tools_are_called_until_the_model_only_talks() -> None:
    bench = Bench(
        [call_turn("echo", '{"text": "x"}'), text_turn("do", "ne")], [echo], instructions="Be brief."
    )

    answer = await bench.run()

    assert answer == ANSWER
    assert [r.content for r in bench.output.results] == ["x"]
    assert bench.output.points == ["model", "tools"]
    assert bench.output.reasons == ["tool_calls", "stop"]
    first, second = bench.model.requests
    assert [m.role for m in first.messages] == [Role.SYSTEM, Role.USER]
    assert [m.role for m in second.messages][2:] == [Role.ASSISTANT, Role.TOOL]
    assert [spec.name for spec in second.tools] == ["echo"]


async def test_calls_that_nobody_answered_come_first() -> None:
    bench = Bench([text_turn("done")], [echo])
    begun = called(("a", "echo", '{"text": "1"}'), ("b", "echo", '{"text": "2"}'))
    bench.history += [begun, result("b"), Message(Role.SYSTEM, "be quick")]

    assert await bench.run() == ANSWER
    assert bench.output.started == ["a"]
    assert [m.content for m in bench.model.requests[0].messages[2:]] == ["1", "ok", "be quick"]


async def test_calls_that_a_user_went_on_without_are_left() -> None:
    bench = Bench([text_turn("done")], [echo])
    bench.history += [called(("a", "echo", '{"text": "1"}')), USER]

    await bench.run()

    assert bench.output.started == []


async def test_without_anything_to_answer_no_model_is_called() -> None:
    bench = Bench([text_turn("more")])
    bench.history.append(ANSWER)

    assert await bench.run() is bench.history[-1]
    assert bench.output.log == []
    assert bench.model.requests == []


async def test_after_an_answer_what_users_said_meanwhile_is_answered() -> None:
    bench = Bench([text_turn("more")])
    bench.history.append(ANSWER)
    bench.output.queued = [Message(Role.USER, "and now?")]

    assert (await bench.run()).content == "more"
    assert bench.model.requests[0].messages[-1].content == "and now?"


async def test_steering_never_lands_between_a_call_and_its_result() -> None:
    bench = Bench([call_turn("steer"), text_turn("done")])

    def steer() -> None:
        bench.output.queued.append(Message(Role.USER, "stop"))

    bench.agent = LlmAgent("agent", model=bench.model, tools=[steer])
    await bench.run()

    assert [m.role.value for m in bench.model.requests[1].messages] == ["user", "assistant", "tool", "user"]
    assert [type(payload).__name__ for payload in bench.output.log] == [
        "MessagePayload",
        "ToolStarted",
        "ToolFinished",
        "ToolResults",
        "MessagePayload",
        "MessagePayload",
    ]


async def test_deltas_are_shown_and_retries_told() -> None:
    retry = RetryChunk(1, RunError("model_error", "busy", "MODEL_RATE_LIMITED"), 0.1)
    turn = [retry, ReasoningChunk("hm"), TextChunk("a"), *call_turn("echo", '{"text": ""}')]
    bench = Bench([turn, text_turn("done")], [echo])

    await bench.run()

    assert [type(p) for p in bench.output.partials[:3]] == [ReasoningDelta, TextDelta, ToolCallDelta]
    assert len(bench.output.of(ModelRetry)) == 1
    assert bench.output.of(MessagePayload)[0].message.reasoning_content == "hm"


async def test_without_streaming_there_are_no_deltas() -> None:
    bench = Bench([call_turn("echo", '{"text": ""}'), text_turn("done")], [echo], options={"stream": False})

    await bench.run()

    assert bench.output.partials == []


async def test_calls_without_ids_of_their_own_get_some() -> None:
    bench = Bench([calls_turn(("x", "echo", "{}"), ("x", "echo", "{}")), text_turn("done")], [echo])

    await bench.run()

    assert len({call.id for call in bench.output.of(MessagePayload)[0].message.tool_calls}) == 2
    assert len(bench.output.results) == 2


async def test_an_error_of_the_model_goes_through() -> None:
    with pytest.raises(ModelError):
        await Bench([ModelError("no", "MODEL_REJECTED")]).run()


async def test_a_plugin_answers_in_place_of_the_model() -> None:
    def before(request: ModelRequest) -> Any:
        return Message(Role.USER, "cached") if len(request.messages) == 1 else None

    bench = Bench([text_turn("real")], plugins=FakePlugins(before_model=before))

    assert await bench.run() == Message(Role.ASSISTANT, "cached")
    (payload,) = bench.output.log
    assert (payload.usage, payload.finish_reason, bench.model.requests) == (None, "stop", [])


async def test_a_plugin_that_always_calls_tools_ends_at_the_limit() -> None:
    message = Message(Role.ASSISTANT, tool_calls=(ToolCall("a", "echo", '{"text": "x"}'),))
    bench = Bench([text_turn("x")], [echo], plugins=FakePlugins(before_model=lambda _: message))

    with pytest.raises(Exception, match="max_llm_calls"):
        await bench.run()

    assert len(bench.output.of(MessagePayload)) == 50


async def test_plugins_change_request_and_answer() -> None:
    plugins = FakePlugins(
        before_model=lambda r: replace(r, messages=(*r.messages, Message(Role.USER, "please"))),
        after_model=lambda m: replace(m, content=m.content.upper()),
    )
    bench = Bench([text_turn("done")], plugins=plugins)

    assert (await bench.run()).content == "DONE"
    assert bench.output.log[0].message.content == "DONE"
    assert bench.model.requests[0].messages[-1].content == "please"


@pytest.mark.parametrize("hook", ["before_model", "after_model"])
async def test_a_stop_of_a_plugin_passes_through(hook: str) -> None:
    def stop(_: Any) -> None:
        raise StopError("enough")

    with pytest.raises(StopError, match="enough"):
        await Bench([text_turn("x")], plugins=FakePlugins(**{hook: stop})).run()


async def test_the_conversation_goes_on_with_what_is_in_the_log() -> None:
    bench = Bench([call_turn("echo", '{"text": "secret"}'), text_turn("done")], [echo])

    def redact(payload: Any) -> Any:
        if isinstance(payload, MessagePayload):
            return replace(payload, message=replace(payload.message, content="seen"))
        if hasattr(payload, "results"):
            return replace(payload, results=tuple(replace(r, content="***") for r in payload.results))
        return payload

    bench.output.on_emit = redact

    assert (await bench.run()).content == "seen"
    assert [m.content for m in bench.model.requests[1].messages] == ["hi", "seen", "***"]


async def test_what_a_plugin_drops_is_remembered_all_the_same() -> None:
    bench = Bench([call_turn("echo", '{"text": "x"}'), text_turn("done")], [echo])
    bench.output.on_emit = lambda _: None

    assert await bench.run() == ANSWER
    assert [m.content for m in bench.model.requests[1].messages] == ["hi", "", "x"]


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_result_can_be_the_answer(is_resumed: bool) -> None:
    from runwire_server.tools.function import function_tool

    def broken() -> str:
        raise ValueError

    tools = [
        echo,
        function_tool(broken, return_direct=True),
        function_tool(lambda: "42", name="direct", return_direct=True),
    ]
    turn = calls_turn(
        ("a", "echo", '{"text": "x"}'), ("b", "broken", "{}"), ("c", "direct", "{}"), ("d", "direct", "{}")
    )
    bench = Bench([turn], tools)

    answer = await bench.run()
    if is_resumed:
        bench.remember()
        answer = await bench.run()
        assert all(answer is not message for message in bench.history)

    assert (answer.role, answer.content, answer.tool_call_id, answer.tool_name) == (
        Role.TOOL,
        "42",
        "c",
        "direct",
    )
    assert bench.output.finished.__len__() == 4
    assert len(bench.model.requests) == 1


async def test_a_direct_tool_that_failed_is_told_to_the_model() -> None:
    from runwire_server.tools.function import function_tool

    def broken() -> str:
        raise ValueError

    bench = Bench([call_turn("broken"), text_turn("sorry")], [function_tool(broken, return_direct=True)])

    assert (await bench.run()).content == "sorry"


async def test_start_and_stop_are_called_if_given() -> None:
    seen: list[str] = []

    async def start() -> None:
        seen.append("start")

    agent = LlmAgent("a", model=ScriptedModel([[EndChunk("stop")]]), start=start)
    await agent.start()
    await agent.stop()

    assert seen == ["start"]
    for bad in (
        {"name": "a/b"},
        {"name": ""},
        {"name": "a", "max_parallel_tools": 0},
        {"name": "a", "tools": [echo, echo]},
    ):
        with pytest.raises(ValueError, match="agent"):
            LlmAgent(**bad)
