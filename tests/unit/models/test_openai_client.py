"""The adapter against a real HTTP server that misbehaves in every way we know of."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from fake_openai import (
    FakeOpenAI,
    Fault,
    Pause,
    Reply,
    call_delta,
    chunk,
    error,
    hang_up,
    html,
    json_reply,
    raw,
    reasoned,
    silence,
    stream,
    text,
    tool_calls,
    whole,
)
from runwire_server.domain.content import Message, Role, ToolSpec, Usage
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import (
    Chunk,
    EndChunk,
    ModelRequest,
    ReasoningChunk,
    RetryChunk,
    TextChunk,
    ToolCallChunk,
)
from runwire_server.models.openai.client import OpenAIModel

KEY = "sk-secret-key-1"
HI = ModelRequest(messages=(Message(Role.USER, "hi"),))
WHOLE = ModelRequest(messages=HI.messages, stream=False)
SHORT = 0.15
LONG = 20.0

Connect = Callable[..., OpenAIModel]


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


@pytest.fixture
def naps() -> list[float]:
    """The pauses before retries."""
    return []


@pytest.fixture
async def connect(fake: FakeOpenAI, naps: list[float]) -> AsyncIterator[Connect]:
    """Make models of the fake, which do not really sleep; closed at the end."""
    models: list[OpenAIModel] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    def make(**settings: Any) -> OpenAIModel:
        values: dict[str, Any] = {
            "base_url": fake.url,
            "idle_timeout_seconds": LONG,
            "sleep": sleep,
            "jitter": lambda: 0.0,
            **settings,
        }
        model = OpenAIModel("m", api_key=KEY, **values)
        models.append(model)
        return model

    yield make
    for model in models:
        await model.aclose()


async def lists_of(model: OpenAIModel, request: ModelRequest = HI) -> list[list[Chunk]]:
    async with aclosing(model.stream(request)) as reads:
        return [chunks async for chunks in reads]


async def ask(model: OpenAIModel, request: ModelRequest = HI) -> list[Chunk]:
    return [c for chunks in await lists_of(model, request) for c in chunks]


async def failure(model: OpenAIModel, request: ModelRequest = HI) -> tuple[list[Chunk], ModelError]:
    """What came before the error, and the error."""
    found: list[Chunk] = []
    with pytest.raises(ModelError) as caught:  # noqa: PT012 -- what came before it counts, too
        async with aclosing(model.stream(request)) as reads:
            async for chunks in reads:
                assert chunks
                found.extend(chunks)
    assert KEY not in str(caught.value)
    return found, caught.value


def said(chunks: list[Chunk]) -> str:
    return "".join(c.text for c in chunks if isinstance(c, TextChunk))


END = EndChunk("stop", Usage(3, 0, 5, 0, 8), "fake-1", "chatcmpl-1")
BARE_END = EndChunk("stop", None, "fake-1", "chatcmpl-1")


async def test_text_streams_as_it_comes(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(text("Hel", "lo"))

    assert await lists_of(connect()) == [[TextChunk("Hel")], [TextChunk("lo")], [END]]


async def test_what_came_in_one_read_is_one_list(fake: FakeOpenAI, connect: Connect) -> None:
    data = b"".join(step for step in text("a", "b").steps if isinstance(step, bytes))
    fake.script(raw(data))

    assert await lists_of(connect()) == [[TextChunk("a"), TextChunk("b"), END]]


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

    assert await lists_of(connect()) == [[TextChunk("x"), END]]


@pytest.mark.parametrize("reply", [whole({"content": "xy"}), text("x", "y")])
async def test_an_answer_that_is_not_to_be_streamed_comes_all_at_once(
    fake: FakeOpenAI, connect: Connect, reply: Reply
) -> None:
    fake.script(reply)

    (chunks,) = await lists_of(connect(), WHOLE)

    assert (said(chunks), chunks[-1]) == ("xy", END)
    assert fake.requests[0].body["stream"] is False
    assert "stream_options" not in fake.requests[0].body


REFUSED: dict[str, tuple[Reply, str, str]] = {
    "401": (error(401, f"bad key {KEY}"), "MODEL_UNAUTHENTICATED", "401 (Unauthorized)"),
    "403": (error(403, f"no {KEY}"), "MODEL_UNAUTHENTICATED", "no ***"),
    "400": (error(400, "bad schema"), "MODEL_REJECTED", "bad schema"),
    "404": (error(404, "no such model"), "MODEL_REJECTED", "no such model"),
    "422 of FastAPI": (json_reply({"detail": "no field"}, 422), "MODEL_REJECTED", "no field"),
    "429 out of money": (error(429, "pay", code="insufficient_quota"), "MODEL_RATE_LIMITED", "pay"),
    "HTML": (html(), "MODEL_BAD_RESPONSE", "HTML"),
    "HTML 404": (html(404), "MODEL_REJECTED", "404 (Not Found)"),
    "text": (raw(b"it works!"), "MODEL_BAD_RESPONSE", "not an event stream"),
    "broken JSON": (raw(b'data: {"a\n\n'), "MODEL_BAD_RESPONSE", "not valid JSON"),
    "half a body": (raw(b'{"id": "x", "cho'), "MODEL_BAD_RESPONSE", "not valid JSON"),
    "lines of JSON": (raw(b'{"a": 1}\n{"b": 2}\n'), "MODEL_BAD_RESPONSE", "not valid JSON"),
    "deep JSON": (raw(b"data: " + b"[" * 100_000 + b"\n\n"), "MODEL_BAD_RESPONSE", "not valid JSON"),
    "[DONE] only": (raw(b"data: [DONE]\n\n"), "MODEL_BAD_RESPONSE", "empty stream"),
    "an error body with 200": (
        json_reply({"error": {"message": "no such model", "code": 404}}), "MODEL_REJECTED", "no such model",
    ),
    "a call without a name": (
        stream(chunk(call_delta("{}", call_id="a"), "tool_calls")),
        "MODEL_BAD_RESPONSE", "without a name",
    ),
    "too much": (text("x" * 2_200_000), "MODEL_OUTPUT_TOO_LARGE", "2097152"),
    "a moved address": (Reply([b""], 304, {}), "MODEL_BAD_RESPONSE", "304"),
    "bad compression": (
        Reply([b"no gzip"], headers={"content-encoding": "gzip"}), "MODEL_BAD_RESPONSE", "understood",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_what_no_second_try_can_mend_fails_at_once(
    fake: FakeOpenAI, connect: Connect, naps: list[float], name: str
) -> None:
    reply, code, message = REFUSED[name]
    fake.script(reply)

    chunks, failed = await failure(connect())

    assert (chunks, failed.code, failed.retryable) == ([], code, False)
    assert message in str(failed)
    assert naps == []


BROKEN: dict[str, tuple[Reply, str]] = {
    "cut": (text("x", finish=None, done=False, with_usage=False, then=Fault.CUT), "MODEL_DISCONNECTED"),
    "ended early": (text("x", finish=None, done=False, with_usage=False), "MODEL_DISCONNECTED"),
    "half an event": (
        raw(f'data: {json.dumps(chunk({"content": "x"}))}\n\ndata: {{"choi'.encode(), Fault.CUT),
        "MODEL_DISCONNECTED",
    ),
    "an error in the stream": (
        stream(chunk({"content": "x"}), {"error": {"message": "boom", "code": 500}}), "MODEL_UNAVAILABLE",
    ),
    "broken JSON": (stream(chunk({"content": "x"}), "data: {bad"), "MODEL_BAD_RESPONSE"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_breaks_off_is_an_error_and_not_tried_again(
    fake: FakeOpenAI, connect: Connect, naps: list[float], name: str
) -> None:
    reply, code = BROKEN[name]
    fake.script(reply)

    chunks, failed = await failure(connect())

    assert (chunks, failed.code) == ([TextChunk("x")], code)
    assert naps == []


async def test_silence_in_mid_stream_ends_the_answer(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(text("x", finish=None, with_usage=False, done=False, then=Fault.STALL))

    chunks, failed = await failure(connect(idle_timeout_seconds=SHORT, first_byte_timeout_seconds=LONG))

    assert (chunks, failed.code, failed.retryable) == ([TextChunk("x")], "MODEL_TIMEOUT", True)


@pytest.mark.parametrize("reply", [silence(), Reply([Fault.STALL]), Reply([Fault.STALL], 500)])
async def test_silence_before_the_first_byte_is_tried_again(
    fake: FakeOpenAI, connect: Connect, reply: Reply
) -> None:
    model = connect(first_byte_timeout_seconds=SHORT, retries_max=0)
    fake.script(reply)

    _, failed = await failure(model)

    assert (failed.code, failed.retryable) == ("MODEL_TIMEOUT", True)
    async with asyncio.timeout(LONG):
        await fake.requests[0].client_left.wait()


async def test_an_answer_that_is_not_streamed_may_take_longer(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(Reply([Pause(0.3), *whole({"content": "x"}).steps]))

    assert said(await ask(connect(first_byte_timeout_seconds=0.1), WHOLE)) == "x"


RETRIED: dict[str, tuple[Reply, str]] = {
    "429": (error(429, "slow down"), "MODEL_RATE_LIMITED"),
    "500": (error(500, "internal"), "MODEL_UNAVAILABLE"),
    "502 HTML": (html(502), "MODEL_UNAVAILABLE"),
    "hung up": (hang_up(), "MODEL_UNAVAILABLE"),
    "an empty body": (Reply([]), "MODEL_DISCONNECTED"),
    "cut before the first token": (stream(": ping", done=False, then=Fault.CUT), "MODEL_DISCONNECTED"),
    "overloaded with 200": (json_reply({"error": {"message": "x", "code": 503}}), "MODEL_UNAVAILABLE"),
}


@pytest.mark.parametrize("name", RETRIED)
async def test_failures_before_the_first_token_are_tried_again(
    fake: FakeOpenAI, connect: Connect, naps: list[float], name: str
) -> None:
    reply, code = RETRIED[name]
    fake.script(reply, reply, text("x"))

    chunks = await ask(connect())

    retries = [c for c in chunks if isinstance(c, RetryChunk)]
    assert [(r.failed_attempt, r.error.code, r.delay_seconds) for r in retries] == [
        (1, code, 0.5),
        (2, code, 1.0),
    ]
    assert chunks[2:] == [TextChunk("x"), END]
    assert naps == [0.5, 1.0]


async def test_after_the_last_try_its_error_is_raised(
    fake: FakeOpenAI, connect: Connect, naps: list[float]
) -> None:
    fake.script(error(500), error(500), error(429))

    chunks, failed = await failure(connect(retries_max=2))

    assert [type(c) for c in chunks] == [RetryChunk, RetryChunk]
    assert failed.code == "MODEL_RATE_LIMITED"
    assert len(fake.requests) == 3


async def test_pauses_grow_up_to_a_bound_and_jitter_adds_half(
    fake: FakeOpenAI, connect: Connect, naps: list[float]
) -> None:
    fake.script(*[error(500)] * 6, text("x"))

    await ask(connect(retries_max=6, jitter=lambda: 1.0))

    assert naps == [0.75, 1.5, 3.0, 6.0, 12.0, 12.0]


async def test_the_servers_wish_to_wait_is_honoured(
    fake: FakeOpenAI, connect: Connect, naps: list[float]
) -> None:
    fake.script(error(429, retry_after="7"), error(503, retry_after="0"), text("x"))

    await ask(connect())

    assert naps == [7.0, 1.0]


async def test_a_server_that_wants_too_long_a_pause_gets_no_second_try(
    fake: FakeOpenAI, connect: Connect, naps: list[float]
) -> None:
    fake.script(error(429, retry_after="3600"))

    chunks, failed = await failure(connect())

    assert (chunks, failed.code, failed.retryable, naps) == ([], "MODEL_RATE_LIMITED", True, [])


async def test_a_server_that_is_not_there_is_unavailable(connect: Connect) -> None:
    async with FakeOpenAI() as gone:
        url = gone.url

    chunks, failed = await failure(connect(base_url=url, retries_max=1))

    assert [type(c) for c in chunks] == [RetryChunk]
    assert (failed.code, failed.retryable) == ("MODEL_UNAVAILABLE", True)


async def test_closing_the_generator_ends_the_request(fake: FakeOpenAI, connect: Connect) -> None:
    fake.script(text("x", finish=None, done=False, then=Fault.STALL))
    reads = connect().stream(HI)
    assert await anext(reads) == [TextChunk("x")]

    await reads.aclose()

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
    reads = model.stream(HI)
    await anext(reads)

    await model.aclose()
    await model.aclose()

    with pytest.raises(ModelError) as caught:
        await anext(reads)
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
