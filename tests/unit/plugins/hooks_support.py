"""A run's plugins, and plugins made of functions, for tests."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.runs import Outcome, Run, RunError, RunInput, RunOptions, RunState
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import HookContext, Plugin

SAID = Message(Role.ASSISTANT, "it is 4")
CALL = ToolCall("call_1", "add", '{"a": 2}')
RESULT = ToolResult("call_1", "add", "4")
REQUEST = ModelRequest(messages=(Message(Role.USER, "2+2?"),))
SAID_EVENT = ev.MessagePayload("m1", SAID)
RUN = Run(
    key=RunKey("app", "r1"),
    session=SessionKey("app", "u", "s"),
    agent_name="agent",
    state=RunState.RUNNING,
    create_time=datetime(2026, 1, 1, tzinfo=UTC),
    input=RunInput(message=REQUEST.messages[0], state_delta={"deep": {"list": [1]}}),
)
STRUCTURAL: tuple[ev.DurablePayload, ...] = (
    ev.RunStarted(RUN, RunOptions()),
    ev.Completion(Outcome.COMPLETED, "stop", message=SAID, state={"x": [1]}),
    ev.RunStateChanged(RunState.RUNNING, RunState.WAITING),
    ev.ApprovalRequested("a1", CALL),
    ev.ApprovalResolved("a1", ev.Decision.APPROVED),
    ev.ToolOutputsRequested((CALL,)),
)
ERROR = ev.ErrorPayload(RunError("model_error", "cannot", "MODEL_TIMEOUT"))


def make_plugin(plugin_name: str = "made", **hooks: Callable[..., Any]) -> Plugin:
    """Return a plugin with these hooks, which are given what the real ones are, but not themselves."""

    def method(hook: Callable[..., Any]) -> Callable[..., Any]:
        return lambda _self, *given: hook(*given)

    namespace: dict[str, Any] = {name: method(hook) for name, hook in hooks.items()}
    made: Plugin = type("Made", (Plugin,), {"name": plugin_name, **namespace})()
    return made


def returning(value: Any) -> Callable[..., Any]:
    """Return an async hook that always returns that."""

    async def hook(*_given: Any) -> Any:
        return value

    return hook


def context_of(plugins: RunPlugins, run: Run = RUN) -> HookContext:
    """Return where hooks of the run's agent are called."""
    return plugins.context(run, "agent", "agent", "i1")


async def call(plugins: RunPlugins, hook: str) -> Any:
    """Call any hook of the chain, with something that fits."""
    if hook == "after_run":
        return await plugins.after_run(RUN)
    given: Mapping[str, tuple[Any, ...]] = {
        "before_agent": (),
        "after_agent": (SAID,),
        "before_model": (REQUEST,),
        "after_model": (SAID,),
        "before_tool": (CALL,),
        "after_tool": (CALL, RESULT),
        "on_event": (SAID_EVENT,),
    }
    return await getattr(plugins, hook)(context_of(plugins), *given[hook])


UNTOUCHED: Mapping[str, Any] = {
    "before_agent": None,
    "after_agent": None,
    "before_model": REQUEST,
    "after_model": SAID,
    "before_tool": (CALL, None),
    "after_tool": RESULT,
    "on_event": SAID_EVENT,
    "after_run": None,
}
