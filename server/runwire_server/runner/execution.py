"""Execute one run: wait for its turn, drive its agent, and close its log with exactly one completion."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from runwire_server.agents.agent import Agent, AgentContext
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message
from runwire_server.domain.errors import (
    AgentError,
    FencedError,
    HookError,
    NotFoundError,
    RunCancelled,
    UnavailableError,
    WritesLostError,
)
from runwire_server.domain.ids import ReplicaId
from runwire_server.domain.runs import Outcome
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.runner.catalog import NO_HOOKS
from runwire_server.runner.ending import Ending, ending_of_failure, ending_of_stop
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import LiveRun, Stop
from runwire_server.runner.opening import Opening, open_run
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.port import Store

_logger = logging.getLogger(__name__)
_QUEUE_POLL_SECONDS = 0.5
_CLOSE_RETRY_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSettings:
    """How runs are executed. `cancel_grace_seconds` is what an agent gets to notice its cancellation."""

    replica: ReplicaId
    clock: Callable[[], datetime]
    cancel_grace_seconds: float = 1.0
    session_hooks: SessionHooks = NO_HOOKS


class Execution:
    """One run on this replica, from its turn to its completion."""

    def __init__(
        self, store: Store, supervisor: Supervisor, settings: ExecutionSettings, live: LiveRun, agent: Agent
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._settings = settings
        self._live = live
        self._agent = agent
        self._journal = Journal(store, live, supervisor, settings.clock, hooks=settings.session_hooks)

    async def run(self) -> None:
        """Bring the run to its end. Never raises Exception: the outcome is in the log.

        Returns early only when another replica has taken the run.
        """
        self._arm_deadline()
        try:
            ending = await self._work()
            await self._close(ending)
        except FencedError:
            _logger.warning("run %s was taken by another replica; stopped", self._live.run.key.request_id)
        except NotFoundError:
            _logger.warning("run %s is gone from the store; stopped", self._live.run.key.request_id)
        except asyncio.CancelledError:
            stop = self._live.stop or Stop(Outcome.CANCELLED, "draining", "the server shuts down")
            await self._supervisor.finish("close-run", self._close(ending_of_stop(stop)))
            raise
        finally:
            self._live.close()

    def _arm_deadline(self) -> None:
        run = self._live.run
        seconds = run.input.options.max_run_seconds
        stop = Stop(Outcome.TIMED_OUT, "max_run_duration")
        if run.deadline is not None:
            left = (run.deadline - self._settings.clock()).total_seconds()
            if seconds is None or left < seconds:
                seconds, stop = left, Stop(Outcome.TIMED_OUT, "deadline")
        if seconds is not None:
            self._live.arm_deadline(seconds, stop)

    async def _work(self) -> Ending:
        """Do the run's work and say how it ended. Raises: FencedError, NotFoundError."""
        try:
            if not await self._take_turn():
                return self._stopped()
            if self._live.stop is not None:
                return self._stopped()
            opening = await open_run(
                self._store,
                self._journal,
                self._live.run,
                self._agent,
                session_created=self._live.session_created,
                hooks=self._settings.session_hooks,
            )
        except (UnavailableError, HookError) as error:
            return ending_of_failure(error, _logger, self._live.run)
        return await self._drive(opening)

    async def _take_turn(self) -> bool:
        """Wait until the run is first in its session's queue, and take it. False: it was stopped before."""
        settings = self._settings
        while self._live.stop is None:
            run = await self._store.claim_run(
                self._live.run.key,
                settings.replica,
                attempt=self._live.run.attempt,
                now=settings.clock(),
            )
            if run is not None:
                self._live.run = replace(run, invocation_id=self._live.run.invocation_id)
                if run.cancel is not None:
                    self._live.cancel(run.cancel)
                return True
            current = await self._store.get_run(self._live.run.key)
            if current.attempt != self._live.run.attempt or current.state.is_terminal:
                raise FencedError(f"run {current.key.request_id!r} was taken")
            try:
                # The end of the run before nudges; another replica's run does not, hence the time-out.
                async with asyncio.timeout(_QUEUE_POLL_SECONDS):
                    await self._live.changed()
            except TimeoutError:
                continue
        return False

    async def _drive(self, opening: Opening) -> Ending:
        """Let the agent work until it ends, or until the run is stopped."""
        run = self._live.run
        context = AgentContext(
            run=run,
            author=self._agent.name,
            invocation_id=run.invocation_id,
            history=opening.history,
            options=run.input.options,
            output=self._journal,
        )
        task = self._supervisor.spawn(f"agent-{run.key.request_id}", self._agent.run(context))
        task.add_done_callback(lambda _: self._live.nudge())
        try:
            while not task.done() and self._live.stop is None:
                await self._live.changed()
        finally:
            await self._end_task(task)
        if task.done() and not task.cancelled():
            return await self._ending_of(task)
        if self._live.stop is None:
            error = AgentError("the agent cancelled itself", "AGENT_CANCELLED_ITSELF")
            return ending_of_failure(error, _logger, run)
        return self._stopped()

    async def _end_task(self, task: asyncio.Task[Message]) -> None:
        if task.done():
            return
        task.cancel()
        _, left = await asyncio.wait({task}, timeout=self._settings.cancel_grace_seconds)
        if left:
            _logger.error(
                "the agent of run %s ignores its cancellation; the run ends without it",
                self._live.run.key.request_id,
            )

    async def _ending_of(self, task: asyncio.Task[Message]) -> Ending:
        """Say how an agent ended that was not cancelled."""
        error = task.exception()
        match error:
            case None:
                return await self._ending_of_answer(task.result())
            case FencedError():
                raise error
            case RunCancelled():
                return Ending(Outcome.CANCELLED, "cancelled", cancel_reason=str(error))
            case Exception():
                if self._live.stop is not None:
                    return self._stopped()
                return ending_of_failure(error, _logger, self._live.run)
            case _:
                raise error

    async def _ending_of_answer(self, answer: Message) -> Ending:
        if not self._journal.message_ids and answer.has_payload:
            # The agent left it to us to put its answer into the log.
            await self._journal.emit(ev.MessagePayload(uuid4().hex, answer, finish_reason="stop"))
        reason = self._journal.finish_reason
        return Ending(Outcome.COMPLETED, "stop" if reason in {"", "tool_calls"} else reason, message=answer)

    def _stopped(self) -> Ending:
        return ending_of_stop(self._live.stop or Stop(Outcome.CANCELLED, "cancelled"))

    async def _close(self, ending: Ending) -> None:
        """Write the completion. Goes on trying while the store cannot be reached: no run stays open for ever."""
        delay = 0.1
        while True:
            try:
                await ending.write(self._journal)
            except UnavailableError as error:
                _logger.warning("cannot close run %s yet: %s", self._live.run.key.request_id, error)
                if isinstance(error, WritesLostError):
                    # However the work ended, part of it is not in the log: that is a failure.
                    ending = ending_of_failure(error, _logger, self._live.run)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _CLOSE_RETRY_SECONDS_MAX)
            except FencedError:
                # The try before this one was done after all, and only its answer was lost.
                if not self._journal.is_complete:
                    raise
                return
            else:
                return
