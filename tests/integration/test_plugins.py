"""Plugins over gRPC: they see, replace, drop and answer, and a bad one costs no more than itself (P1, P2, P4)."""

import asyncio
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from desk import desk, refused
from plugin_support import Office, office, saying, texts
from runwire.v1 import run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent, StartError
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.domain.errors import StopError
from runwire_server.domain.runs import Run
from runwire_server.models.model import ModelRequest
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.plugin import DROP, HookContext, Plugin
from servers.shared import empty_url
from support import CALL_SECONDS, call_turn, collect, durable, kinds, run_request, started_server, text_turn

TURNS = [call_turn("work"), text_turn("do", "ne")]


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Plugins know nothing of stores: two kinds say enough."""
    with empty_url(request.param, tmp_path) as url:
        yield url


async def work() -> str:
    """Work."""
    return "worked"


class Noting(Plugin):
    """Adds its name to what the user said, and notes when it is called."""

    def __init__(self, name: str, noted: list[str]) -> None:
        self._name = name
        self._noted = noted

    @property
    def name(self) -> str:
        return self._name

    async def before_agent(self, context: HookContext) -> None:
        self._noted.append(f"{self._name} agent")

    async def before_model(self, context: HookContext, request: ModelRequest) -> ModelRequest:
        last = request.messages[-1]
        said = replace(last, content=f"{last.content} {self._name}")
        return replace(request, messages=(*request.messages[:-1], said))

    async def close(self) -> None:
        self._noted.append(f"{self._name} closed")


async def test_an_apps_plugins_come_first_then_those_that_the_run_names(store_url: str) -> None:
    noted: list[str] = []
    always, named = [Noting(n, noted) for n in "ab"], [Noting(n, noted) for n in "cd"]
    async with office(store_url, [text_turn("hi")], always, run_plugins=named) as at:
        await at.run(options={"plugins": ["d", "c", "d"]})
        assert at.asked() == ["go a b d c"]
        assert noted == ["a agent", "b agent", "d agent", "c agent"]
        await at.run("again", request_id="r2")
        assert at.asked()[-1] == "again a b"
        noted.clear()
    assert noted == ["d closed", "c closed", "b closed", "a closed"]


async def test_a_name_that_is_none_is_refused(store_url: str) -> None:
    noted: list[str] = []
    async with office(
        store_url, [text_turn("hi")], [Noting("a", noted)], run_plugins=[Noting("c", noted)]
    ) as at:
        for names, field in ((["x"], "options.plugins[0]"), (["c", "a"], "options.plugins[1]")):
            call = at.at.runs.Run(run_request(options={"plugins": names}), timeout=CALL_SECONDS)
            code, details = await refused(collect(call))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert field in details
        assert at.model.requests == []


async def test_plugins_that_cannot_be_served_keep_the_server_from_starting(store_url: str) -> None:
    noted: list[str] = []
    agent = LlmAgent("agent", model=ScriptedModel([text_turn("hi")]))
    app = App("test", [agent], plugins=[Noting("a", noted)], run_plugins=[Noting("a", noted)])
    with pytest.raises(StartError, match="duplicate plugin 'a'"):
        async with started_server(app, store_url):
            pass


class Dropping(Plugin):
    """Leaves out what is of these kinds."""

    def __init__(self, *dropped: type) -> None:
        self.dropped = dropped

    async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> Any:
        is_users = isinstance(payload, ev.MessagePayload) and payload.message.role is Role.USER
        return DROP if isinstance(payload, self.dropped) and not is_users else None


async def test_what_is_dropped_leaves_no_gap(store_url: str) -> None:
    async with office(store_url, TURNS, [Dropping(ev.ToolStarted)], tools=[work]) as at:
        events = await at.run()
        log = await at.logged()
    expected = ["run_started", "message", "tool_finished", "tool_results", "message", "completion"]
    assert kinds(events) == expected
    assert [event.sequence for event in log] == list(range(1, len(expected) + 1))
    assert log == durable(events)
    assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert at.asked() == ["go", "", "worked"]


@pytest.mark.parametrize(
    "dropped",
    [
        (ev.ToolResults,),
        (ev.MessagePayload,),
        (ev.ToolResults, ev.MessagePayload),
        ev.DurablePayload.__args__,
    ],
    ids=["results", "messages", "both", "everything"],
)
async def test_whatever_is_dropped_runs_work_and_so_do_the_next_ones(store_url: str, dropped: Any) -> None:
    plugin = Dropping(*dropped)
    async with office(store_url, TURNS, [plugin], tools=[work]) as at:
        first = await at.run()
        assert first[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        plugin.dropped = ()
        second = await at.run("again", request_id="r2")
        assert second[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert at.asked()[-1] == "again"
        # What a provider would refuse: a call without a result, or a result without a call.
        called = {call.id for m in at.model.requests[-1].messages for call in m.tool_calls}
        answered = {m.tool_call_id for m in at.model.requests[-1].messages if m.role is Role.TOOL}
        assert called == answered


async def test_without_the_users_message_there_is_nothing_to_do(store_url: str) -> None:
    class Deaf(Plugin):
        async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> Any:
            return DROP if isinstance(payload, ev.MessagePayload) else None

    async with office(store_url, TURNS, [Deaf()]) as at:
        events = await at.run()
        assert kinds(events) == ["run_started", "completion"]
        assert events[-1].completion.stop_reason == "nothing_to_resume"
        assert at.model.requests == []
        assert await at.history() == []


class Replacing(Plugin):
    """Replaces what anybody says."""

    async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> ev.DurablePayload | None:
        if isinstance(payload, ev.MessagePayload) and payload.message.content:
            return saying(payload, f"<{payload.message.content}>")
        if isinstance(payload, ev.ToolResults):
            return replace(payload, results=tuple(replace(r, content="other") for r in payload.results))
        return None


async def test_what_replaces_an_event_is_what_everybody_sees(store_url: str) -> None:
    async with office(store_url, TURNS, [Replacing()], tools=[work]) as at:
        events = await at.run()
        assert texts(events) == texts(await at.logged()) == ["", "<done>"]
        assert await at.history() == ["<go>", "", "<done>"]
        assert at.asked(0) == ["<go>"]
        assert at.asked(1) == ["<go>", "", "other"]
        assert (await at.status()).message.content == "<done>"
        await at.run("more", request_id="r2")
        assert at.asked() == ["<go>", "", "other", "<done>", "<more>"]
    # Deltas that were shown cannot be taken back, but the whole message has the same id and comes later.
    message_id = next(e.message.message_id for e in events if e.HasField("message") and texts([e]) != [""])
    deltas = [e.text_delta for e in events if e.HasField("text_delta")]
    assert {delta.message_id for delta in deltas} <= {message_id}


async def test_a_follower_who_comes_late_sees_no_delta_of_what_was_replaced(store_url: str) -> None:
    async with office(store_url, [text_turn("do", "ne")], [Replacing()]) as at:
        await at.run()
        request = pb.AttachRequest(request_id="r")
        events = await collect(at.at.runs.Attach(request, timeout=CALL_SECONDS))
        assert texts(events) == ["<done>"]
        assert not [event for event in events if event.HasField("text_delta")]


@pytest.mark.parametrize("hook", ["before_agent", "after_agent", "left_to_the_runner"])
async def test_an_answer_in_the_runs_record_is_the_one_in_its_log(store_url: str, hook: str) -> None:
    """Whoever makes an answer, on_event has the last word, also in RunStatus."""

    class Answering(Replacing):
        async def before_agent(self, context: HookContext) -> Message | None:
            return Message(Role.ASSISTANT, "made") if hook == "before_agent" else None

        async def after_agent(self, context: HookContext, answer: Message) -> Message | None:
            return Message(Role.ASSISTANT, "made") if hook == "after_agent" else None

    class Silent(LlmAgent):
        async def run(self, context: Any) -> Message:
            return Message(Role.ASSISTANT, "made")

    model = ScriptedModel([text_turn("done")])
    kind = Silent if hook == "left_to_the_runner" else LlmAgent
    app = App("test", [kind("agent", model=model)], plugins=[Answering()])
    async with desk(app, store_url) as desk_:
        at = Office(desk_, model)
        events = await at.run()
        assert texts(events)[-1] == "<made>"
        assert (await at.status()).message.content == "<made>"
        assert (await at.history())[-1] == "<made>"


class Failing(Plugin):
    """Fails in every hook."""

    name = "failing"

    def __init__(self) -> None:
        self.after = 0

    async def before_agent(self, context: HookContext) -> Message | None:
        raise ValueError("detail")

    async def after_agent(self, context: HookContext, answer: Message) -> Message | None:
        raise SystemExit

    async def before_model(
        self, context: HookContext, request: ModelRequest
    ) -> ModelRequest | Message | None:
        raise KeyboardInterrupt

    async def after_model(self, context: HookContext, answer: Message) -> Message | None:
        raise asyncio.CancelledError

    async def before_tool(self, context: HookContext, call: ToolCall) -> Any:
        return 5

    async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> ToolResult | None:
        return replace(result, content=5)  # type: ignore[arg-type]

    async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> Any:
        if isinstance(payload, ev.ToolFinished):
            raise GeneratorExit
        return None

    def on_partial(self, context: HookContext, payload: ev.PartialPayload) -> Any:
        raise ValueError("detail")

    async def after_run(self, run: Run) -> None:
        self.after += 1
        raise StopError("no")


async def test_a_failing_plugin_costs_nothing_but_events_for_operators(store_url: str) -> None:
    plugin = Failing()
    settings = {"tools": [work], "metrics_listen": "127.0.0.1:0"}
    async with office(store_url, TURNS, [plugin], **settings) as at:
        events = await at.run()
        quiet = await at.filtered("r2", pb.CHANNEL_PROGRESS, pb.CHANNEL_CONTROL)
        monitor = await at.filtered("r3", pb.CHANNEL_MONITOR)
        url = f"http://{at.at.service.metrics_address}/metrics"
        with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
            shown = (await asyncio.to_thread(answer.read)).decode()
    assert texts(events) == ["", "done"]
    assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
    assert at.asked(1) == ["go", "", "worked"]
    failed = [event.plugin_error for event in events if event.HasField("plugin_error")]
    hooks = {failure.hook for failure in failed}
    names = {
        "before_agent",
        "before_model",
        "after_model",
        "before_tool",
        "after_tool",
        "on_event",
        "on_partial",
    }
    assert names <= hooks <= {*names, "after_agent"}
    assert {failure.plugin for failure in failed} == {"failing"}
    assert "detail" not in str(events)
    assert not [event for event in quiet if event.HasField("plugin_error")]
    assert quiet[-1].HasField("completion")
    assert [event for event in monitor if event.HasField("plugin_error")]
    assert plugin.after == 3
    for hook in (*names, "after_run", "after_agent"):
        assert f'runwire_plugin_failures_total{{hook="{hook}",plugin="failing"}}' in shown


async def test_what_went_wrong_last_is_in_the_log_too(store_url: str) -> None:
    """A failure of after_agent, or at the completion, is known only when the last event is written."""

    class Last(Plugin):
        async def after_agent(self, context: HookContext, answer: Message) -> Message | None:
            raise ValueError

        async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> Any:
            return DROP if isinstance(payload, ev.Completion) else None

    async with office(store_url, [text_turn("hi")], [Last()]) as at:
        events = await at.run()
    assert kinds(events) == ["run_started", "message", "plugin_error", "plugin_error", "completion"]
    assert [e.plugin_error.hook for e in events if e.HasField("plugin_error")] == ["after_agent", "on_event"]
