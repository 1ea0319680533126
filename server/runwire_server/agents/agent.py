"""The agent contract, and the little that an agent may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runwire_server.domain.content import JsonObject, Message, ToolCall, ToolSpec
from runwire_server.domain.events import DurablePayload, PartialPayload
from runwire_server.domain.ids import new_id
from runwire_server.domain.mail import Answer, QuestionKind
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import Run, RunOptions
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import HookContext
from runwire_server.tools.tool import Tool, ToolMiddleware


@record(frozen=True, slots=True)
class Identity:
    """Who speaks: an agent's name, its path from the run's agent down, and its activation."""

    author: str
    branch: str
    invocation_id: str
    parent_invocation_id: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """What an agent needs to know of a call of message `message_id`."""

    kind: QuestionKind
    tool_call: ToolCall
    message_id: str
    reason: str = ""


class Output(Protocol):
    """Where an agent's events go: the run's log. Implemented by runner.voice."""

    @property
    def run(self) -> Run:
        """The run as it is now: its usage so far, its questions, its mail."""
        ...

    async def emit(
        self,
        payload: DurablePayload,
        *,
        state_delta: JsonObject | None = None,
        tag: str = "",
        may_wait: bool = False,
    ) -> DurablePayload | None:
        """Add to the log. Returns once it is stored, so a slow store slows the agent.

        With `may_wait` it may be stored, and shown, with what comes next, within 50 ms: for an answer, after which
        the run probably ends. What fails then is raised by the next call, or ends the run.

        Return what is in the log: what plugins made of the payload, or None when one dropped it.
        Raises: FencedError when another replica has taken the run. StopError of a plugin.
        """
        ...

    def partial(self, payload: PartialPayload) -> None:
        """Show a delta to whoever follows. Never waits, never fails; not stored. The offset is filled in."""
        ...

    def checkpoint(self, point: str) -> None:
        """Say that a model call ("model") or a round of tools ("tools") has ended.

        Raises: RunCancelled when a graceful cancel waits for that point.
        """
        ...

    async def take_messages(self) -> list[Message]:
        """Return what users have queued meanwhile, oldest first; it is in the log then. Cheap when there is nothing.

        Call it before a model call, and never between a tool call and its result.
        """
        ...

    async def ask(self, asked: Sequence[Ask]) -> None:
        """Put questions into the log and the run's record. What is asked already is not asked again."""
        ...

    async def answers(self) -> Mapping[tuple[str, str], Answer]:
        """Return the answers to the run's questions, by message and call id. New ones are in the log then."""
        ...

    def as_agent(self, identity: Identity) -> "Output":
        """Return the same log for another agent of the run."""
        ...


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What an agent may use. Deliberately without the store.

    `options` are those for this agent. `tools` are the app's, for runs that add some by name. `history` ends with
    what the agent must react to: a message, or its own tool calls that nobody has answered. `last_message_id`
    names the last assistant message in it, whose calls those are; empty when there is none.
    """

    run: Run
    identity: Identity
    history: tuple[Message, ...]
    options: RunOptions
    output: Output
    last_message_id: str = ""
    plugins: RunPlugins = field(default_factory=RunPlugins)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    tool_middleware: tuple[ToolMiddleware, ...] = ()

    def hook_context(self) -> HookContext:
        """Return where this agent calls the hooks of plugins, with the run as it is now."""
        who = self.identity
        return self.plugins.context(self.output.run, who.author, who.branch, who.invocation_id)

    def nested(
        self, agent: "Agent", history: Sequence[Message], *, last_message_id: str = ""
    ) -> "AgentContext":
        """Return the context for an agent that this one uses."""
        mine = self.identity
        branch = f"{mine.branch}/{agent.name}"
        identity = Identity(agent.name, branch, new_id(), mine.invocation_id)
        return replace(
            self,
            identity=identity,
            history=tuple(history),
            options=self.run.input.options.of_agent(branch),
            output=self.output.as_agent(identity),
            last_message_id=last_message_id,
        )


@record(frozen=True, slots=True)
class AgentTool:
    """A tool as AgentService tells of it."""

    spec: ToolSpec
    requires_approval: bool = False


@record(frozen=True, slots=True)
class AgentDescription:
    """What AgentService tells of an agent. `sub_agents` are those that it can use, by name."""

    description: str = ""
    model: str = ""
    tools: Sequence[AgentTool] = ()
    sub_agents: Sequence["Agent"] = ()


class Agent(Protocol):
    """Something that can answer.

    It may also have `async def start()` and `async def stop()`: the server awaits them before the first run and after
    the last one. An agent whose start raises takes no runs; the next run tries again.
    """

    @property
    def name(self) -> str:
        """What runs call it by; unique in its app. No "/"."""
        ...

    def describe(self) -> AgentDescription:
        """Say what it is for and what it has."""
        ...

    def check(self, options: RunOptions, tools: Mapping[str, Tool]) -> None:
        """Refuse options that this agent cannot serve; `tools` are the app's. Raises: InvalidRequestError."""
        ...

    async def run(self, context: AgentContext) -> Message:
        """Answer the history's last message, emitting progress on the way.

        The returned message is in the log once: an agent that has not emitted it itself leaves that to the runner.
        What an agent has done is in the history: when a run goes on after it waited, or because a user said more
        meanwhile, the agent is run again, with the history as it is then.

        Raises:
            RunWaiting: It has asked something, see Output.ask, and cannot go on.
            RunFailure: The run ends FAILED, with this text.
            StopError: The run ends COMPLETED, with stop_reason stop_error.
            Exception: Any other ends it FAILED too, as an internal error whose text stays in the server's log.
        """
        ...
