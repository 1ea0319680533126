"""How a run ends: the outcome, and the last events of its log."""

import logging

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, Usage
from runwire_server.domain.errors import (
    HookError,
    NotFoundError,
    RunFailure,
    StopError,
    UnavailableError,
    WritesLostError,
)
from runwire_server.domain.ids import new_id
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import Outcome, Run, RunError
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import Stop
from runwire_server.runner.opening import started_draft
from runwire_server.runner.voice import left_open

# What the session says in place of an answer, so that its history does not end with a question that nobody
# answered (RUN-47 of the reference).
FAILED_ANSWER = "An error occurred during execution. Please contact the service provider."

_TIMEOUTS = {
    "deadline": "the caller's deadline has passed",
    "max_run_duration": "the run took longer than its max_run_duration",
    "waiting_timeout": "nobody answered what the run asked in time",
}


@record(frozen=True, slots=True)
class Ending:
    """How a run ended, and how that is written.

    `message` is the answer; it is `in_log` but when it is a tool's. With `reads_mail` the run does not end while
    it has messages that it has not read.
    """

    outcome: Outcome
    stop_reason: str
    error: RunError | None = None
    cancel_reason: str = ""
    message: Message | None = None
    structured_output: str = ""
    reads_mail: bool = False

    async def write(self, journal: Journal) -> None:
        """Append what is missing and the completion, in one step.

        A hook or a plugin that fails here costs the session its answer, not the log its end.
        Raises: FencedError, UnavailableError; StaleMailError with `reads_mail`: nothing is written.
        """
        # What is missing shows only when it is known where the log ends.
        await journal.settle()
        if journal.is_complete:
            return
        run = journal.run
        drafts = [] if run.last_sequence else [started_draft(run, None)]
        drafts += [journal.draft(payload, branch) for branch, payload in journal.rounds.endings()]
        drafts += self._interrupted(journal)
        opening: list[ev.Event] = []
        if self.outcome is Outcome.FAILED and self.error is not None:
            drafts.append(journal.draft(ev.ErrorPayload(self.error)))
            if run.last_sequence:
                opening.append(_failed_answer(run))
        drafts += [journal.draft(payload) for payload in left_open(run, self.stop_reason)]
        completion = self._completion(journal.held.usage(run.usage))
        drafts.append(replace(journal.draft(completion), author=run.key.app_name))
        version = run.mail.version if self.reads_mail else None
        try:
            await journal.write(drafts, opening=opening, record=self._record, mail_version=version)
        except (HookError, StopError):
            await journal.write(drafts, record=self._record, mail_version=version, is_plain=True)

    def _interrupted(self, journal: Journal) -> list[ev.Draft]:
        """Return the text that was shown of messages that will never be whole, when the caller wants it kept."""
        is_cut = self.outcome in {Outcome.CANCELLED, Outcome.TIMED_OUT}
        if not is_cut or not journal.run.input.options.keep_interrupted_text:
            return []
        drafts: list[ev.Draft] = []
        for message_id, text in journal.open_texts():
            said = Message(Role.ASSISTANT, text.since(0))
            payload = ev.MessagePayload(message_id, said, finish_reason="cancelled")
            drafts.append(journal.draft(payload, text.branch))
        return drafts

    def _completion(self, usage: Usage) -> ev.Completion:
        message = self.message
        return ev.Completion(
            outcome=self.outcome,
            stop_reason=self.stop_reason,
            error=self.error,
            usage=usage,
            message=message if message is not None and message.role is Role.TOOL else None,
            cancel_reason=self.cancel_reason,
            structured_output=self.structured_output,
        )

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
    error_id = new_id()[:12]
    request_id = run.key.request_id
    match error:
        case StopError():
            stopped = RunError("stop_error", str(error) or "the run was stopped", "STOPPED")
            return Ending(Outcome.COMPLETED, "stop_error", error=stopped)
        case NotFoundError(kind="session"):
            shown = RunError("run_error", "the session was deleted", "SESSION_DELETED", error_id)
            return Ending(Outcome.FAILED, "error", error=shown)
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


def _failed_answer(run: Run) -> ev.Event:
    return ev.Event(
        request_id=run.key.request_id,
        sequence=0,
        create_time=run.last_event_time or run.create_time,
        author=run.agent_name,
        payload=ev.MessagePayload(new_id(), Message(Role.ASSISTANT, FAILED_ANSWER), finish_reason="error"),
        id=new_id(),
        invocation_id=run.invocation_id,
        attempt=run.attempt,
    )
