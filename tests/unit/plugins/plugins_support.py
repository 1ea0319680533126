"""What tests of plugins share: a run, payloads, and plugins made of functions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult, ToolSpec
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import Decision
from runwire_server.domain.runs import Outcome, Run, RunError, RunState
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import HookContext, Plugin

RUN = Run(
    key=RunKey("app", "r"),
    session=SessionKey("app", "u", "s"),
    agent_name="agent",
    state=RunState.RUNNING,
    create_time=datetime(2026, 1, 1, tzinfo=UTC),
)
USER = Message(Role.USER, "hi")
ANSWER = Message(Role.ASSISTANT, "answer")
CALL = ToolCall("call_1", "tool", '{"a": 1}')
RESULT = ToolResult("call_1", "tool", "result")
SPEC = ToolSpec("tool", "does", {"type": "object"})
REQUEST = ModelRequest(messages=(USER,), tools=(SPEC,))
ERROR = RunError("model_error", "it broke", "MODEL_REJECTED", "e1")
SAID = ev.MessagePayload("m", ANSWER)
DELTA = ev.TextDelta("m", "ans")

STRUCTURAL = (
    ev.RunStarted(RUN, RUN.input.options),
    ev.Completion(Outcome.COMPLETED, "stop"),
    ev.RunStateChanged(RunState.QUEUED, RunState.RUNNING),
    ev.ApprovalRequested("a", CALL),
    ev.ApprovalResolved("a", Decision.APPROVED),
    ev.ToolOutputsRequested((CALL,)),
)


class Made(Plugin):
    """A plugin of the functions that are given, by the names of hooks; it remembers what it was called with."""

    def __init__(self, name: str = "made") -> None:
        self._name = name
        self.seen: list[tuple[Any, ...]] = []

    @property
    def name(self) -> str:
        return self._name


def made(name: str = "made", **hooks: Callable[..., Any]) -> Made:
    """Return a plugin whose hooks are these functions, without the context. The chain looks at its class."""

    def method(hook: str, function: Callable[..., Any]) -> Any:
        takes_context = hook not in {"after_run", "close"}

        def given(self: Made, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            own = arguments[1:] if takes_context else arguments
            self.seen.append((hook, *own))
            return own

        if hook == "on_partial":
            return lambda self, *arguments: function(*given(self, arguments))

        async def call(self: Made, *arguments: Any) -> Any:
            answer = function(*given(self, arguments))
            return await answer if hasattr(answer, "__await__") else answer

        return call

    kind = type(name, (Made,), {hook: method(hook, function) for hook, function in hooks.items()})
    return kind(name)  # type: ignore[no-any-return]


class Chain:
    """The plugins of one run, what is counted, and where hooks are called."""

    def __init__(self, *plugins: Plugin, seconds: float = 5.0) -> None:
        self.counted: list[tuple[str, str]] = []
        self.plugins = RunPlugins(
            plugins, lambda plugin, hook: self.counted.append((plugin, hook)), hook_seconds_max=seconds
        )
        self.context = self.plugins.context(RUN, "agent", "agent", "i")

    async def call(self, hook: str) -> Any:
        """Call a hook of the chain with the usual thing."""
        return await self.give(hook, *USUAL[hook])

    async def give(self, hook: str, *given: Any) -> Any:
        """Call a hook of the chain."""
        method = getattr(self.plugins, hook)
        if hook == "after_run":
            return await method(*given)
        answer = method(self.context, *given)
        return await answer if hasattr(answer, "__await__") else answer

    def failures(self) -> list[tuple[str, str]]:
        """Return and forget what went wrong: plugin, hook."""
        return [(failure.plugin, failure.hook) for failure in self.plugins.take_failures()]


# What each hook is given, and what the chain says when all plugins leave the thing as it is.
USUAL: dict[str, tuple[Any, ...]] = {
    "before_agent": (),
    "after_agent": (ANSWER,),
    "before_model": (REQUEST,),
    "after_model": (ANSWER,),
    "before_tool": (CALL,),
    "after_tool": (CALL, RESULT),
    "on_event": (SAID,),
    "on_partial": (DELTA,),
    "after_run": (RUN,),
}
UNTOUCHED: dict[str, Any] = {
    "before_agent": None,
    "after_agent": None,
    "before_model": REQUEST,
    "after_model": ANSWER,
    "before_tool": (CALL, None),
    "after_tool": RESULT,
    "on_event": SAID,
    "on_partial": DELTA,
    "after_run": None,
}


def context() -> HookContext:
    """Where a hook of a single plugin is called."""
    return RunPlugins().context(RUN, "agent", "agent", "i")
