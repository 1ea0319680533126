"""Let an agent work on a run until it has answered, must wait, or is stopped."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta

from runwire_server.agents.agent import Agent, AgentContext
from runwire_server.agents.nested import answer_of
from runwire_server.agents.structured import OutputInvalid, read_output
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import (
    AgentError,
    FencedError,
    RunCancelled,
    RunWaiting,
    StaleMailError,
    StopError,
)
from runwire_server.domain.ids import new_id
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import NOBODY, Outcome, Run, RunState
from runwire_server.plugins.chain import RunPlugins
from runwire_server.runner.ending import Ending, ending_of_failure, ending_of_stop
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import LiveRun, Stop
from runwire_server.runner.opening import History
from runwire_server.runner.supervisor import Supervisor
from runwire_server.runner.voice import Voice, settle
from runwire_server.tools.tool import Tool, ToolMiddleware

_logger = logging.getLogger(__name__)
# A limit that the run has reached stays reached: more messages cannot be answered.
_FINAL_REASONS = frozenset({"max_llm_calls", "max_tool_rounds", "max_total_tokens"})


@record(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What an agent works with: what its app has, and how long it may wait. `cancel_grace_seconds` is what it gets to
    notice its cancellation.
    """

    clock: Callable[[], datetime]
    cancel_grace_seconds: float = 1.0
    waiting_seconds_max: float = 86_400.0
    plugins: RunPlugins = field(default_factory=RunPlugins)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    tool_middleware: tuple[ToolMiddleware, ...] = ()


class Activation:
    """One stretch of an agent's work on a run: between its start, or an answer, and its end, or a question."""

    def __init__(
        self, agent: Agent, journal: Journal, live: LiveRun, supervisor: Supervisor, workshop: Workshop
    ) -> None:
        self._agent = agent
        self._journal = journal
        self._live = live
        self._supervisor = supervisor
        self._workshop = workshop

    async def run(self, history: History) -> Ending | None:
        """Let the agent work. Return how the run ends, or None when the agent waits for an answer.

        Raises: FencedError.
        """
        self._journal.forget_answer()
        task = self._supervisor.spawn(
            f"agent-{self._live.run.key.request_id}", answer_of(self._agent, self._context(history))
        )
        task.add_done_callback(lambda _: self._live.nudge())
        try:
            while not task.done() and self._live.stop is None:
                await self._live.changed()
        finally:
            await self._end_task(task)
        if task.done() and not task.cancelled():
            return await self._ending_of(task, history)
        if self._live.stop is None:
            error = AgentError("the agent cancelled itself", "AGENT_CANCELLED_ITSELF")
            return ending_of_failure(error, _logger, self._live.run)
        return self.stopped()

    def stopped(self) -> Ending:
        """Return the ending of a run that was stopped from outside."""
        return ending_of_stop(self._live.stop or Stop(Outcome.CANCELLED, "cancelled"))

    async def take_messages(self) -> None:
        """Put what users have queued into the log and the session. Raises: as Journal.write."""
        await self._voice().take_messages()

    async def wait(self, worked_seconds: float) -> bool:
        """Make the run a record that nobody works on. Return False when there is news for it: it must go on.

        Raises: FencedError, UnavailableError, AgentError when it asked nothing that could be answered.
        """
        run = self._journal.run
        if not run.open_questions:
            if all(question.is_settled for question in run.questions):
                raise AgentError("the agent waits for nothing", "AGENT_WAITS_FOR_NOTHING")
            # An agent that does not look at the answers is asked once more, not for ever.
            await settle(self._journal)
            return False
        due = min((q.expire_time for q in run.open_questions if q.expire_time is not None), default=None)

        def waiting(run: Run) -> Run:
            worked = run.worked_seconds + worked_seconds
            return replace(run, state=RunState.WAITING, owner=NOBODY, due_time=due, worked_seconds=worked)

        draft = self._journal.draft(ev.RunStateChanged(run.state, RunState.WAITING, "waits for an answer"))
        try:
            await self._journal.write([draft], record=waiting, mail_version=run.mail.version)
        except StaleMailError:
            return False
        return True

    def _context(self, history: History) -> AgentContext:
        run = self._live.run
        identity = self._journal.root
        options = run.input.options
        return AgentContext(
            run=run,
            identity=identity,
            history=history.messages,
            last_message_id=history.last_message_id,
            options=options.of_agent(identity.branch),
            output=self._voice(),
            plugins=self._workshop.plugins,
            tools=self._workshop.tools,
            tool_middleware=self._workshop.tool_middleware,
        )

    def _voice(self) -> Voice:
        return Voice(self._journal, self._journal.root, self._expire_time(self._journal.run))

    def _expire_time(self, run: Run) -> datetime:
        """Return when questions lapse that are asked now: a caller's deadline counts, too."""
        limit = self._workshop.waiting_seconds_max
        asked = run.input.options.waiting_seconds
        until = self._workshop.clock() + timedelta(seconds=limit if asked is None else min(asked, limit))
        return until if run.deadline is None else min(until, run.deadline)

    async def _end_task(self, task: asyncio.Task[Message]) -> None:
        if task.done():
            return
        task.cancel()
        _, left = await asyncio.wait({task}, timeout=self._workshop.cancel_grace_seconds)
        if left:
            _logger.error(
                "the agent of run %s ignores its cancellation; the run ends without it",
                self._live.run.key.request_id,
            )

    async def _ending_of(self, task: asyncio.Task[Message], history: History) -> Ending | None:
        """Say how an agent ended that was not cancelled."""
        error = task.exception()
        match error:
            case None:
                try:
                    return await self._ending_of_answer(task.result(), history)
                except StopError as stop:
                    return ending_of_failure(stop, _logger, self._live.run)
            case RunWaiting():
                return self._ending_of_wait()
            case FencedError():
                raise error
            case RunCancelled():
                return Ending(Outcome.CANCELLED, "cancelled", cancel_reason=str(error))
            case Exception():
                if self._live.stop is not None:
                    return self.stopped()
                return ending_of_failure(error, _logger, self._live.run)
            case _:
                raise error

    def _ending_of_wait(self) -> Ending | None:
        """A run that is to stop soon does not begin to wait: this is the point that every cancel means."""
        if self._live.stop is not None:
            return self.stopped()
        if (cancel := self._live.graceful) is not None:
            return Ending(Outcome.CANCELLED, "cancelled", cancel_reason=cancel.reason)
        return None

    async def _ending_of_answer(self, answer: Message, history: History) -> Ending:
        journal = self._journal
        if history.messages and answer is history.messages[-1]:
            return Ending(Outcome.COMPLETED, "nothing_to_resume", message=answer, reads_mail=True)
        if not journal.message_ids and answer.has_payload and answer.role is not Role.TOOL:
            # The agent left it to us to put its answer into the log. What a plugin made of it is the answer then.
            said = ev.MessagePayload(new_id(), answer, finish_reason="stop")
            (shown,) = await journal.write([journal.draft(said)])
            if shown is not None and isinstance(shown.payload, ev.MessagePayload):
                answer = shown.payload.message
        reason = "stop" if journal.finish_reason in {"", "tool_calls"} else journal.finish_reason
        if answer.role is Role.TOOL:
            reason = "return_direct"
        output = ""
        if (schema := self._live.run.input.options.output_schema) and answer.role is not Role.TOOL:
            try:
                output = await read_output(answer.content, schema)
            except OutputInvalid as error:
                failure = AgentError(str(error), "OUTPUT_INVALID", stop_reason="output_invalid")
                return ending_of_failure(failure, _logger, self._live.run)
        return Ending(
            Outcome.COMPLETED,
            reason,
            message=answer,
            structured_output=output,
            reads_mail=reason not in _FINAL_REASONS,
        )
