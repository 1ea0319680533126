"""The chain: order, who ends it, who replaces what (P1, P2, PLG-02, PLG-05, PLG-08)."""

from dataclasses import replace
from typing import Any

import pytest
from plugins_support import (
    ANSWER,
    CALL,
    DELTA,
    REQUEST,
    RESULT,
    RUN,
    SAID,
    STRUCTURAL,
    UNTOUCHED,
    USER,
    Chain,
    Made,
    made,
)

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Part, Role, ToolCall, ToolResult
from runwire_server.domain.errors import StopError
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import DROP, Allow, Ask, Deny, HookContext, Plugin


def said(text: str) -> Message:
    return Message(Role.ASSISTANT, text)


def appending(text: str) -> Any:
    """Add to whatever it is given, and return it."""

    def add(*given: Any) -> Any:
        thing = given[-1]
        match thing:
            case Message() | ToolResult():
                return replace(thing, content=thing.content + text)
            case ToolCall():
                return replace(thing, arguments=thing.arguments + text)
            case ModelRequest():
                return replace(thing, messages=(*thing.messages, said(text)))
            case ev.TextDelta():
                return replace(thing, text=thing.text + text)
            case ev.MessagePayload():
                return replace(thing, message=add(thing.message))
        raise AssertionError(thing)

    return add


IN_ORDER = {
    "after_agent": said("answerab"),
    "before_model": replace(REQUEST, messages=(USER, said("a"), said("b"))),
    "after_model": said("answerab"),
    "before_tool": (replace(CALL, arguments=CALL.arguments + "ab"), None),
    "after_tool": replace(RESULT, content="resultab"),
    "on_event": replace(SAID, message=said("answerab")),
    "on_partial": replace(DELTA, text="ansab"),
}


@pytest.mark.parametrize("hook", IN_ORDER)
async def test_each_gets_what_the_one_before_it_made(hook: str) -> None:
    chain = Chain(*(made(name, **{hook: appending(name)}) for name in "ab"))
    assert await chain.call(hook) == IN_ORDER[hook]
    assert chain.failures() == []


@pytest.mark.parametrize("hook", UNTOUCHED)
async def test_none_leaves_the_thing_as_it_is(hook: str) -> None:
    plugins = [made(name, **{hook: lambda *_: None}) for name in "ab"]
    chain = Chain(*plugins, Plugin())
    assert await chain.call(hook) == UNTOUCHED[hook]
    assert [len(plugin.seen) for plugin in plugins] == [1, 1]
    assert chain.failures() == []


@pytest.mark.parametrize("hook", UNTOUCHED)
async def test_without_plugins_everything_stays_as_it_is(hook: str) -> None:
    chain = Chain()
    assert not chain.plugins
    assert await chain.call(hook) == UNTOUCHED[hook]


@pytest.mark.parametrize(
    ("hook", "answer", "expected"),
    [
        ("before_agent", said("no"), said("no")),
        ("before_model", said("no"), said("no")),
        ("before_tool", "no", (CALL, "no")),
        ("before_tool", "", (CALL, "")),
        ("before_tool", Deny("no"), (CALL, Deny("no"))),
        ("on_event", DROP, None),
        ("on_partial", DROP, None),
    ],
)
async def test_an_answer_in_place_of_the_real_thing_ends_the_chain(
    hook: str, answer: Any, expected: Any
) -> None:
    first = made("first", **{hook: lambda *_: None})
    second = made("second", **{hook: lambda *_: answer})
    third = made("third", **{hook: lambda *_: None})
    chain = Chain(first, second, third)
    assert await chain.call(hook) == expected
    assert [len(plugin.seen) for plugin in (first, second, third)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("first", "second"), [(Allow(), Ask("b")), (Ask("a"), Allow()), (Ask("a"), Ask("b"))]
)
async def test_the_first_of_allow_and_ask_counts_and_later_edits_apply(first: Any, second: Any) -> None:
    edit = made("edit", before_tool=lambda call: replace(call, arguments="{}"))
    chain = Chain(made("a", before_tool=lambda _: first), made("b", before_tool=lambda _: second), edit)
    assert await chain.call("before_tool") == (replace(CALL, arguments="{}"), first)


async def test_a_denial_counts_more_than_what_was_allowed_before() -> None:
    chain = Chain(made("a", before_tool=lambda _: Allow()), made("b", before_tool=lambda _: Deny("no")))
    assert await chain.call("before_tool") == (CALL, Deny("no"))


async def test_a_call_keeps_its_id_and_its_name_whatever_a_plugin_makes_of_it() -> None:
    other = ToolCall("other", "rm", "{}")
    chain = Chain(made(before_tool=lambda _: other))
    assert await chain.call("before_tool") == (ToolCall("call_1", "tool", "{}"), None)


async def test_a_result_keeps_its_call() -> None:
    chain = Chain(made(after_tool=lambda _, __: ToolResult("other", "rm", "new")))
    assert await chain.call("after_tool") == ToolResult("call_1", "tool", "new")


async def test_notes_are_shared_within_a_run_and_not_between_runs() -> None:
    class Counting(Plugin):
        async def before_agent(self, context: HookContext) -> None:
            context.notes["count"] = context.notes.get("count", 0) + 1

    plugins = (Counting(),)
    one, other = RunPlugins(plugins), RunPlugins(plugins)
    for chain in (one, one, other):
        await chain.before_agent(chain.context(RUN, "agent", "agent", "i"))
    assert one.context(RUN, "", "", "").notes == {"count": 2}
    assert other.context(RUN, "", "", "").notes == {"count": 1}


async def test_only_plugins_that_have_the_hook_make_a_chain_see_events_and_partials() -> None:
    assert not Chain(Plugin(), Made()).plugins.sees_events
    assert not Chain(Plugin(), Made()).plugins.sees_partials
    assert Chain(Plugin(), made(on_event=lambda _: None)).plugins.sees_events
    assert Chain(Plugin(), made(on_partial=lambda _: None)).plugins.sees_partials


async def test_after_run_is_told_to_all_whatever_some_do() -> None:
    def broken(_: Any) -> None:
        raise StopError("no")

    first, second = made("first", after_run=broken), made("second", after_run=lambda _: None)
    chain = Chain(first, second)
    await chain.call("after_run")
    assert second.seen == [("after_run", RUN)]
    assert chain.counted == [("first", "after_run")]


@pytest.mark.parametrize("payload", STRUCTURAL, ids=lambda p: type(p).__name__)
async def test_what_a_log_needs_is_not_dropped(payload: Any) -> None:
    """The second plugin still sees it (PLG-06: the original is kept). Replacing: see test_hook_order."""
    second = made("second", on_event=lambda _: None)
    first = made("first", on_event=lambda _: DROP)
    chain = Chain(first, second)
    assert await chain.give("on_event", payload) == payload
    assert second.seen == [("on_event", payload)]
    assert chain.failures() == chain.counted == [("first", "on_event")]


async def test_what_went_wrong_is_not_shown_to_plugins() -> None:
    """Else a plugin that fails at every event would fail for ever."""
    plugin = made(on_event=lambda _: DROP)
    failure = ev.PluginFailed("p", "on_event", ev.RunError("plugin_error", "no", "PLUGIN_FAILED"))
    assert await Chain(plugin).give("on_event", failure) is failure
    assert plugin.seen == []


async def test_what_a_hook_does_to_what_it_got_changes_nothing() -> None:
    """Data is not frozen, so hooks get copies."""
    data = {"a": [1]}
    message = Message(Role.USER, parts=(Part(data=data),))
    request = replace(REQUEST, messages=(message,))

    def change(*given: Any) -> None:
        thing = given[-1]
        if isinstance(thing, ev.Custom):
            thing.data["a"].append(2)  # type: ignore[index]
        elif isinstance(thing, ModelRequest):
            thing.tools[0].parameters["x"] = 1  # type: ignore[index]
            thing.messages[0].parts[0].data["a"].append(2)
        else:
            (thing.message if isinstance(thing, ev.MessagePayload) else thing).parts[0].data["a"].append(2)

    names = ("before_model", "after_model", "after_agent", "on_event")
    chain = Chain(made(**dict.fromkeys(names, change)))
    assert await chain.give("before_model", request) is request
    assert await chain.give("after_model", message) is message
    assert await chain.give("after_agent", message) is None
    for payload in (ev.Custom("c", data), ev.MessagePayload("m", message)):
        assert await chain.give("on_event", payload) is payload
    assert chain.failures() == []
    assert data == {"a": [1]}
    assert REQUEST.tools[0].parameters == {"type": "object"}


async def test_an_answer_that_is_the_same_is_no_other_answer() -> None:
    chain = Chain(made(after_agent=lambda answer: answer))
    assert await chain.give("after_agent", ANSWER) is None
    assert await chain.give("after_agent", replace(ANSWER, parts=(Part(data={}),))) is None


@pytest.mark.parametrize("hook", ["before_agent", "after_agent"])
async def test_an_answer_is_an_assistants_and_has_no_calls(hook: str) -> None:
    odd = Message(Role.USER, "x", tool_calls=(CALL,), tool_call_id="c", tool_name="t")
    assert await Chain(made(**{hook: lambda *_: odd})).call(hook) == said("x")


async def test_a_tools_answer_that_is_left_alone_stays_one() -> None:
    answer = Message(Role.TOOL, "x", tool_call_id="c", tool_name="t")
    assert await Chain(made(after_agent=lambda given: given)).give("after_agent", answer) is None
