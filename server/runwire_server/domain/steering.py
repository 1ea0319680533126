"""Which mail a run takes: the rules for messages that steer it and for answers to what it asked."""

import json
from collections.abc import Sequence
from datetime import datetime

from runwire_server.domain.content import Message, ToolResult
from runwire_server.domain.errors import LimitExceededError, NotFoundError, PreconditionError
from runwire_server.domain.mail import Answer, QuestionKind, QueuedMessage, RunMail
from runwire_server.domain.record import replace
from runwire_server.domain.runs import Run

QUEUED_MESSAGES_MAX = 100
QUEUED_CHARS_MAX = 1_048_576
MESSAGES_MAX = 1000
# They are kept until the run ends, so that one can be given again, and all are written with each that comes.
OUTPUTS_CHARS_MAX = 16 * 1_048_576


def with_message(run: Run, queued: QueuedMessage) -> RunMail:
    """Return the run's mail with a message at the end of its queue; as it is when the message was sent before.

    Raises: PreconditionError (the run has ended, or is about to), LimitExceededError.
    """
    mail = run.mail
    if queued.id in mail.read_ids or any(queued.id == other.id for other in mail.messages):
        return mail
    check_open(run)
    chars = sum(_weight(other.message) for other in (*mail.messages, queued))
    # One message may be as large as a message may be.
    if len(mail.messages) >= QUEUED_MESSAGES_MAX or (mail.messages and chars > QUEUED_CHARS_MAX):
        raise LimitExceededError("the run has too many unread messages")
    if len(mail.messages) + len(mail.read_ids) >= MESSAGES_MAX:
        raise LimitExceededError(f"the run has been sent {MESSAGES_MAX} messages")
    return mail.with_message(queued)


def with_decision(run: Run, answer: Answer, now: datetime) -> RunMail:
    """Return the run's mail with the answer to an approval; as it is when that was given before.

    Raises: NotFoundError (approval); PreconditionError: it was answered otherwise, has expired, or the run has ended.
    """
    question = next(
        (q for q in run.questions if q.id == answer.question_id and q.kind is QuestionKind.APPROVAL), None
    )
    if question is None:
        raise NotFoundError("approval", answer.question_id)
    known = run.mail.answer_to(question)
    if known is not None:
        if known.is_same(answer):
            return run.mail
        raise PreconditionError(
            f"the approval was {known.decision.value} before",
            "APPROVAL_RESOLVED",
            decision=known.decision.value,
            decided_by=known.decided_by,
            arguments=known.arguments[:100],
        )
    check_open(run)
    if question.expire_time is not None and question.expire_time <= now:
        raise PreconditionError("the approval has expired", "APPROVAL_EXPIRED")
    return run.mail.with_answers(answer)


def with_outputs(run: Run, outputs: Sequence[ToolResult], now: datetime) -> RunMail:
    """Return the run's mail with the outputs of calls that the caller executed; as it is when all were given before.

    Raises: NotFoundError (tool_call); PreconditionError: another output was given, the wait is over, or the run
    ended.
    """
    answers: list[Answer] = []
    for output in outputs:
        asked = [
            q
            for q in run.questions
            if q.kind is QuestionKind.TOOL_OUTPUT and q.tool_call.id == output.tool_call_id
        ]
        # Models may use an id again: what is open counts, then what was asked last.
        question = next((q for q in asked if run.mail.answer_to(q) is None), asked[-1] if asked else None)
        if question is None:
            raise NotFoundError("tool_call", output.tool_call_id)
        answer = Answer(
            question_id=question.id, output=replace(output, tool_name=question.tool_call.name), time=now
        )
        known = run.mail.answer_to(question)
        if known is None:
            if question.expire_time is not None and question.expire_time <= now:
                raise PreconditionError("the wait for this output is over", "WAIT_EXPIRED")
            answers.append(answer)
        elif not known.is_same(answer):
            raise PreconditionError(
                f"tool call {output.tool_call_id!r} has another output already", "OUTPUT_SUBMITTED"
            )
    if not answers:
        return run.mail
    check_open(run)
    made = run.mail.with_answers(*answers)
    if sum(len(known.output.content) for known in made.answers if known.output) > OUTPUTS_CHARS_MAX:
        raise LimitExceededError(
            f"the outputs of a run have more than {OUTPUTS_CHARS_MAX} characters together"
        )
    return made


def _weight(message: Message) -> int:
    """Return about how many characters the message takes in the run's record, which is written with all its mail."""
    parts = sum(
        len(part.text or "") + len(part.inline_data or b"") + len(part.uri or "") + len(json.dumps(part.data))
        for part in message.parts
    )
    return len(message.content) + len(message.reasoning_content) + parts


def check_open(run: Run) -> None:
    """Refuse mail that nobody would read. Raises: PreconditionError."""
    if run.state.is_terminal:
        raise PreconditionError(
            f"run {run.key.request_id!r} has ended",
            "RUN_ENDED",
            state=run.state.value,
            request_id=run.key.request_id,
        )
    if run.cancel is not None:
        raise PreconditionError(
            f"run {run.key.request_id!r} is being cancelled", "RUN_CANCELLING", request_id=run.key.request_id
        )
