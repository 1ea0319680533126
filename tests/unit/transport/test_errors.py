"""Domain errors to statuses."""

import inspect
import re
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from runwire_server.domain import errors
from runwire_server.domain.errors import FieldViolation, InvalidRequestError, RunwireError
from runwire_server.transport.errors import (
    CODES,
    DETAILS_BYTES_MAX,
    error_to_status,
    internal_status,
    simple_status,
)

DETAILS = [
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.ResourceInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.RequestInfo,
]


def unpacked(status: Any) -> tuple[status_pb2.Status, dict[str, Any]]:
    """The status as a client decodes it, and its details by name."""
    (pair,) = [value for key, value in status.trailing_metadata if key == "grpc-status-details-bin"]
    decoded = status_pb2.Status.FromString(pair)
    details = {}
    for packed in decoded.details:
        for kind in DETAILS:
            if packed.Is(kind.DESCRIPTOR):
                detail = kind()
                packed.Unpack(detail)
                details[kind.DESCRIPTOR.name] = detail
    assert len(details) == len(decoded.details)
    return decoded, details


TABLE: list[tuple[RunwireError, grpc.StatusCode, str, dict[str, str], set[str]]] = [
    (
        InvalidRequestError.of("user_id", "is required"),
        grpc.StatusCode.INVALID_ARGUMENT,
        "FIELD_INVALID",
        {},
        {"BadRequest"},
    ),
    (
        errors.NotFoundError("run", "r1"),
        grpc.StatusCode.NOT_FOUND,
        "RUN_NOT_FOUND",
        {"run": "r1"},
        {"ResourceInfo"},
    ),
    (
        errors.NotFoundError("session", "s1"),
        grpc.StatusCode.NOT_FOUND,
        "SESSION_NOT_FOUND",
        {"session": "s1"},
        {"ResourceInfo"},
    ),
    (
        errors.AlreadyExistsError("run", "r1", "is another one"),
        grpc.StatusCode.ALREADY_EXISTS,
        "RUN_ALREADY_EXISTS",
        {"run": "r1"},
        {"ResourceInfo"},
    ),
    (
        errors.OutOfRangeError("after_sequence", 9, 5),
        grpc.StatusCode.OUT_OF_RANGE,
        "SEQUENCE_OUT_OF_RANGE",
        {"last_sequence": "5"},
        {"BadRequest"},
    ),
    (errors.BusyError("busy"), grpc.StatusCode.ABORTED, "SESSION_BUSY", {}, {"RetryInfo"}),
    (
        errors.PreconditionError("not now"),
        grpc.StatusCode.FAILED_PRECONDITION,
        "PRECONDITION_FAILED",
        {},
        set(),
    ),
    (
        errors.NotImplementedYetError("resume"),
        grpc.StatusCode.UNIMPLEMENTED,
        "NOT_IMPLEMENTED",
        {"feature": "resume"},
        set(),
    ),
    (
        errors.LimitExceededError("too many runs"),
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "LIMIT_EXCEEDED",
        {},
        {"RetryInfo"},
    ),
    (
        errors.UnavailableError("the store is down"),
        grpc.StatusCode.UNAVAILABLE,
        "UNAVAILABLE",
        {},
        {"RetryInfo"},
    ),
    (errors.FencedError("lost"), grpc.StatusCode.ABORTED, "FENCED", {}, set()),
]


@pytest.mark.parametrize(
    ("error", "code", "reason", "metadata", "details"), TABLE, ids=[row[2] for row in TABLE]
)
def test_an_error_has_its_code_its_reason_and_its_details(
    error: RunwireError, code: grpc.StatusCode, reason: str, metadata: dict[str, str], details: set[str]
) -> None:
    status = error_to_status(error)

    decoded, found = unpacked(status)
    info = found.pop("ErrorInfo")
    assert status.code is code
    assert status.details == decoded.message == str(error)
    assert decoded.code == code.value[0]
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "runwire", metadata)
    assert set(found) == details


def test_every_error_of_the_domain_has_a_code() -> None:
    classes = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, RunwireError) and kind is not RunwireError
    ]

    rows = {kind: next(base for base in kind.__mro__ if base in CODES) for kind in classes}

    assert [kind for kind, row in rows.items() if row is RunwireError] == []


def test_every_reason_is_upper_snake_case() -> None:
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]", reason) for _, reason in CODES.values())


def test_the_nearest_class_counts() -> None:
    class SessionLockedError(errors.BusyError):
        """An adapter's own."""

    assert error_to_status(SessionLockedError("locked")).code is grpc.StatusCode.ABORTED


@pytest.mark.parametrize(
    "error",
    [
        RunwireError("hunter2"),
        errors.RunFailure("hunter2", "X"),
        errors.ModelError("hunter2", "X"),
        errors.LimitReached("hunter2", "X"),
        errors.AgentError("hunter2", "X"),
        errors.RunCancelled("hunter2"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_should_have_ended_a_run_is_an_internal_error_without_its_text(error: RunwireError) -> None:
    status = error_to_status(error)

    assert status.code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(status)


def test_all_violations_are_told_with_their_fields() -> None:
    error = InvalidRequestError([FieldViolation("user_id", "is required"), FieldViolation("message", "too")])

    _, details = unpacked(error_to_status(error))

    found = [(v.field, v.description) for v in details["BadRequest"].field_violations]
    assert found == [("user_id", "is required"), ("message", "too")]


def test_a_position_beyond_the_log_names_its_field() -> None:
    _, details = unpacked(error_to_status(errors.OutOfRangeError("after_sequence", 9, 5)))

    (violation,) = details["BadRequest"].field_violations
    assert violation.field == "after_sequence"


def test_a_missing_thing_is_named() -> None:
    _, details = unpacked(error_to_status(errors.NotFoundError("run", "r1")))

    assert details["ResourceInfo"].resource_type == "run"
    assert details["ResourceInfo"].resource_name == "r1"


def test_whoever_may_retry_is_told_when() -> None:
    _, details = unpacked(error_to_status(errors.UnavailableError("down")))

    assert details["RetryInfo"].retry_delay.seconds >= 1


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError([FieldViolation(f"messages[{i}].content", "é" * 500) for i in range(200)]),
        InvalidRequestError([FieldViolation("🙂" * 5000, "🙂" * 5000)] * 200),
        errors.NotFoundError("session", "🙂" * 5000),
        errors.OutOfRangeError("🙂" * 5000, 1, 2),
        errors.NotImplementedYetError("🙂" * 5000),
        errors.UnavailableError("🙂" * 5000),
    ],
    ids=["many violations", "long violations", "name", "field", "feature", "text"],
)
def test_a_status_fits_the_trailers_whatever_is_wrong(error: RunwireError) -> None:
    status = error_to_status(error)

    decoded, details = unpacked(status)
    assert decoded.ByteSize() <= DETAILS_BYTES_MAX
    # How they travel: base64, and percent-encoded. Beyond 8 KiB gRPC drops trailers at random.
    assert decoded.ByteSize() * 4 / 3 + 3 * len(status.details.encode()) < 8000
    assert "ErrorInfo" in details
    if isinstance(error, InvalidRequestError):
        assert details["BadRequest"].field_violations


def test_at_most_twenty_violations_are_told() -> None:
    error = InvalidRequestError([FieldViolation("f", "x")] * 200)

    _, details = unpacked(error_to_status(error))

    assert len(details["BadRequest"].field_violations) == 20


def test_a_lone_surrogate_in_an_error_is_replaced() -> None:
    status = error_to_status(errors.NotFoundError("run", "\ud800"))

    decoded, _ = unpacked(status)
    assert "\ud800" not in decoded.message


def test_an_internal_error_tells_its_id_and_nothing_else() -> None:
    status = internal_status("e1")

    _, details = unpacked(status)
    assert status.code is grpc.StatusCode.INTERNAL
    assert status.details == "internal error; error id e1"
    assert details["ErrorInfo"].reason == "INTERNAL"
    assert details["ErrorInfo"].metadata == {"error_id": "e1"}
    assert details["RequestInfo"].request_id == "e1"


def test_a_status_without_an_error_has_a_reason_too() -> None:
    _, details = unpacked(simple_status(10, "OPERATION_ABORTED", "aborted"))

    assert details["ErrorInfo"].reason == "OPERATION_ABORTED"
