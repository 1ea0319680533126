"""Calls other than streams, and conversations."""

import grpc
import pytest
from scripted_server import ScriptedRunner, answer, ended, serving, started

from runwire import CallError, Client
from runwire.v1 import session_service_pb2 as session_pb


async def test_a_refusal_has_its_reason_and_the_fields_that_are_wrong() -> None:
    async with serving(ScriptedRunner()) as address, Client(address) as client:
        with pytest.raises(CallError, match="INVALID_ARGUMENT: bad request") as refused:
            await client.status("r")

    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.reason == "ODD_REQUEST"
    assert refused.value.violations == {"request_id": "too odd"}


async def test_a_call_that_takes_too_long_is_an_error() -> None:
    async with serving(ScriptedRunner()) as address, Client(address, timeout_seconds=0.2) as client:
        with pytest.raises(CallError) as refused:
            await client.status("forever")

    assert refused.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_that_may_be_repeated_is_when_the_server_is_away() -> None:
    runner = ScriptedRunner()
    runner.refusals += [grpc.StatusCode.UNAVAILABLE] * 3
    async with serving(runner) as address, Client(address) as client:
        assert (await client.cancel("r")).changed
        runner.refusals += [grpc.StatusCode.UNAVAILABLE]
        with pytest.raises(CallError) as refused:
            await client.enqueue("r", "hi")

    assert [request.request_id for request in runner.cancels] == ["r"]
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE


async def test_lists_read_all_pages() -> None:
    async with serving(ScriptedRunner()) as address, Client(address) as client:
        found = [run.request_id async for run in client.runs()]

    assert found == ["0", "1", "2", "3", "4", "5"]


async def test_state_is_written_and_deleted() -> None:
    async with serving(ScriptedRunner()) as address, Client(address, user_id="u") as client:
        written = await client.update_state(session_pb.STATE_TIER_SESSION, {"a": 1, "b": "x"}, "s")
        left = await client.delete_state(session_pb.STATE_TIER_SESSION, ["a"], "s")

    assert written == {"a": 1, "b": "x"}
    assert left == {"b": "x"}


async def test_a_conversation_goes_on_in_the_session_that_the_server_made() -> None:
    runner = ScriptedRunner(
        [started("made"), answer("one", 2), ended(3)], [started("made"), answer("two", 2), ended(3)]
    )
    async with serving(runner) as address, Client(address, user_id="u") as client:
        conversation = client.conversation()
        said = [await conversation.chat("hi"), await conversation.chat("again")]

    assert said == ["one", "two"]
    assert [request.session_id for request in runner.runs] == ["", "made"]


async def test_options_and_state_may_be_dicts() -> None:
    runner = ScriptedRunner([started(), ended(2)])
    async with serving(runner) as address, Client(address, user_id="u") as client:
        await client.chat("hi", options={"max_llm_calls": 3}, state_delta={"k": None, "n": 1})

    (request,) = runner.runs
    assert request.options.max_llm_calls == 3
    assert dict(request.state_delta) == {"k": None, "n": 1}
