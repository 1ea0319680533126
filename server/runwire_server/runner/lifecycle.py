"""Where agents are in their life: made, started, at work, stopped, closed."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from runwire_server.agents.agent import Agent
from runwire_server.agents.paths import walk
from runwire_server.domain.errors import PreconditionError
from runwire_server.domain.ids import new_id

_logger = logging.getLogger(__name__)
_HOOK_SECONDS_MAX = 30.0


class AgentState(StrEnum):
    """A stage of an agent's life."""

    CREATED = "created"
    STARTED = "started"
    RUNNING = "running"
    STOPPED = "stopped"
    CLOSED = "closed"


class Lifecycle:
    """The life of all agents of a server, those that others use among them.

    An agent without hooks goes through the same stages.
    """

    def __init__(self, agents: Iterable[Agent], *, hook_seconds_max: float = _HOOK_SECONDS_MAX) -> None:
        self._lives = {id(agent): _Life(agent) for agent in agents}
        for life in self._lives.values():
            life.needs = [self._lives[id(inner)] for _, inner in walk(life.agent)]
        self._hook_seconds_max = hook_seconds_max

    def state(self, agent: Agent) -> AgentState:
        """Return where the agent is."""
        life = self._lives[id(agent)]
        is_busy = life.state is AgentState.STARTED and life.run_count > 0
        return AgentState.RUNNING if is_busy else life.state

    async def start_all(self) -> None:
        """Start every agent; the ones that cannot start are tried again when a run needs them."""
        async with asyncio.TaskGroup() as group:
            for life in self._lives.values():
                group.create_task(self._try_start(life))

    async def ready(self, agent: Agent) -> None:
        """Return when the agent, and all that it uses, has started. Raises: PreconditionError (AGENT_NOT_STARTED)."""
        for life in self._lives[id(agent)].needs:
            if life.state is AgentState.CREATED:
                async with life.lock:
                    await self._try_start(life)
            if not life.has_started:
                raise PreconditionError(
                    f"agent {life.agent.name!r} is not started: {life.why or life.state.value}",
                    "AGENT_NOT_STARTED",
                    agent=life.agent.name,
                )

    @contextmanager
    def at_work(self, agent: Agent) -> Iterator[None]:
        """Count a run of the agent for the time of the block."""
        life = self._lives[id(agent)]
        life.run_count += 1
        try:
            yield
        finally:
            life.run_count -= 1

    async def stop_all(self) -> None:
        """Stop what has started, in reverse order; agents take no runs from then on. Idempotent."""
        lives = list(reversed(self._lives.values()))
        was_started = {id(life) for life in lives if life.state is AgentState.STARTED}
        for life in lives:
            life.state = AgentState.CLOSED if life.state is AgentState.CLOSED else AgentState.STOPPED
        for life in lives:
            if id(life) in was_started:
                await self._call(life, "stop")
            life.state = AgentState.CLOSED

    async def _try_start(self, life: "_Life") -> None:
        if life.state is AgentState.CREATED and await self._call(life, "start"):
            life.state = AgentState.STARTED

    async def _call(self, life: "_Life", name: str) -> bool:
        """Call a hook, if the agent has it. Return whether all is well."""
        hook = getattr(life.agent, name, None)
        if hook is None:
            return True
        try:
            async with asyncio.timeout(self._hook_seconds_max):
                await hook()
        except Exception:
            error_id = new_id()[:12]
            life.why = f"its {name} hook failed; error id {error_id}"
            _logger.exception("agent %s: %s", life.agent.name, life.why)
            return False
        return True


class _Life:
    """One agent's life."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.state = AgentState.CREATED
        self.run_count = 0
        self.why = ""
        self.lock = asyncio.Lock()
        # Itself, and all agents that it uses.
        self.needs: list[_Life] = []

    @property
    def has_started(self) -> bool:
        """Whether it takes runs."""
        return self.state is AgentState.STARTED
