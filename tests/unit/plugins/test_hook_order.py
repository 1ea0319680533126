"""Hooks come in order; each gets what the one before it made, until one answers in place of the real thing."""

from dataclasses import replace
from typing import Any

import pytest
from hooks_support import (
    CALL,
    ERROR,
    REQUEST,
    RESULT,
    RUN,
    SAID,
    SAID_EVENT,
    STRUCTURAL,
    UNTOUCHED,
    call,
    context_of,
    make_plugin,
    returning,
)

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult, ToolSpec
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import DROP, Allow, Ask, Deny, Plugin
from runwire_server.telemetry.metrics import Metrics

OTHER = Message(Role.ASSISTANT, "it is 5")
RESULTS = ev.ToolResults((RESULT, replace(RESULT, tool_call_id="call_2")), "m1")
CALLING = ev.MessagePayload("m1", Message(Role.ASSISTANT, tool_calls=(CALL,)))


def louder(message: Message) -> Message:
    return replace(message, content=message.content + "!")


def test_no_plugins_are_false_and_see_nothing() -> None:
    plugins = RunPlugins()

    assert not plugins
    assert not plugins.sees_events
    assert not plugins.sees_partials


@pytest.mark.parametrize("hook", UNTOUCHED)
async def test_plugins_that_override_nothing_change_nothing(hook: str) -> None:
    plugins = RunPlugins([Plugin(), make_plugin(**{hook: returning(None)})])

    assert plugins
    assert await call(plugins, hook) == UNTOUCHED[hook]
    assert plugins.take_failures() == []


def test_only_who_overrides_a_hook_of_events_sees_them() -> None:
    assert RunPlugins([make_plugin(on_event=returning(None))]).sees_events
    assert not RunPlugins([make_plugin(on_event=returning(None))]).sees_partials
    assert RunPlugins([make_plugin(on_partial=lambda *_: None)]).sees_partials


async def test_each_hook_gets_what_the_one_before_it_made() -> None:
    async def say(_context: Any, answer: Message) -> Message:
        return louder(answer)

    async def ask(_context: Any, request: ModelRequest) -> ModelRequest:
        return replace(request, messages=tuple(louder(message) for message in request.messages))

    async def arguments(_context: Any, call: ToolCall) -> ToolCall:
        return ToolCall("ignored", call.name, call.arguments + "!")

    async def result(_context: Any, _call: ToolCall, result: ToolResult) -> ToolResult:
        return ToolResult("ignored", "ignored", result.content + "!")

    async def event(_context: Any, payload: ev.MessagePayload) -> ev.MessagePayload:
        return replace(payload, message=louder(payload.message), message_id="ignored")

    hooks = {
        "after_agent": say,
        "after_model": say,
        "before_model": ask,
        "before_tool": arguments,
        "after_tool": result,
        "on_event": event,
    }
    plugins = RunPlugins([make_plugin(**hooks), make_plugin(**hooks)])

    assert await call(plugins, "after_agent") == Message(Role.ASSISTANT, "it is 4!!")
    assert await call(plugins, "after_model") == Message(Role.ASSISTANT, "it is 4!!")
    assert (await call(plugins, "before_model")).messages[0].content == "2+2?!!"
    assert await call(plugins, "before_tool") == (replace(CALL, arguments=CALL.arguments + "!!"), None)
    assert await call(plugins, "after_tool") == ToolResult("call_1", "add", "4!!")
    assert await call(plugins, "on_event") == ev.MessagePayload("m1", Message(Role.ASSISTANT, "it is 4!!"))
    assert plugins.take_failures() == []


@pytest.mark.parametrize(
    ("hook", "made", "expected"),
    [
        ("before_agent", OTHER, OTHER),
        ("before_model", OTHER, OTHER),
        ("before_tool", "9", (CALL, "9")),
        ("before_tool", "", (CALL, "")),
        ("before_tool", Deny("no"), (CALL, Deny("no"))),
        ("on_event", DROP, None),
    ],
    ids=str,
)
async def test_an_answer_in_place_of_the_real_thing_ends_the_chain(
    hook: str, made: Any, expected: Any
) -> None:
    later = []
    plugins = RunPlugins(
        [
            make_plugin(**{hook: returning(None)}),
            make_plugin(**{hook: returning(made)}),
            make_plugin(**{hook: lambda *_: returning(later.append("called"))()}),
        ]
    )

    assert await call(plugins, hook) == expected
    assert later == []


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Allow(), Ask("a")], Allow()),
        ([Ask("a"), Allow()], Ask("a")),
        ([Ask("a"), Ask("b")], Ask("a")),
        ([Ask("a"), Deny("b")], Deny("b")),
        ([Allow(), "done"], "done"),
        ([Deny("b"), Allow()], Deny("b")),
    ],
    ids=str,
)
async def test_which_verdict_counts(verdicts: list[Any], expected: Any) -> None:
    plugins = RunPlugins([make_plugin(before_tool=returning(verdict)) for verdict in verdicts])

    assert await call(plugins, "before_tool") == (CALL, expected)


async def test_a_verdict_does_not_undo_what_was_made_of_the_call() -> None:
    other = replace(CALL, arguments="{}")
    for verdict in (Allow(), Ask(), Deny(), "9"):
        plugins = RunPlugins(
            [make_plugin(before_tool=returning(other)), make_plugin(before_tool=returning(verdict))]
        )

        assert await call(plugins, "before_tool") == (other, verdict)


async def test_an_agents_answer_that_stays_the_same_is_not_said_twice() -> None:
    plugins = RunPlugins([make_plugin(after_agent=returning(replace(SAID)))])

    assert await call(plugins, "after_agent") is None


async def test_texts_of_plugins_can_be_stored() -> None:
    plugins = RunPlugins([make_plugin(before_tool=returning("\ud800"))])

    assert await call(plugins, "before_tool") == (CALL, "?")


def test_deltas_go_through_all_hooks() -> None:
    def louder_delta(_context: Any, delta: ev.TextDelta) -> ev.TextDelta:
        return replace(delta, text=delta.text + "!", message_id="ignored")

    delta = ev.TextDelta("m1", "a")
    plugins = RunPlugins([make_plugin(on_partial=louder_delta)] * 2)
    assert plugins.on_partial(context_of(plugins), delta) == ev.TextDelta("m1", "a!!")

    plugins = RunPlugins([make_plugin(on_partial=lambda *_: DROP)])
    assert plugins.on_partial(context_of(plugins), delta) is None


@pytest.mark.parametrize("payload", STRUCTURAL, ids=lambda payload: type(payload).__name__)
async def test_what_a_log_needs_stays_as_it_is(payload: Any) -> None:
    changed = {
        ev.RunStarted: lambda: replace(payload, joined=True),
        ev.Completion: lambda: replace(payload, stop_reason="x"),
        ev.RunStateChanged: lambda: replace(payload, reason="x"),
        ev.ApprovalRequested: lambda: DROP,
        ev.ApprovalResolved: lambda: DROP,
        ev.ToolOutputsRequested: lambda: replace(payload, tool_calls=()),
    }[type(payload)]()
    for made, failures in ((changed, 1), (DROP, 1), (replace(payload), 0), (None, 0)):
        plugins = RunPlugins([make_plugin(on_event=returning(made))])

        assert await plugins.on_event(context_of(plugins), payload) == payload
        assert len(plugins.take_failures()) == failures


@pytest.mark.parametrize(
    ("payload", "made"),
    [
        (SAID_EVENT, ERROR),
        (SAID_EVENT, replace(SAID_EVENT, message=Message(Role.USER, "it is 4"))),
        (CALLING, replace(CALLING, message=SAID)),
        (CALLING, DROP),
        (RESULTS, replace(RESULTS, results=RESULTS.results[:1])),
        (RESULTS, replace(RESULTS, results=RESULTS.results[::-1])),
        (RESULTS, DROP),
    ],
    ids=str,
)
async def test_calls_and_results_stay_together(payload: ev.DurablePayload, made: Any) -> None:
    plugins = RunPlugins([make_plugin(on_event=returning(made))])

    assert await plugins.on_event(context_of(plugins), payload) == payload
    assert len(plugins.take_failures()) == 1


@pytest.mark.parametrize(
    ("payload", "made", "expected"),
    [
        (
            RESULTS,
            replace(RESULTS, message_id="x", results=tuple(replace(r, content="") for r in RESULTS.results)),
            replace(RESULTS, results=tuple(replace(r, content="") for r in RESULTS.results)),
        ),
        (
            ev.ToolStarted(CALL, 1),
            ev.ToolStarted(ToolCall("x", "y", "{}"), 7),
            ev.ToolStarted(replace(CALL, arguments="{}"), 1),
        ),
        (
            ev.ToolFinished(RESULT, 1, 0.5),
            ev.ToolFinished(ToolResult("x", "y", "z"), 7, 0.5),
            ev.ToolFinished(replace(RESULT, content="z"), 1, 0.5),
        ),
        (ev.Custom("a", {"b": 1}), ev.Custom("c", {}), ev.Custom("c", {})),
        (ev.Custom("a", {"b": 1}), DROP, None),
        (ERROR, DROP, None),
        (SAID_EVENT, DROP, None),
    ],
    ids=str,
)
async def test_other_events_are_replaced_and_keep_who_they_are(
    payload: ev.DurablePayload, made: Any, expected: Any
) -> None:
    plugins = RunPlugins([make_plugin(on_event=returning(made))])

    assert await plugins.on_event(context_of(plugins), payload) == expected
    assert plugins.take_failures() == []


def test_notes_are_shared_by_the_hooks_of_one_run() -> None:
    plugins = RunPlugins([Plugin()])
    context_of(plugins).notes["seen"] = 1

    assert plugins.context(RUN, "other", "agent/other", "i2").notes == {"seen": 1}
    assert context_of(RunPlugins([Plugin()])).notes == {}


async def test_hooks_cannot_change_what_they_are_shown() -> None:
    async def spoil(context: Any, thing: Any, *_more: Any) -> None:
        context.run.input.state_delta["deep"]["list"].append(2)
        match thing:
            case ModelRequest():
                thing.tools[0].parameters["properties"].clear()
                thing.messages[0].parts[0].data.append(2)
            case Message():
                thing.parts[0].data.append(2)
            case ev.Custom():
                thing.data["list"].append(2)
            case ev.Completion():
                thing.state["x"].append(2)
            case ev.MessagePayload():
                thing.raw_arguments["call_1"] = ""

    hooks = ("after_agent", "before_model", "after_model", "on_event")
    plugins = RunPlugins([make_plugin(**dict.fromkeys(hooks, spoil))] * 2)
    context = context_of(plugins)
    data = Message(Role.ASSISTANT, parts=(Part(data=[1]),))
    request = ModelRequest(messages=(data,), tools=(ToolSpec("add", "", {"properties": {"a": {}}}),))
    custom = ev.Custom("c", {"list": [1]})
    raw = ev.MessagePayload("m1", SAID, raw_arguments={"call_1": "{"})

    await plugins.after_agent(context, data)
    await plugins.before_model(context, request)
    await plugins.after_model(context, data)
    await plugins.on_event(context, custom)
    await plugins.on_event(context, STRUCTURAL[1])
    await plugins.on_event(context, raw)

    assert plugins.take_failures() == []
    assert RUN.input.state_delta == {"deep": {"list": [1]}}
    assert data.parts[0].data == [1]
    assert request.tools[0].parameters == {"properties": {"a": {}}}
    assert custom.data == {"list": [1]}
    assert STRUCTURAL[1].state == {"x": [1]}  # type: ignore[union-attr]
    assert raw.raw_arguments == {"call_1": "{"}
    assert REQUEST.messages[0].content == "2+2?"


async def test_what_cannot_be_copied_is_no_reason_to_fail() -> None:
    seen = []

    async def look(_context: Any, payload: ev.Custom) -> None:
        seen.append(payload.data["lock"])

    lock = iter([1])
    plugins = RunPlugins([make_plugin(on_event=look)])

    await plugins.on_event(context_of(plugins), ev.Custom("c", {"lock": lock}))

    assert seen == [lock]


async def test_failures_are_counted_by_plugin_and_hook() -> None:
    metrics = Metrics()
    plugins = RunPlugins([make_plugin("p", after_model=returning(5))], metrics.count_plugin_failure)

    await call(plugins, "after_model")
    await call(plugins, "after_model")

    where = {"plugin": "p", "hook": "after_model"}
    assert metrics.registry.get_sample_value("runwire_plugin_failures_total", where) == 2
