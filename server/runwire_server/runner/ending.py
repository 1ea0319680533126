"""How a run ends: the outcome, and the last events of its log."""

import logging
from dataclasses import dataclass, replace
from uuid import uuid4

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import HookError, RunFailure, UnavailableError, WritesLostError
from runwire_server.domain.runs import Outcome, Run, RunError
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import Stop
from runwire_server.runner.opening import started_draft

# What the session says in place of an answer, so that its history does not end with a question that nobody
# answered (RUN-47 of the reference).
FAILED_ANSWER = "An error occurred during execution. Please contact the service provider."

_TIMEOUTS = {
    "deadline": "the caller's deadline has passed",
    "max_run_duration": "the run took longer than its max_run_duration",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, and how that is written."""

    outcome: Outcome
    stop_reason: str
    error: RunError | None = None
    cancel_reason: str = ""
    message: Message | None = None

    async def write(self, journal: Journal) -> None:
        """Append what is missing and the completion, in one step. Raises: FencedError, UnavailableError.

        A hook that fails here costs the session its answer, not the log its end.
        """
        # What is missing shows only when it is known where the log ends.
        await journal.settle()
        if journal.is_complete:
            return
        run = journal.run
        drafts = [] if run.last_sequence else [started_draft(run, None)]
        opening: list[ev.Event] = []
        if self.outcome is Outcome.FAILED and self.error is not None:
            drafts.append(_draft(run, ev.ErrorPayload(self.error)))
            if run.last_sequence:
                opening.append(_failed_answer(run))
        completion = ev.Completion(
            outcome=self.outcome,
            stop_reason=self.stop_reason,
            error=self.error,
            usage=run.usage,
            cancel_reason=self.cancel_reason,
        )
        drafts.append(replace(_draft(run, completion), author=run.key.app_name))
        try:
            await journal.write(drafts, opening=opening, record=self._record)
        except HookError:
            await journal.write(drafts, record=self._record)

    def _record(self, run: Run) -> Run:
        return replace(
            run,
            state=self.outcome.state,
            outcome=self.outcome,
            stop_reason=self.stop_reason,
            error=self.error,
            end_time=run.last_event_time,
            message=self.message if self.outcome is Outcome.COMPLETED else None,
        )


def ending_of_stop(stop: Stop) -> Ending:
    """Return the ending of a run that was stopped from outside."""
    error = None
    if stop.outcome is Outcome.TIMED_OUT:
        error = RunError("run_error", _TIMEOUTS[stop.stop_reason], stop.stop_reason.upper())
    return Ending(stop.outcome, stop.stop_reason, error=error, cancel_reason=stop.cancel_reason)


def ending_of_failure(error: Exception, logger: logging.Logger, run: Run) -> Ending:
    """Return the ending of a run whose agent raised, and log the details under the error's id."""
    error_id = uuid4().hex[:12]
    request_id = run.key.request_id
    match error:
        case RunFailure():
            logger.warning("run %s failed (error %s): %s", request_id, error_id, error)
            shown = RunError(error.type, str(error), error.code, error_id, error.retryable)
            return Ending(Outcome.FAILED, error.stop_reason, error=shown)
        case WritesLostError():
            logger.error("run %s failed (error %s): %s", request_id, error_id, error)
            shown = RunError("run_error", str(error), "WRITES_LOST", error_id, retryable=True)
            return Ending(Outcome.FAILED, "error", error=shown)
        case UnavailableError():
            logger.warning("run %s failed (error %s)", request_id, error_id, exc_info=error)
            shown = RunError(
                "run_error", "the store cannot be reached", "STORE_UNAVAILABLE", error_id, retryable=True
            )
            return Ending(Outcome.FAILED, "error", error=shown)
        case _:
            logger.error("run %s crashed (error %s)", request_id, error_id, exc_info=error)
            shown = RunError("agent_error", f"internal error; error id {error_id}", "INTERNAL", error_id)
            return Ending(Outcome.FAILED, "error", error=shown)


def _draft(run: Run, payload: ev.DurablePayload) -> ev.Draft:
    return ev.Draft(
        author=run.agent_name, payload=payload, branch=run.agent_name, invocation_id=run.invocation_id
    )


def _failed_answer(run: Run) -> ev.Event:
    return ev.Event(
        request_id=run.key.request_id,
        sequence=0,
        create_time=run.last_event_time or run.create_time,
        author=run.agent_name,
        payload=ev.MessagePayload(uuid4().hex, Message(Role.ASSISTANT, FAILED_ANSWER), finish_reason="error"),
        id=uuid4().hex,
        invocation_id=run.invocation_id,
        attempt=run.attempt,
    )
