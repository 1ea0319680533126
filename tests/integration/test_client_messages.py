"""The client's view of whole runs against a real server: messages, answers, steering, subscriptions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runwire import CallError, Client, Decision, RunFailedError, client_tool
from runwire import sync as synchronous
from runwire.run import RunStream
from runwire.v1 import content_pb2, event_pb2, run_pb2
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from runwire_server.tools.function import function_tool
from support import call_turn, eventually, scripted_app, started_server, text_turn

ASSISTANT, TOOL = content_pb2.ROLE_ASSISTANT, content_pb2.ROLE_TOOL


@pytest.fixture
def store_url() -> str:
    """The client does not see which store it is."""
    return "memory:"


@asynccontextmanager
async def serving(app: App, store_url: str) -> AsyncIterator[Client]:
    async with (
        asyncio.timeout(60),
        started_server(app, store_url) as service,
        Client(service.address, user_id="u") as client,
    ):
        yield client


def post_office(turns: Sequence[Any], sent: list[str]) -> App:
    """An app whose agent sends letters when it is allowed to."""

    async def send(to: str) -> str:
        """Send a letter."""
        sent.append(to)
        return f"sent to {to}"

    model = ScriptedModel(turns)
    return App("test", [LlmAgent("agent", model=model, tools=[function_tool(send, requires_approval=True)])])


def double(number: int) -> int:
    """Double a number."""
    return 2 * number


async def whole(run: RunStream) -> list[tuple[int, str]]:
    return [(message.role, message.content) async for message in run.messages()]


async def streamed(run: RunStream) -> list[tuple[int, str]]:
    return [
        (stream.role, "".join([piece async for piece in stream])) async for stream in run.message_streams()
    ]


async def test_all_readers_of_all_views_see_the_same_messages(store_url: str) -> None:
    app = scripted_app([call_turn("double", '{"number": 4}'), text_turn("It ", "is ", "8.")], [double])
    async with serving(app, store_url) as client, client.run("double 4") as run:
        views = await asyncio.gather(whole(run), streamed(run), whole(run), streamed(run), run.text())
        again = [await streamed(run), await whole(run)]
        async with client.attach(run.request_id) as later:
            afterwards = [await whole(later), await streamed(later)]

    texts = [(ASSISTANT, ""), (TOOL, "8"), (ASSISTANT, "It is 8.")]
    assert [*views[:4], *again, *afterwards] == [texts] * 8
    assert views[4] == "It is 8."


async def test_a_run_that_fails_before_its_first_message_ends_all_readers(store_url: str) -> None:
    async with serving(scripted_app([RuntimeError("secret")]), store_url) as client:
        async with client.run("hi") as run:
            ends = await asyncio.gather(whole(run), streamed(run), run.text(), return_exceptions=True)

    assert [type(end) for end in ends] == [RunFailedError] * 3


async def test_a_function_approves_and_another_edits(store_url: str) -> None:
    sent: list[str] = []
    turns = [call_turn("send", '{"to": "bob"}'), text_turn("done")] * 3
    answers = iter([True, Decision(is_approved=True, arguments={"to": "eve"}), False])
    async with serving(post_office(turns, sent), store_url) as client:
        for _ in range(3):
            assert await client.chat("write", approve=lambda _: next(answers)) == "done"

    assert sent == ["bob", "eve"]


async def test_a_question_is_answered_by_hand_while_the_stream_stays_open(store_url: str) -> None:
    sent: list[str] = []
    app = post_office([call_turn("send", '{"to": "bob"}'), text_turn("done")], sent)
    async with serving(app, store_url) as client, client.run("write") as run:
        async for event in run:
            if event.WhichOneof("payload") == "approval_requested":
                break
        reading = asyncio.create_task(whole(run))
        found = await client.wait(run.request_id)
        assert found.state == run_pb2.RUN_STATE_WAITING
        (question,) = found.pending
        await run.approve(question.approval_id, decided_by="ann")
        messages = await reading
        with pytest.raises(CallError, match="FAILED_PRECONDITION"):
            await run.deny(question.approval_id)

    assert sent == ["bob"]
    assert messages[-1] == (ASSISTANT, "done")


async def test_functions_of_the_caller_are_tools_of_the_run(store_url: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    options = {"tools": {"client_tools": [client_tool("weather", "Tells the weather.", schema)]}}
    app = scripted_app([call_turn("weather", '{"city": "Bonn"}'), text_turn("It rains.")])
    asked: list[str] = []

    def weather(city: str) -> dict[str, str]:
        asked.append(city)
        return {"sky": "rain"}

    async with serving(app, store_url) as client:
        async with client.run("weather?", options=options, tools={"weather": weather}) as run:
            messages = await whole(run)

    assert asked == ["Bonn"]
    assert messages[1:] == [(TOOL, '{"sky": "rain"}'), (ASSISTANT, "It rains.")]


async def test_outputs_by_hand_let_a_detached_run_go_on(store_url: str) -> None:
    options = {"tools": {"client_tools": [client_tool("ask", "Asks.", {"type": "object"})]}}
    app = scripted_app([call_turn("ask"), text_turn("thanks")])
    async with serving(app, store_url) as client:
        conversation = client.conversation()
        request_id = await conversation.send("go", options=options)
        found = await client.wait(request_id)
        assert [question.approval_id for question in found.pending] == [""]
        await client.submit_outputs(request_id, {found.pending[0].tool_call.id: "blue"})
        async with client.attach(request_id) as run:
            assert await run.text() == "thanks"


async def test_messages_steer_a_run_at_work(store_url: str) -> None:
    go_on, at_work = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        """Work."""
        at_work.set()
        await go_on.wait()
        return "worked"

    async with serving(scripted_app([call_turn("work"), text_turn("done")], [work]), store_url) as client:
        async with client.run("go", session_id="s") as run:
            reading = asyncio.create_task(whole(run))
            await at_work.wait()
            await run.enqueue("one", "m1")
            assert (await run.enqueue("two")).queue_length == 2
            assert await run.cancel_queued("m1") == 1
            go_on.set()
            assert (await reading)[-1] == (ASSISTANT, "done")
        found = await client.get_session("s")

    said = [item.event.message.message.content for item in found.events if item.event.HasField("message")]
    assert "two" in said
    assert "one" not in said


async def test_a_conversation_is_sent_to_and_listened_to(store_url: str) -> None:
    app = scripted_app([text_turn("one"), text_turn("two")])
    async with serving(app, store_url) as client:
        conversation = client.conversation()
        heard: list[event_pb2.Event] = []
        controlled: list[event_pb2.Event] = []
        listening = [
            asyncio.create_task(_keep(conversation.subscribe(), heard)),
            asyncio.create_task(_keep(conversation.subscribe(["control"]), controlled)),
        ]
        await asyncio.sleep(0)
        first = await conversation.send("hi")
        second = await conversation.send("again")
        await eventually(lambda: _count(heard, "completion") == _count(controlled, "completion") == 2)
        await conversation.close()
        await asyncio.gather(*listening)
        stored = [event.id for name in (first, second) async for event in client.run_events(name)]

    assert sorted(event.id for event in heard if event.id) == sorted(stored)
    assert {event.WhichOneof("payload") for event in controlled} == {"run_started", "completion"}


async def _keep(events: AsyncGenerator[event_pb2.Event, None], kept: list[event_pb2.Event]) -> None:
    async for event in events:
        kept.append(event)  # noqa: PERF401 -- as they come


def _count(events: list[event_pb2.Event], kind: str) -> int:
    return sum(event.WhichOneof("payload") == kind for event in events)


async def test_a_conversation_is_edited_and_run_again(store_url: str) -> None:
    app = scripted_app([text_turn("one"), text_turn("two"), text_turn("three")])
    async with serving(app, store_url) as client:
        await client.chat("hi", session_id="s")
        await client.send_system_message("s", "be brief")
        first, _, system = (await client.get_session("s")).events
        assert system.event.message.message.role == content_pb2.ROLE_SYSTEM
        assert await client.truncate("s", first.event.id) == 2
        assert await client.chat(session_id="s", resume=True) == "two"
        found = await client.get_session("s")

    said = [item.event.message.message.content for item in found.events if item.event.HasField("message")]
    assert said == ["hi", "two"]


async def test_the_same_without_await(store_url: str) -> None:
    sent: list[str] = []
    app = post_office([call_turn("send", '{"to": "bob"}'), text_turn("do", "ne")], sent)

    def work(address: str) -> tuple[list[str], list[str]]:
        with synchronous.Client(address, user_id="u") as client:
            with client.run("write", approve=lambda _: True) as run:
                pieces = ["".join(stream) for stream in run.message_streams()]
                return pieces, [message.content for message in run.messages()]

    async with started_server(app, store_url) as service, asyncio.timeout(60):
        done = await asyncio.to_thread(work, service.address)

    assert done == (["", "sent to bob", "done"],) * 2
    assert sent == ["bob"]
