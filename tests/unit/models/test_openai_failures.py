"""The adapter against a real HTTP server that fails in every way we know of."""

import asyncio
import json

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
    silence,
    stream,
    text,
    whole,
)
from openai_support import END, KEY, LONG, SHORT, WHOLE, Connect, ask, failure, said
from runwire_server.models.model import RetryChunk, TextChunk

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
    "a moved address": (Reply([b" "], 300), "MODEL_BAD_RESPONSE", "300"),
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
