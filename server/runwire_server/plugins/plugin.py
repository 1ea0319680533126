"""The plugin contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from runwire_server.domain.content import Message, ToolCall, ToolResult
from runwire_server.domain.events import DurablePayload, PartialPayload
from runwire_server.domain.runs import Run
from runwire_server.models.model import ModelRequest


class Verdict(Enum):
    """What a hook may say of an event."""

    DROP = "drop"


DROP = Verdict.DROP


@dataclass(frozen=True, slots=True)
class Allow:
    """The call needs no approval, whatever its tool says."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The call needs an approval. A call that was approved is not asked for again."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    """The call must not be executed; the model is told why."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class HookContext:
    """Where a hook is called. `branch` is the path of the agent that is at work; `notes` are shared by all hooks
    of one run, in this process.
    """

    run: Run
    agent_name: str
    branch: str
    invocation_id: str
    notes: dict[str, Any] = field(default_factory=dict)


class Plugin:
    """Derive from it and override what you need. One object serves all runs; hooks may be called at the same time.

    Hooks are called in the order of the plugins; each gets its own copy of what the one before it made of the thing,
    and None leaves it as it is. A hook that answers in place of the real thing ends the chain. A hook that raises, or
    takes longer than 10 seconds, is left out this time: an event on the MONITOR channel and a metric say so, and the
    run goes on. Only StopError ends the run.
    """

    @property
    def name(self) -> str:
        """How runs and events call it; unique in its app."""
        return type(self).__name__

    async def before_agent(self, context: HookContext) -> Message | None:
        """Before an agent works. A message is its answer: the agent does not run."""
        return None

    async def after_agent(self, context: HookContext, answer: Message) -> Message | None:
        """After an agent has answered. A message is added to the log, and is the answer then."""
        return None

    async def before_model(
        self, context: HookContext, request: ModelRequest
    ) -> ModelRequest | Message | None:
        """Before a model call. A request replaces it; a message is the model's answer: it is not called."""
        return None

    async def after_model(self, context: HookContext, answer: Message) -> Message | None:
        """After a model call, before its answer is in the log. A message replaces it; deltas were shown already."""
        return None

    async def before_tool(
        self, context: HookContext, call: ToolCall
    ) -> ToolCall | str | Allow | Ask | Deny | None:
        """Before a tool call. A call replaces its arguments; a text is its result: the tool is not called."""
        return None

    async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> ToolResult | None:
        """After a tool call, also a failed one. A result replaces it; its tool_call_id stays."""
        return None

    async def on_event(
        self, context: HookContext, payload: DurablePayload
    ) -> DurablePayload | Verdict | None:
        """Before an event gets into the log, and a user's message into the session.

        A payload of the same type replaces it; DROP leaves it out. What a log needs cannot be dropped, and its
        replacement is refused: run_started, completion, changes of state, questions and their answers; StopError
        stops nothing there. Tool calls and their results can be changed, but not dropped. It is not called for
        plugin failures.
        """
        return None

    def on_partial(self, context: HookContext, payload: PartialPayload) -> PartialPayload | Verdict | None:
        """Before a delta is shown. Called for every token: be quick, and do not wait.

        DROP leaves it out; a replacement must keep its message. StopError counts as a failure here. A plugin that
        fails at many deltas of a run is reported once.
        """
        return None

    async def after_run(self, run: Run) -> None:
        """After the run's completion is in the log."""

    async def close(self) -> None:
        """When the server stops. In reverse order."""


@dataclass(frozen=True, slots=True)
class AppPlugins:
    """What an app has: plugins of all runs, and those that a run may name."""

    always: tuple[Plugin, ...] = ()
    by_name: Mapping[str, Plugin] = field(default_factory=dict)
