"""The adapter against a real HTTP server: answers that come, each in its own way."""

import asyncio
import json

import pytest

from fake_openai import (
    FakeOpenAI,
    Fault,
    Reply,
    chunk,
    raw,
    reasoned,
    silence,
    stream,
    text,
    tool_calls,
    whole,
)
from openai_support import END, HI, KEY, LONG, WHOLE, Connect, Reads, ask, failure, lists_of, said
from runwire_server.domain.content import Message, Role, ToolSpec
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import EndChunk, ModelRequest, ReasoningChunk, TextChunk, ToolCallChunk
from runwire_server.models.openai.client import OpenAIModel
from support import eventually

BARE_END = EndChunk("stop", None, "fake-1", "chatcmpl-1")


async def test_text_streams_as_it_comes(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(text("Hel", "lo", pause_seconds=0.05))

    assert await lists_of(connect()) == [[TextChunk("Hel")], [TextChunk("lo")], [END]]


async def test_what_came_in_one_read_is_one_list(fake: FakeOpenAI, connect: Connect) -> None:
    data = b"".join(step for step in text("a", "b").steps if isinstance(step, bytes))
    fake.script(raw(data))

    assert await lists_of(connect()) == [[TextChunk("a"), TextChunk("b")], [END]]


async def test_the_request_is_authorised_and_whole(fake: FakeOpenAI, connect: Connect) -> None:
    tool = ToolSpec("f", "does f", {"type": "object", "properties": {}})
    request = ModelRequest(messages=(Message(Role.USER, "grüß"),), tools=(tool,))

    await ask(connect(), request)

    (received,) = fake.requests
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "grüß"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "does f", "parameters": tool.parameters},
            }
        ],
    }


async def test_connections_are_used_again(fake: FakeOpenAI, connect: Connect) -> None:
    model = connect()

    for _ in range(3):
        await ask(model)

    assert fake.connections == 1


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_no_split_of_the_bytes_does_harm(
    fake: FakeOpenAI, connect: Connect, size: int, newline: str
) -> None:
    fake.script(text("grü", "ße 👋", split_bytes=size, newline=newline))

    chunks = await ask(connect())

    assert (said(chunks), chunks[-1]) == ("grüße 👋", END)


async def test_tool_calls_stream(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(tool_calls(("f", '{"x":1}'), ("g", "{}")))

    chunks = await ask(connect())

    assert [c for c in chunks if isinstance(c, ToolCallChunk)] == [
        ToolCallChunk(0, "call_0", "f", ""),
        ToolCallChunk(0, "", "", '{"x'),
        ToolCallChunk(0, "", "", '":1}'),
        ToolCallChunk(1, "call_1", "g", ""),
        ToolCallChunk(1, "", "", "{"),
        ToolCallChunk(1, "", "", "}"),
    ]
    assert isinstance(chunks[-1], EndChunk)
    assert chunks[-1].finish_reason == "tool_calls"


async def test_reasoning_streams_before_the_text(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(reasoned("hm", "x"))

    assert await ask(connect()) == [ReasoningChunk("hm"), TextChunk("x"), BARE_END]


PINGED = stream(": ping", chunk({"content": "x"}), ": keep-alive", ":", chunk({}, "stop"))
BODY = json.dumps(chunk({"content": "x"}, "stop"))
ACCEPTED: dict[str, Reply] = {
    "pings": PINGED,
    "no [DONE] after a finish reason": text("x", with_usage=False, done=False),
    "[DONE] without a finish reason": text("x", finish=None, with_usage=False),
    "kept open after [DONE]": text("x", with_usage=False, then=Fault.STALL),
    "cut after [DONE]": text("x", with_usage=False, then=Fault.CUT),
    "no blank line at the end": raw(f"data: {BODY}".encode()),
    "the wrong content type": Reply(
        text("x", with_usage=False).steps, headers={"content-type": "application/json"}
    ),
    "multi-line data": raw(b"data: " + BODY.replace(", ", ",\ndata: ").encode() + b"\n\ndata: [DONE]\n\n"),
    "a byte order mark": raw(b"\xef\xbb\xbfdata: " + BODY.encode() + b"\n\n"),
    "slow, but not too slow": stream(chunk({"content": "x"}), chunk({}, "stop"), pause_seconds=0.01),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_odd_but_whole_answers_are_accepted(fake: FakeOpenAI, connect: Connect, name: str) -> None:
    fake.script(ACCEPTED[name])

    assert await ask(connect()) == [TextChunk("x"), BARE_END]


async def test_a_whole_body_answers_a_streaming_request_too(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(whole({"content": "x"}))

    assert await lists_of(connect()) == [[TextChunk("x")], [END]]


@pytest.mark.parametrize("reply", [whole({"content": "xy"}), text("x", "y")])
async def test_an_answer_that_is_not_to_be_streamed_comes_all_at_once(
    fake: FakeOpenAI, connect: Connect, reply: Reply
) -> None:
    fake.script(reply)

    (chunks,) = await lists_of(connect(), WHOLE)

    assert (said(chunks), chunks[-1]) == ("xy", END)
    assert fake.requests[0].body["stream"] is False
    assert "stream_options" not in fake.requests[0].body


async def test_a_cancel_in_mid_answer_ends_the_request(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(text("x", finish=None, done=False, then=Fault.STALL))
    reads = Reads()
    task = asyncio.create_task(connect().stream(HI, reads))
    await eventually(lambda: reads.lists == [[TextChunk("x")]])

    task.cancel()

    async with asyncio.timeout(LONG):
        await fake.requests[0].client_left.wait()


@pytest.mark.parametrize("reply", [silence(), text("x", finish=None, done=False, then=Fault.STALL)])
async def test_cancelling_the_reader_ends_the_request_and_stays_a_cancel(
    fake: FakeOpenAI, connect: Connect, reply: Reply
) -> None:
    fake.script(reply)
    model = connect()
    task = asyncio.create_task(ask(model))
    async with asyncio.timeout(LONG):
        while not fake.requests:
            await asyncio.sleep(0.01)

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.requests[0].client_left.wait()


async def test_answers_under_way_fail_when_the_model_is_closed(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(text("x", finish=None, done=False, then=Fault.STALL))
    model = connect()
    reads = Reads()
    task = asyncio.create_task(model.stream(HI, reads))
    await eventually(lambda: reads.lists)

    await model.aclose()
    await model.aclose()

    with pytest.raises(ModelError) as caught:
        await task
    assert caught.value.code in {"MODEL_DISCONNECTED", "MODEL_UNAVAILABLE"}


async def test_many_answers_stream_at_the_same_time(fake: FakeOpenAI, connect: Connect) -> None:
    model = connect()
    await model.warm_up()

    requests = [ModelRequest(messages=(Message(Role.USER, f"number {i}"),)) for i in range(50)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(model, request)) for request in requests]

    assert [said(task.result()) for task in tasks] == [f"You said: number {i}" for i in range(50)]


async def test_what_json_cannot_hold_is_refused_before_it_is_sent(fake: FakeOpenAI, connect: Connect) -> None:
    request = ModelRequest(messages=HI.messages, tools=(ToolSpec("f", "", {"default": float("nan")}),))

    _, failed = await failure(connect(), request)

    assert failed.code == "MODEL_REJECTED"
    assert not fake.requests


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "/v1"])
def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        OpenAIModel("m", api_key=KEY, base_url=url)


@pytest.mark.parametrize("key", ["", "a b", "sk-secret\n", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        OpenAIModel("m", api_key=key)

    assert not key or key not in str(caught.value)


async def test_openai_itself_is_told_max_tokens_under_its_new_name() -> None:
    assert OpenAIModel("m", api_key=KEY)._max_tokens_field == "max_completion_tokens"
    assert OpenAIModel("m", api_key=KEY, base_url="http://localhost/v1")._max_tokens_field == "max_tokens"


async def test_the_fake_echoes_and_calls_the_calculator_by_default(
    fake: FakeOpenAI, connect: Connect
) -> None:
    tools = (ToolSpec("calculator", ""),)
    asked = (Message(Role.USER, "What is 25*4?"),)
    model = connect()

    for is_streamed in (True, False):
        chunks = await ask(model, ModelRequest(messages=asked, tools=tools, stream=is_streamed))
        arguments = "".join(c.arguments for c in chunks if isinstance(c, ToolCallChunk))
        assert json.loads(arguments) == {"expression": "25*4"}

        result = Message(Role.TOOL, "100", tool_call_id="call_0")
        request = ModelRequest(messages=(*asked, result), tools=tools, stream=is_streamed)
        assert said(await ask(model, request)) == "The result is 100."
        assert (
            said(await ask(model, ModelRequest(messages=HI.messages, stream=is_streamed))) == "You said: hi"
        )
