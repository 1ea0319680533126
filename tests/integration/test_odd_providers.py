"""Runs against providers that behave oddly: right events, or FAILED with a clear error; never a hang."""

from typing import Any

import grpc.aio
import pytest

import fake_openai as fake
from runwire.v1 import run_pb2, runner_service_pb2_grpc
from runwire_server.app import App, LlmAgent
from support import collect, durable, kinds, run_request, started_server

KEY = "sk-secret-key-2"


def calculator(expression: str) -> str:
    """Compute."""
    return {"25*4": "100", "1+1": "2"}[expression]


def clock() -> str:
    """Tell the time."""
    return "noon"


def odd_calls(*deltas: Any, **options: Any) -> Any:
    return fake.stream(*(fake.chunk(delta) for delta in deltas), fake.chunk({}, "tool_calls"), **options)


ASK = '{"expression": "25*4"}'
ANSWERS_WELL: dict[str, list[Any]] = {
    "every byte alone": [
        fake.tool_calls(("calculator", ASK), split_bytes=1),
        fake.text("It is ", "100 – naïve 😀", split_bytes=1),
    ],
    "no index": [
        odd_calls(
            fake.call_delta(ASK[:5], index=None, call_id="a", name="calculator"),
            fake.call_delta(ASK[5:], index=None),
        ),
        fake.text("100"),
    ],
    "two calls interleaved": [
        odd_calls(
            fake.call_delta("", index=0, call_id="a", name="calculator"),
            fake.call_delta("", index=1, call_id="b", name="clock"),
            fake.call_delta(ASK[:5], index=0),
            fake.call_delta("{}", index=1),
            fake.call_delta(ASK[5:], index=0),
        ),
        fake.text("100"),
    ],
    "no usage": [fake.tool_calls(("calculator", ASK)), fake.text("100", with_usage=False)],
    "429 first": [fake.error(429, retry_after="0"), fake.tool_calls(("calculator", ASK)), fake.text("100")],
    "500 first": [fake.error(500), fake.tool_calls(("calculator", ASK)), fake.text("100")],
}
FAILS: dict[str, tuple[list[Any], str]] = {
    "stalls": ([fake.text("a", "b", finish=None, done=False, then=fake.Fault.STALL)], "MODEL_TIMEOUT"),
    "says nothing": ([fake.silence()] * 3, "MODEL_TIMEOUT"),
    "closes in the middle": (
        [fake.text("a", "b", finish=None, done=False, then=fake.Fault.CUT)],
        "MODEL_DISCONNECTED",
    ),
    "ends without an end": (
        [fake.text("a", finish=None, with_usage=False, done=False)],
        "MODEL_DISCONNECTED",
    ),
    "401": ([fake.error(401, f"bad key {KEY}")], "MODEL_UNAUTHENTICATED"),
    "429": ([fake.error(429, retry_after="0")] * 3, "MODEL_RATE_LIMITED"),
    "500": ([fake.error(500)] * 3, "MODEL_UNAVAILABLE"),
    "html": ([fake.html()], "MODEL_BAD_RESPONSE"),
    "html 502": ([fake.html(502)] * 3, "MODEL_UNAVAILABLE"),
    "broken json": ([fake.raw(b"data: {nope\n\n")], "MODEL_BAD_RESPONSE"),
}


def provider(url: str) -> dict[str, Any]:
    return {"openai_base_url": url, "openai_api_key": KEY, "model_timeout_seconds": 0.5}


@pytest.fixture
def app() -> App:
    return App("odd", [LlmAgent("agent", tools=[calculator, clock])])


@pytest.fixture
def store_url() -> str:
    return "memory:"


@pytest.mark.parametrize("name", ANSWERS_WELL)
async def test_an_odd_answer_is_understood(app: App, store_url: str, name: str) -> None:
    async with (
        fake.FakeOpenAI() as server,
        started_server(app, store_url, **provider(server.url)) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        server.script(*ANSWERS_WELL[name])
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)

        events = await collect(stub.Run(run_request("What is 25*4?"), timeout=30))

        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert [event.sequence for event in durable(events)] == list(range(1, events[-1].sequence + 1))
        shown = [kind for kind in kinds(events) if kind != "model_retry"]
        assert shown[:2] == ["run_started", "message"]
        assert shown[-3:] == ["tool_results", "message", "completion"]
        results = next(e.tool_results.results for e in events if e.WhichOneof("payload") == "tool_results")
        assert results[0].content == "100"
        deltas = "".join(e.text_delta.text for e in events if e.WhichOneof("payload") == "text_delta")
        assert deltas == durable(events)[-2].message.message.content


@pytest.mark.parametrize("name", FAILS)
async def test_a_provider_that_fails_fails_the_run_and_the_session_goes_on(
    app: App, store_url: str, name: str
) -> None:
    replies, code = FAILS[name]
    async with (
        fake.FakeOpenAI() as server,
        started_server(app, store_url, **provider(server.url)) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        server.script(*replies)
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)

        events = await collect(stub.Run(run_request("hi", session_id="s"), timeout=30))

        completion = events[-1].completion
        assert completion.outcome == run_pb2.OUTCOME_FAILED
        assert completion.error.code == code
        assert completion.error.error_id
        assert durable(events)[-2].error.error == completion.error
        assert KEY not in str(events)

        server.script(fake.text("fine"))
        events = await collect(stub.Run(run_request("and now?", session_id="s"), timeout=30))
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        roles = [message["role"] for message in server.requests[-1].body["messages"]]
        assert roles == ["user", "assistant", "user"]


async def test_options_reach_the_provider_and_unset_ones_do_not(app: App, store_url: str) -> None:
    async with (
        fake.FakeOpenAI() as server,
        started_server(app, store_url, **provider(server.url)) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        server.script(fake.text("a"), fake.text("b"))
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        options: Any = {"temperature": 0.0, "max_tokens": 7, "stop": ["x"], "model": "other", "seed": 0}

        await collect(stub.Run(run_request("hi", options=options), timeout=30))
        await collect(stub.Run(run_request("hi"), timeout=30))

        asked, plain = (request.body for request in server.requests)
        assert (asked["temperature"], asked["max_tokens"], asked["stop"]) == (0.0, 7, ["x"])
        assert (asked["model"], asked["seed"]) == ("other", 0)
        assert not {"temperature", "max_tokens", "stop", "seed"} & set(plain)
