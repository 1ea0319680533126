"""The models without a network: the offline stand-in, and the one that replays."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from openai_support import Reads
from runwire_server.domain.content import Message, Role, ToolCall, ToolSpec
from runwire_server.models.model import Chunk, EndChunk, Model, ModelRequest, TextChunk, ToolCallChunk
from runwire_server.models.offline import OfflineModel
from runwire_server.models.scripted import ScriptedModel


def tool(name: str, *properties: str) -> ToolSpec:
    return ToolSpec(name, "", {"type": "object", "properties": {p: {"type": "string"} for p in properties}})


TOOLS = (
    tool("calculator", "expression"),
    tool("clock", "timezone"),
    tool("slow_report", "topic", "steps"),
    tool("send_message", "to", "text"),
)


async def lists_of(model: Model, *messages: Message, **fields: Any) -> list[list[Chunk]]:
    request = ModelRequest(messages=messages, **{"tools": TOOLS, **fields})
    sink = Reads()
    await model.stream(request, sink)
    return sink.lists


async def ask(*said: str | Message, tools: Sequence[ToolSpec] = TOOLS) -> list[Chunk]:
    messages = [m if isinstance(m, Message) else Message(Role.USER, m) for m in said]
    return [
        c
        for chunks in await lists_of(OfflineModel(word_seconds=0), *messages, tools=tuple(tools))
        for c in chunks
    ]


def text_of(chunks: Sequence[Chunk]) -> str:
    return "".join(c.text for c in chunks if isinstance(c, TextChunk))


def calls_of(chunks: Sequence[Chunk]) -> list[tuple[str, Any]]:
    return [(c.name, json.loads(c.arguments)) for c in chunks if isinstance(c, ToolCallChunk)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("What is 25*4?", [("calculator", {"expression": "25*4"})]),
        ("compute (2+3) * 4, please.", [("calculator", {"expression": "(2+3) * 4"})]),
        ("(what is 1.5+2)", [("calculator", {"expression": "1.5+2"})]),
        ("3 x 4, and 6÷2", [("calculator", {"expression": "3 * 4"}), ("calculator", {"expression": "6/2"})]),
        ("what time is it?", [("clock", {})]),
        ("Research on whales.", [("slow_report", {"topic": "whales"})]),
        ("a slow report", [("slow_report", {"topic": "nothing in particular"})]),
        (
            "What is 1+1, what day is it, and a report about cats",
            [("calculator", {"expression": "1+1"}), ("clock", {}), ("slow_report", {"topic": "cats"})],
        ),
        ("send a message to bob: hi", [("send_message", {"to": "bob", "text": "hi"})]),
        (
            "Please send message to a@b.c, what is 1+1?",
            [("send_message", {"to": "a@b.c", "text": "what is 1+1?"})],
        ),
        ("send bob a message", []),
        ("I was born on 2001-02-03", []),
        ("hello", []),
    ],
)
async def test_the_offline_model_calls_the_tools_that_a_message_wants(
    asked: str, expected: list[tuple[str, Any]]
) -> None:
    chunks = await ask(asked)

    assert calls_of(chunks) == expected
    assert isinstance(chunks[-1], EndChunk)
    assert chunks[-1].finish_reason == ("tool_calls" if expected else "stop")
    assert [c.index for c in chunks if isinstance(c, ToolCallChunk)] == list(range(len(expected)))


async def test_the_offline_model_only_calls_what_it_is_offered_with_arguments_that_exist() -> None:
    assert calls_of(await ask("1+1 and the time", tools=[tool("clock")])) == [("clock", {})]
    assert calls_of(await ask("1+1", tools=[tool("calculator", "formula")])) == [("calculator", {})]
    assert calls_of(await ask("1+1", tools=[])) == []


async def test_the_offline_model_calls_nothing_when_it_must_not() -> None:
    asked = Message(Role.USER, "1+1")
    (chunks,) = await lists_of(OfflineModel(word_seconds=0), asked, may_call_tools=False, stream=False)

    assert calls_of(chunks) == []
    assert text_of(chunks)


@pytest.mark.parametrize(
    ("name", "arguments", "result", "expected"),
    [
        ("calculator", '{"expression": "25*4"}', "100", "25*4 = 100."),
        ("calculator", '{"expression": "25*4"}', '{"result": 100}', "25*4 = 100."),
        ("calculator", "not JSON", "100", "calculator says: 100"),
        ("clock", "{}", "noon", "clock says: noon"),
        (
            "clock",
            "{}",
            '{"ok": false, "error": {"code": "TIMEOUT", "message": "too slow", "retryable": true}}',
            "The tool clock failed: too slow.",
        ),
        ("clock", "{}", '{"error', 'clock says: {"error'),
    ],
)
async def test_the_offline_model_tells_what_its_tools_said(
    name: str, arguments: str, result: str, expected: str
) -> None:
    asked = Message(Role.ASSISTANT, tool_calls=(ToolCall("c", name, arguments),))

    chunks = await ask("25*4?", asked, Message(Role.TOOL, result, tool_call_id="c"))

    assert text_of(chunks) == expected
    assert calls_of(chunks) == []


async def test_results_are_told_in_the_order_of_the_calls() -> None:
    calls = tuple(ToolCall(i, "calculator", json.dumps({"expression": i})) for i in ("1+1", "2+2"))
    results = [Message(Role.TOOL, answer, tool_call_id=i) for i, answer in (("2+2", "4"), ("1+1", "2"))]

    assert text_of(await ask("?", Message(Role.ASSISTANT, tool_calls=calls), *results)) == "1+1 = 2. 2+2 = 4."


async def test_the_offline_model_says_what_it_is_and_how_to_have_a_real_one() -> None:
    said = text_of(await ask("tell me a joke"))

    assert "offline stand-in" in said
    assert "OPENAI_API_KEY" in said


async def test_the_offline_model_remembers_by_the_messages_only() -> None:
    answer = Message(Role.ASSISTANT, "fine")

    assert text_of(await ask("I like tea", answer, "what did I say?")) == "You said: I like tea"
    assert text_of(await ask("what did I say?")) == "You have not said anything before."


async def test_the_offline_model_streams_a_word_at_a_time_or_all_at_once() -> None:
    model = OfflineModel(word_seconds=0)
    asked = Message(Role.USER, "what did I say?")

    streamed = await lists_of(model, asked)
    whole = await lists_of(model, asked, stream=False)

    assert [len(chunks) for chunks in streamed] == [1] * 7
    assert len(whole) == 1
    assert text_of(whole[0]) == "You have not said anything before."
    assert isinstance(whole[0][-1], EndChunk)


async def test_the_offline_model_counts_words_as_tokens() -> None:
    end = (await ask("I like tea", "what did I say?"))[-1]

    assert isinstance(end, EndChunk)
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens, end.usage.total_tokens) == (7, 5, 12)
    assert (end.model, end.response_id[:8]) == ("offline-rules", "offline-")


@pytest.mark.parametrize(
    "messages", [(), (Message(Role.SYSTEM, "x"),), (Message(Role.TOOL, "x", tool_call_id="c"),)]
)
async def test_the_offline_model_answers_whatever_it_is_shown(messages: tuple[Message, ...]) -> None:
    assert text_of(await ask(*messages))


async def test_a_scripted_model_replays_its_turns_and_then_the_last_one_again() -> None:
    end = EndChunk("stop")
    model = ScriptedModel([[TextChunk("a"), end], ValueError("x"), [TextChunk("b"), end]])
    asked = Message(Role.USER, "hi")

    assert await lists_of(model, asked) == [[TextChunk("a")], [end]]
    with pytest.raises(ValueError, match="x"):
        await lists_of(model, asked)
    assert await lists_of(model, asked, stream=False) == [[TextChunk("b"), end]]
    assert await lists_of(model, asked) == [[TextChunk("b")], [end]]
    assert [r.messages for r in model.requests] == [(asked,)] * 4


async def test_a_scripted_model_pauses_before_each_chunk() -> None:
    pauses: list[int] = []

    async def pause() -> None:
        pauses.append(1)

    await lists_of(ScriptedModel([[TextChunk("a"), EndChunk("stop")]], pause=pause), Message(Role.USER, "hi"))

    assert len(pauses) == 2


def test_a_scripted_model_needs_a_turn() -> None:
    with pytest.raises(ValueError, match="turn"):
        ScriptedModel([])
