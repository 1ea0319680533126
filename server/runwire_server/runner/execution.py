"""Execute one run: wait for its turn, let its agent work, and close its log with exactly one completion, or let it
wait."""

import asyncio
import logging

from runwire_server.agents.agent import Agent
from runwire_server.domain import events as ev
from runwire_server.domain.errors import (
    FencedError,
    NotFoundError,
    StaleMailError,
    UnavailableError,
    WritesLostError,
)
from runwire_server.domain.ids import ReplicaId
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import Outcome, RunState
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.runner.activation import Activation, Workshop
from runwire_server.runner.catalog import NO_HOOKS
from runwire_server.runner.ending import Ending, ending_of_failure
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import LiveRun, Stop
from runwire_server.runner.opening import History, open_run, read_history
from runwire_server.runner.supervisor import Supervisor
from runwire_server.runner.voice import settle
from runwire_server.storage.port import Store

_logger = logging.getLogger(__name__)
_QUEUE_POLL_SECONDS = 0.5
_CLOSE_RETRY_SECONDS_MAX = 5.0


@record(frozen=True, slots=True, kw_only=True)
class ExecutionSettings:
    """How runs are executed."""

    replica: ReplicaId
    workshop: Workshop
    session_hooks: SessionHooks = NO_HOOKS


class Execution:
    """One run on this replica: from its turn, or the end of its wait, to its completion, or its next wait."""

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        settings: ExecutionSettings,
        live: LiveRun,
        agent: Agent,
        *,
        opened: History | None = None,
    ) -> None:
        """`opened` is what the agent finds in its session, when the run was made with its beginning."""
        workshop = settings.workshop
        self._store = store
        self._supervisor = supervisor
        self._settings = settings
        self._clock = workshop.clock
        self._live = live
        self._agent = agent
        self._opened = opened
        self._journal = Journal(
            store, live, supervisor, workshop.clock, hooks=settings.session_hooks, plugins=workshop.plugins
        )
        self._activation = Activation(agent, self._journal, live, supervisor, workshop)
        self._began = workshop.clock()

    async def run(self) -> None:
        """Bring the run to its end, or to where it waits. Never raises Exception: the outcome is in the log.

        Returns early when another replica has taken the run.
        """
        self._arm_deadline()
        try:
            ending = await self._work()
            if ending is not None:
                if not self._journal.is_complete:
                    await self._close(ending)
                await self._settings.workshop.plugins.after_run(self._live.run)
        except FencedError:
            _logger.warning("run %s was taken by another replica; stopped", self._live.run.key.request_id)
        except NotFoundError:
            _logger.warning("run %s is gone from the store; stopped", self._live.run.key.request_id)
        except asyncio.CancelledError:
            stop = self._live.stop or Stop(Outcome.CANCELLED, "draining", "the server shuts down")
            self._live.stop = stop
            if self._live.run.state is not RunState.WAITING:
                await self._supervisor.finish("close-run", self._close(self._activation.stopped()))
            raise
        finally:
            self._live.close()

    def _arm_deadline(self) -> None:
        run = self._live.run
        seconds = run.input.options.max_run_seconds
        if seconds is not None:
            seconds -= run.worked_seconds
        stop = Stop(Outcome.TIMED_OUT, "max_run_duration")
        if run.deadline is not None:
            left = (run.deadline - self._clock()).total_seconds()
            if seconds is None or left < seconds:
                seconds, stop = left, Stop(Outcome.TIMED_OUT, "deadline")
        if seconds is not None:
            self._live.arm_deadline(seconds, stop)

    async def _work(self) -> Ending | None:
        """Do the run's work and say how it ended; None: it waits. Raises: FencedError, NotFoundError (run)."""
        try:
            return await self._activate()
        except FencedError:
            raise
        except NotFoundError as error:
            if error.kind != "session":
                raise
            return ending_of_failure(error, _logger, self._live.run)
        except Exception as error:  # noqa: BLE001 -- a run dropped here would block its session for ever
            return ending_of_failure(error, _logger, self._live.run)

    async def _activate(self) -> Ending | None:
        """Let the agent work until it has answered all that was said, or waits. See _work."""
        history = await (self._continue() if self._live.is_continued else self._begin())
        while history is not None:
            ending = await self._activation.run(history)
            if ending is None:
                worked = (self._clock() - self._began).total_seconds()
                if await self._activation.wait(worked):
                    return None
            elif not ending.reads_mail or await self._may_end(ending):
                return ending
            else:
                # Not every agent asks for what users say meanwhile.
                await self._activation.take_messages()
            history = await self._history()
        return self._why_not()

    def _why_not(self) -> Ending:
        """Return the ending of a run that had no reason to work."""
        run = self._live.run
        if self._live.stop is not None:
            return self._activation.stopped()
        if run.state is RunState.WAITING:
            is_late = run.deadline is not None and run.deadline <= self._clock()
            self._live.request_stop(Stop(Outcome.TIMED_OUT, "deadline" if is_late else "waiting_timeout"))
            return self._activation.stopped()
        return Ending(Outcome.COMPLETED, "nothing_to_resume")

    async def _begin(self) -> History | None:
        """Wait for the run's turn and open its log. Return the history; None when there is nothing to do."""
        if not await self._take_turn() or self._live.stop is not None:
            return None
        if self._live.run.last_sequence:
            # Without what was opened: the answer to its creation was lost.
            return self._opened or await self._history()
        history = await open_run(
            self._store,
            self._journal,
            self._live.run,
            self._agent,
            session_created=self._live.session_created,
            hooks=self._settings.session_hooks,
        )
        return history if history.messages else None

    async def _continue(self) -> History | None:
        """Go on with a run that waited. Return the history; None when its wait is over without an answer."""
        run = self._live.run
        if run.cancel is not None:
            self._live.request_stop(Stop(Outcome.CANCELLED, "cancelled", run.cancel.reason))
        if self._live.stop is not None:
            return None
        is_over = any(
            q.expire_time is not None and q.expire_time <= self._clock() for q in run.open_questions
        )
        if is_over and not run.has_news:
            return None
        draft = self._journal.draft(ev.RunStateChanged(run.state, RunState.RUNNING, "goes on"))
        await self._journal.write(
            [draft], record=lambda run: replace(run, state=RunState.RUNNING, due_time=None)
        )
        for question in run.questions:
            self._journal.rounds.expect(self._journal.root.branch, question.message_id)
        await settle(self._journal)
        history = await self._history()
        if not history.messages:
            # There is a new session of that name, or none of what was said is left: not what was waited for.
            raise NotFoundError("session", run.session.session_id)
        return history

    async def _history(self) -> History:
        return await read_history(self._store, self._live.run, self._settings.session_hooks)

    async def _may_end(self, ending: Ending) -> bool:
        """Write the ending, unless the run has messages that it has not read. Return False when it has."""
        while not self._live.run.mail.messages:
            try:
                await self._write(ending)
            except StaleMailError:
                continue
            return True
        return False

    async def _take_turn(self) -> bool:
        """Wait until the run is first in its session's queue, and take it. False: it was stopped before."""
        settings = self._settings
        if self._live.run.attempt:
            # It had its turn when it was made.
            return self._live.stop is None
        while self._live.stop is None:
            run = await self._store.claim_run(
                self._live.run.key,
                settings.replica,
                attempt=self._live.run.attempt,
                now=self._clock(),
                in_turn=self._live.run.waits_its_turn,
            )
            if run is not None:
                self._live.run = replace(run, invocation_id=self._live.run.invocation_id)
                if run.cancel is not None:
                    self._live.cancel(run.cancel)
                self._began = self._clock()
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

    async def _close(self, ending: Ending) -> None:
        """Write the completion, whatever mail there is."""
        await self._write(replace(ending, reads_mail=False))

    async def _write(self, ending: Ending) -> None:
        """Write the completion. Goes on trying while the store cannot be reached: no run stays open for ever.

        Raises: StaleMailError, as Ending.write.
        """
        delay = 0.1
        while True:
            try:
                await ending.write(self._journal)
            except UnavailableError as error:
                _logger.warning("cannot close run %s yet: %s", self._live.run.key.request_id, error)
                if isinstance(error, WritesLostError):
                    # However the work ended, part of it is not in the log: that is a failure. So is the answer to it.
                    self._journal.held.clear()
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
