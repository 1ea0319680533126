"""Runs and their errors."""

from google.protobuf.timestamp_pb2 import Timestamp

from runwire.v1 import run_pb2 as pb
from runwire.v1 import runner_service_pb2 as service_pb
from runwire.v1 import session_pb2
from runwire_server.domain.content import clean_text
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.mail import Question, QuestionKind
from runwire_server.domain.runs import CancelMode, Outcome, Run, RunError, RunState
from runwire_server.transport.convert.content import (
    message_to_proto,
    timestamp,
    tool_call_to_proto,
    usage_to_proto,
)

STATES = {pb.RunState.Value(f"RUN_STATE_{state.name}"): state for state in RunState}
_STATE_TO_PROTO = {state: number for number, state in STATES.items()}
_OUTCOME_TO_PROTO = {outcome: pb.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in Outcome}
CANCEL_MODES = {
    service_pb.CANCEL_MODE_UNSPECIFIED: CancelMode.IMMEDIATE,
    service_pb.CANCEL_MODE_IMMEDIATE: CancelMode.IMMEDIATE,
    service_pb.CANCEL_MODE_AFTER_MODEL: CancelMode.AFTER_MODEL,
    service_pb.CANCEL_MODE_AFTER_TOOLS: CancelMode.AFTER_TOOLS,
}


def state_to_proto(state: RunState) -> pb.RunState.ValueType:
    """Return a run's state."""
    return _STATE_TO_PROTO[state]


def outcome_to_proto(outcome: Outcome | None) -> pb.Outcome.ValueType:
    """Return an outcome; none is unspecified."""
    return _OUTCOME_TO_PROTO[outcome] if outcome is not None else pb.OUTCOME_UNSPECIFIED


def session_key_to_proto(key: SessionKey) -> session_pb2.SessionKey:
    """Return a session's key."""
    return session_pb2.SessionKey(app_name=key.app_name, user_id=key.user_id, session_id=key.session_id)


def run_error_to_proto(error: RunError | None) -> pb.RunError | None:
    """Return a run's error; none stays unset."""
    if error is None:
        return None
    return pb.RunError(
        type=error.type,
        message=clean_text(error.message),
        code=error.code,
        error_id=error.error_id,
        retryable=error.retryable,
    )


def run_to_proto(run: Run, *, with_message: bool) -> pb.Run:
    """Return a run, with its final message only when asked to."""
    message = run.message if with_message else None
    return pb.Run(
        app_name=run.key.app_name,
        request_id=run.key.request_id,
        state=state_to_proto(run.state),
        agent_name=run.agent_name,
        session=session_key_to_proto(run.session),
        attempt=run.attempt,
        last_sequence=run.last_sequence,
        create_time=timestamp(run.create_time),
        start_time=timestamp(run.start_time),
        last_event_time=timestamp(run.last_event_time),
        end_time=timestamp(run.end_time),
        event_count=run.last_sequence,
        usage=usage_to_proto(run.usage),
        outcome=outcome_to_proto(run.outcome),
        stop_reason=run.stop_reason,
        error=run_error_to_proto(run.error),
        cancel_reason=run.cancel.reason if run.cancel is not None else "",
        invocation_id=run.invocation_id,
        message=message_to_proto(message) if message is not None else None,
        labels=dict(run.input.options.labels),
        pending=[_question_to_proto(question) for question in run.open_questions],
        wait_expire_time=_wait_expire_time(run),
        queued_message_count=len(run.mail.messages),
    )


def _question_to_proto(question: Question) -> pb.PendingQuestion:
    return pb.PendingQuestion(
        approval_id=question.id if question.kind is QuestionKind.APPROVAL else "",
        tool_call=tool_call_to_proto(question.tool_call),
        reason=clean_text(question.reason),
    )


def _wait_expire_time(run: Run) -> Timestamp | None:
    """Return when a run stops waiting. Its due time may be earlier: somebody has answered."""
    if run.state is not RunState.WAITING:
        return None
    return timestamp(min((q.expire_time for q in run.open_questions if q.expire_time), default=None))
