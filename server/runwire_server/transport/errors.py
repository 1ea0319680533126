"""Domain errors to gRPC statuses, with google.rpc details. The whole mapping is one table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from runwire_server.domain import errors

DOMAIN = "runwire"
# Beyond about 8 KiB of metadata gRPC drops status and details at random (notes/grpc.md §2.3).
DETAILS_BYTES_MAX = 4096
_VIOLATIONS_MAX = 20
_TEXT_CHARS_MAX = 200
_RETRY_SECONDS = 1

CODES: Mapping[type, tuple[int, str]] = {
    errors.InvalidRequestError: (code_pb2.INVALID_ARGUMENT, "FIELD_INVALID"),
    errors.NotFoundError: (code_pb2.NOT_FOUND, "NOT_FOUND"),
    errors.AlreadyExistsError: (code_pb2.ALREADY_EXISTS, "ALREADY_EXISTS"),
    errors.OutOfRangeError: (code_pb2.OUT_OF_RANGE, "SEQUENCE_OUT_OF_RANGE"),
    errors.BusyError: (code_pb2.ABORTED, "SESSION_BUSY"),
    errors.PreconditionError: (code_pb2.FAILED_PRECONDITION, "PRECONDITION_FAILED"),
    errors.NotImplementedYetError: (code_pb2.UNIMPLEMENTED, "NOT_IMPLEMENTED"),
    errors.LimitExceededError: (code_pb2.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"),
    errors.UnavailableError: (code_pb2.UNAVAILABLE, "UNAVAILABLE"),
    errors.NoRoomError: (code_pb2.RESOURCE_EXHAUSTED, "STORE_FULL"),
    errors.FencedError: (code_pb2.ABORTED, "FENCED"),
    # What has no row of its own, or should have ended a run and not a call, is a bug.
    errors.RunwireError: (code_pb2.INTERNAL, "INTERNAL"),
    errors.RunFailure: (code_pb2.INTERNAL, "INTERNAL"),
    errors.HookError: (code_pb2.INTERNAL, "SESSION_HOOK_FAILED"),
    errors.RunCancelled: (code_pb2.INTERNAL, "INTERNAL"),
    errors.RunWaiting: (code_pb2.INTERNAL, "INTERNAL"),
    errors.StopError: (code_pb2.INTERNAL, "INTERNAL"),
    errors.StaleMailError: (code_pb2.ABORTED, "RUN_BUSY"),
}
_RETRYABLE = (errors.BusyError, errors.LimitExceededError, errors.UnavailableError)


def error_to_status(error: errors.RunwireError) -> grpc.Status:
    """Return the status of the error's nearest class in the table, with details of at most DETAILS_BYTES_MAX."""
    code, reason = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    if reason == "INTERNAL":
        return internal_status("unknown")
    details: list[Message] = [_info(error, reason)]
    match error:
        case errors.InvalidRequestError(violations=violations):
            details.append(_bad_request(violations))
        case errors.OutOfRangeError(field=field):
            details.append(_bad_request([errors.FieldViolation(field, str(error))]))
        case errors.NotFoundError() | errors.AlreadyExistsError():
            details.append(
                error_details_pb2.ResourceInfo(
                    resource_type=error.kind, resource_name=_cut(error.name), description=_cut(str(error))
                )
            )
    if isinstance(error, _RETRYABLE):
        details.append(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=_RETRY_SECONDS)))
    return make_status(code, str(error), details)


def internal_status(error_id: str) -> grpc.Status:
    """Return what a caller learns of a bug: the id under which the log has it, and nothing else."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"error_id": error_id})
    request = error_details_pb2.RequestInfo(request_id=error_id)
    return make_status(code_pb2.INTERNAL, f"internal error; error id {error_id}", [info, request])


def simple_status(code: int, reason: str, message: str) -> grpc.Status:
    """Return a status with nothing but its reason."""
    return make_status(code, message, [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)])


def make_status(code: int, message: str, details: Iterable[Message]) -> grpc.Status:
    """Return a status; details that do not fit are left out, the first ones first kept."""
    status = status_pb2.Status(code=code, message=_cut(message))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        if status.ByteSize() + packed.ByteSize() <= DETAILS_BYTES_MAX:
            status.details.append(packed)
    made: grpc.Status = rpc_status.to_status(status)
    return made


def _info(error: errors.RunwireError, reason: str) -> error_details_pb2.ErrorInfo:
    """Every value in the message is in the metadata too (AIP-193)."""
    metadata: dict[str, Any] = {}
    match error:
        case errors.NotFoundError() | errors.AlreadyExistsError():
            reason = f"{error.kind.upper()}_{reason}"
            metadata = {error.kind: error.name}
        case errors.OutOfRangeError():
            metadata = {"last_sequence": error.last_sequence}
        case errors.NotImplementedYetError():
            metadata = {"feature": error.feature}
        case errors.BusyError() if error.request_id:
            metadata = {"request_id": error.request_id}
        case errors.PreconditionError():
            reason, metadata = error.reason, error.facts
    cut = {key: _cut(str(value)) for key, value in metadata.items()}
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=cut)


def _bad_request(violations: Sequence[errors.FieldViolation]) -> error_details_pb2.BadRequest:
    made = error_details_pb2.BadRequest()
    for violation in violations[:_VIOLATIONS_MAX]:
        entry = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(violation.field), description=_cut(violation.description)
        )
        # Some bytes are left for the other details.
        if made.ByteSize() + entry.ByteSize() > DETAILS_BYTES_MAX - 1000:
            break
        made.field_violations.append(entry)
    return made


def _cut(text: str) -> str:
    kept = text if len(text) <= _TEXT_CHARS_MAX else text[: _TEXT_CHARS_MAX - 1] + "…"
    return kept.encode("utf-8", "replace").decode()
