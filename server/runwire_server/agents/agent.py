"""The agent contract, and the little that an agent may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runwire_server.domain.content import JsonObject, Message, ToolSpec
from runwire_server.domain.events import DurablePayload, PartialPayload
from runwire_server.domain.runs import Run, RunOptions


class Output(Protocol):
    """Where an agent's events go: the run's log. Implemented by runner.journal."""

    async def emit(self, payload: DurablePayload, *, state_delta: JsonObject | None = None) -> None:
        """Add to the log. Returns once it is stored, so a slow store slows the agent.

        Raises: FencedError when another replica has taken the run.
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


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What an agent may use. Deliberately without the store."""

    run: Run
    author: str
    invocation_id: str
    history: tuple[Message, ...]
    options: RunOptions
    output: Output


@dataclass(frozen=True, slots=True)
class AgentDescription:
    """What AgentService tells of an agent."""

    description: str = ""
    model: str = ""
    tools: Sequence[ToolSpec] = ()
    sub_agents: Sequence[str] = ()


class Agent(Protocol):
    """Something that can answer."""

    @property
    def name(self) -> str:
        """What runs call it by; unique in its app."""
        ...

    def describe(self) -> AgentDescription:
        """Say what it is for and what it has."""
        ...

    def check(self, options: RunOptions) -> None:
        """Refuse options that this agent cannot serve. Raises: InvalidRequestError."""
        ...

    async def run(self, context: AgentContext) -> Message:
        """Answer the history's last message, emitting progress on the way.

        The returned message is in the log once: an agent that has not emitted it itself leaves that to the runner.

        Raises:
            RunFailure: The run ends FAILED, with this text.
            Exception: Any other too, as an internal error whose text stays in the server's log.
        """
        ...
