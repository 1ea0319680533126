"""What can go wrong with a call, and how a run can end other than well.

RunwireError
├── CallError            a call was refused or could not be made; see `code`, `reason`, `violations`
├── RunEndedError        the run ended other than COMPLETED; see `completion`
│   ├── RunFailedError
│   ├── RunCancelledError
│   ├── RunTimedOutError
│   └── RunLostError
├── MessageCutError      a message began that never came whole, in a run that went on
└── ReaderLagsError      a reader of events is too far behind another reader of the same run
"""

from __future__ import annotations

import grpc
import grpc.aio

from runwire.v1 import event_pb2, run_pb2


class RunwireError(Exception):
    """Base of all errors of this client."""


class CallError(RunwireError):
    """A call failed.

    `code` is the gRPC status. `reason` is the server's stable reason, and `violations` the fields that are wrong with
    what is wrong with them; both are empty when googleapis-common-protos is not installed.
    """

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message = error.details() or ""
        super().__init__(f"{self.code.name}: {self.message}")
        self.reason, self.violations = _details(error)


class RunEndedError(RunwireError):
    """The run ended other than COMPLETED."""

    def __init__(self, completion: event_pb2.Completion) -> None:
        self.completion = completion
        why = completion.error.message or completion.cancel_reason or completion.stop_reason
        super().__init__(f"the run ended {_outcome_name(completion.outcome)}: {why}")


class RunFailedError(RunEndedError):
    """An error ended the run."""


class RunCancelledError(RunEndedError):
    """The run was cancelled."""


class RunTimedOutError(RunEndedError):
    """The caller's deadline or the run's own limit ended it."""


class RunLostError(RunEndedError):
    """The server that ran it died."""


class MessageCutError(RunwireError):
    """A message began that never came whole: another attempt at the run, or its end, took its place."""

    def __init__(self, message_id: str) -> None:
        super().__init__(f"message {message_id!r} was begun and never finished")
        self.message_id = message_id


class ReaderLagsError(RunwireError):
    """A reader of events is further behind the others of its run than the client keeps events for it."""

    def __init__(self, events_max: int) -> None:
        super().__init__(f"this reader is more than {events_max} events behind another one of the same run")


_ENDINGS = {
    run_pb2.OUTCOME_FAILED: RunFailedError,
    run_pb2.OUTCOME_CANCELLED: RunCancelledError,
    run_pb2.OUTCOME_TIMED_OUT: RunTimedOutError,
    run_pb2.OUTCOME_LOST: RunLostError,
}


def ending_error(completion: event_pb2.Completion) -> RunEndedError:
    """Return the error for an outcome other than COMPLETED; an outcome of a newer server is the base class."""
    return _ENDINGS.get(completion.outcome, RunEndedError)(completion)


def _outcome_name(outcome: run_pb2.Outcome.ValueType) -> str:
    """Return the outcome's name; the number of one that only a newer server knows."""
    known = outcome in run_pb2.Outcome.values()
    return run_pb2.Outcome.Name(outcome).removeprefix("OUTCOME_") if known else f"OUTCOME {outcome}"


def _details(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    try:
        from google.rpc import error_details_pb2, status_pb2
    except ImportError:
        return "", {}
    reason, violations = "", {}
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
                reason = info.reason
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                violations = {entry.field: entry.description for entry in bad.field_violations}
    return reason, violations
