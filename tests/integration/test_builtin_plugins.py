"""The built-in plugins over gRPC (P3)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desk import desk
from plugin_support import Office, office, texts
from runwire.v1 import content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent
from runwire_server.domain.content import ToolCall
from runwire_server.domain.errors import AgentError, ModelError
from runwire_server.domain.runs import Run
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.builtin import ApprovalPolicy, ErrorMessages, GlobalInstruction, Redaction
from runwire_server.plugins.plugin import Deny, HookContext, Plugin
from runwire_server.tools.function import function_tool
from runwire_server.tools.tool import ToolContext
from servers.shared import empty_url
from support import CALL_SECONDS, call_turn, calls_turn, eventually, kinds, run_request, text_turn

SECRET = "sk-0123456789"
REDACTED = "[redacted key]"


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Plugins know nothing of stores: two kinds say enough."""
    with empty_url(request.param, tmp_path) as url:
        yield url


async def test_no_secret_is_stored_shown_or_told(store_url: str) -> None:
    """Said by the user, written by the model in its text and its calls, and found by a tool."""
    given: list[str] = []

    async def find(text: str, context: ToolContext) -> str:
        """Find."""
        given.append(text)
        context.write(SECRET)
        await context.progress(SECRET)
        return f"found {SECRET}"

    turns = [
        call_turn("find", f'{{"text": "{SECRET}"}}'),
        text_turn("it is ", SECRET[:5], SECRET[5:]),
        text_turn("again"),
    ]
    plugin = Redaction({"key": r"sk-\d+"})
    async with office(store_url, turns, [plugin], tools=[find]) as at:
        events = await at.run(f"my key is {SECRET}")
        seen = str([events, await at.logged(), await at.session(), await at.status()])
        assert "sk-" not in seen
        assert texts(events) == ["", f"it is {REDACTED}"]
        assert not [event for event in events if event.partial]
        assert await at.history() == [f"my key is {REDACTED}", "", f"it is {REDACTED}"]
        assert given == [REDACTED]
        assert at.asked(1) == [f"my key is {REDACTED}", "", f"found {REDACTED}"]
        await at.run("and now?", request_id="r2")
        assert "sk-" not in str(at.model.requests)


async def test_a_secret_in_a_queued_message_is_not_told_either(store_url: str) -> None:
    go_on, started = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        """Work."""
        started.set()
        await go_on.wait()
        return "worked"

    turns = [call_turn("work"), text_turn("done")]
    async with office(store_url, turns, [Redaction({"key": r"sk-\d+"})], tools=[work]) as at:
        task = asyncio.get_running_loop().create_task(at.run())
        await started.wait()
        message = content_pb2.Message(content=f"use {SECRET}")
        request = pb.EnqueueMessageRequest(request_id="r", message=message)
        await at.at.runs.EnqueueMessage(request, timeout=CALL_SECONDS)
        go_on.set()
        events = await task
        assert f"use {REDACTED}" in texts(events)
        assert at.asked()[-1] == f"use {REDACTED}"
        assert "sk-" not in str([events, await at.session()])


async def test_users_read_their_own_words_when_a_run_fails(store_url: str) -> None:
    plugin = ErrorMessages({"MODEL_REJECTED": "The model said no.", "": "Sorry."})
    turns: list[Any] = [
        ModelError("400: detail", "MODEL_REJECTED"),
        AgentError("detail", "MINE"),
        text_turn("hi"),
    ]
    async with office(store_url, turns, [plugin]) as at:
        for number, (said, code) in enumerate([("The model said no.", "MODEL_REJECTED"), ("Sorry.", "MINE")]):
            events = await at.run(request_id=f"r{number}")
            (error,) = (event.error.error for event in events if event.HasField("error"))
            assert (error.code, error.message) == (code, said)
            completion = events[-1].completion
            assert completion.outcome == run_pb2.OUTCOME_FAILED
            assert completion.error.code == code
            assert (await at.history())[-1] == said


async def test_one_instruction_for_all(store_url: str) -> None:
    model = ScriptedModel([text_turn("hi")])
    app = App(
        "test",
        [LlmAgent("agent", model=model, instructions="Own.")],
        plugins=[GlobalInstruction("Be {kind} 100%s.")],
    )
    async with desk(app, store_url) as at:
        await Office(at, model).run()
    assert model.requests[-1].messages[0].content == "Be {kind} 100%s.\n\nOwn."


class Letters:
    """Tools: one that asks for an approval of itself, and one that does not."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def tools(self) -> list[Any]:
        async def send() -> str:
            """Send."""
            self.done.append("send")
            return "sent"

        async def note() -> str:
            """Note."""
            self.done.append("note")
            return "noted"

        return [function_tool(send, requires_approval=True), note]


BOTH = calls_turn(("send", "{}", "c1"), ("note", "{}", "c2"))


@pytest.mark.parametrize(
    ("mode", "asked"),
    [
        ("always", ["send", "note"]),
        ("never", []),
        (["note"], ["send", "note"]),
        (lambda _, call: call.name == "note", ["note"]),
    ],
    ids=["always", "never", "names", "function"],
)
async def test_a_policy_says_which_calls_are_asked_for(store_url: str, mode: Any, asked: list[str]) -> None:
    letters = Letters()
    plugins = [ApprovalPolicy(mode, reason="because")]
    async with office(store_url, [BOTH, text_turn("done")], plugins, tools=letters.tools()) as at:
        run = await at.at.start()
        assert [pending.tool_call.name for pending in run.pending] == asked
        if asked:
            assert run.state == run_pb2.RUN_STATE_WAITING
            assert not {*asked} & {*letters.done}
        for pending in run.pending:
            await at.at.resolve(pending.approval_id)
        completion, events = await at.at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert sorted(letters.done) == ["note", "send"]
        reasons = [e.approval_requested.reason for e in events if e.HasField("approval_requested")]
        assert len(reasons) == len(asked)


async def test_a_policy_that_denies_is_told_to_the_model(store_url: str) -> None:
    def decide(context: HookContext, call: ToolCall) -> Deny:
        return Deny(f"no {call.name} today")

    letters = Letters()
    plugins = [ApprovalPolicy(decide)]
    async with office(store_url, [BOTH, text_turn("done")], plugins, tools=letters.tools()) as at:
        events = await at.run()
        assert letters.done == []
        assert "no send today" in at.asked()[-2]
        assert "no note today" in at.asked()[-1]
        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED


async def test_a_policy_that_fails_asks(store_url: str) -> None:
    async def decide(context: HookContext, call: ToolCall) -> bool:
        raise ValueError

    letters = Letters()
    async with office(store_url, [call_turn("note")], [ApprovalPolicy(decide)], tools=letters.tools()) as at:
        run = await at.at.start()
        assert [pending.tool_call.name for pending in run.pending] == ["note"]
        assert letters.done == []


class Told(Plugin):
    """Remembers the runs that ended."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    async def after_run(self, run: Run) -> None:
        self.runs.append(run)


@pytest.mark.parametrize("how", ["cancelled", "timed_out"])
async def test_after_run_is_called_for_runs_that_are_stopped(store_url: str, how: str) -> None:
    started = asyncio.Event()

    async def work() -> str:
        """Work."""
        started.set()
        await asyncio.Event().wait()
        return ""

    told = Told()
    options = {"max_run_duration": {"nanos": 200_000_000}} if how == "timed_out" else {}
    async with office(store_url, [call_turn("work")], [told], tools=[work]) as at:
        task = asyncio.get_running_loop().create_task(at.run(options=options))
        if how == "cancelled":
            await started.wait()
            await at.at.runs.Cancel(pb.CancelRequest(request_id="r"), timeout=CALL_SECONDS)
        events = await task
        assert kinds(events)[-1] == "completion"
        await eventually(lambda: len(told.runs) == 1)
        assert told.runs[0].outcome is not None
        assert told.runs[0].outcome.value == how


async def test_after_run_is_called_for_runs_that_a_drain_stops(store_url: str) -> None:
    started = asyncio.Event()

    async def work() -> str:
        """Work."""
        started.set()
        await asyncio.Event().wait()
        return ""

    told = Told()
    async with office(store_url, [call_turn("work")], [told], tools=[work]) as at:
        call = at.at.runs.Run(run_request("go", request_id="r"), timeout=CALL_SECONDS)
        await anext(aiter(call))
        await started.wait()
    assert [run.stop_reason for run in told.runs] == ["draining"]


async def test_after_run_is_called_once_for_a_run_that_waited(store_url: str) -> None:
    told = Told()
    plugins = [told, ApprovalPolicy("always")]
    turns = [call_turn("note"), text_turn("done")]
    async with office(store_url, turns, plugins, tools=Letters().tools()) as at:
        run = await at.at.start()
        assert told.runs == []
        await at.at.resolve(run.pending[0].approval_id)
        await at.at.ended()
        await eventually(lambda: len(told.runs) == 1)
    assert len(told.runs) == 1
