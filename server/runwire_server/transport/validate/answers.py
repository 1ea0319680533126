"""Requests of RunnerService that steer a run or answer what it asked."""

from dataclasses import dataclass

from runwire.v1 import content_pb2, event_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.domain.content import Message, ToolResult
from runwire_server.domain.mail import Answer, Decision
from runwire_server.domain.toolcalls import parse_arguments
from runwire_server.transport.convert.content import message_from_proto, tool_result_from_proto
from runwire_server.transport.validate.checks import CONTENT_BYTES_MAX, USER_ROLE, Checks, says_something

_COMMENT_CHARS_MAX = 1000
_OUTPUTS_MAX = 256
_OUTPUT_BYTES_MAX = 256 * 1024
_DECISIONS = {
    event_pb2.APPROVAL_DECISION_APPROVED: Decision.APPROVED,
    event_pb2.APPROVAL_DECISION_DENIED: Decision.DENIED,
}


@dataclass(frozen=True, slots=True)
class EnqueueAsked:
    """What EnqueueMessage asks."""

    app_name: str
    request_id: str
    message: Message
    message_id: str


@dataclass(frozen=True, slots=True)
class ResolveAsked:
    """What ResolveApproval asks. The answer has no time yet."""

    app_name: str
    request_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class SubmitAsked:
    """What SubmitToolOutputs asks."""

    app_name: str
    request_id: str
    outputs: tuple[ToolResult, ...]


def enqueue_message_request(request: pb.EnqueueMessageRequest) -> EnqueueAsked:
    """Check EnqueueMessage."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        checks.message("message", request.message, USER_ROLE)
        if not says_something(request.message):
            checks.wrong("message.content", "is required")
        checks.name("message_id", request.message_id)
    message = message_from_proto(request.message)
    return EnqueueAsked(request.app_name, request.request_id, message, request.message_id)


def cancel_queued_messages_request(request: pb.CancelQueuedMessagesRequest) -> tuple[str, str, str]:
    """Check CancelQueuedMessages. Return the app's name, the request id, and the message's id, which may be empty."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        checks.name("message_id", request.message_id)
    return request.app_name, request.request_id, request.message_id


def resolve_approval_request(request: pb.ResolveApprovalRequest) -> ResolveAsked:
    """Check ResolveApproval."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        checks.name("approval_id", request.approval_id, is_required=True)
        if request.decision not in _DECISIONS:
            checks.wrong("decision", "must be APPROVED or DENIED")
        checks.content("arguments", request.arguments)
        if request.arguments and request.decision != event_pb2.APPROVAL_DECISION_APPROVED:
            checks.wrong("arguments", "can be given only with APPROVED")
        elif request.arguments:
            try:
                parse_arguments(request.arguments)
            except ValueError as error:
                checks.wrong("arguments", f"must be a JSON object: {error}"[:200])
        checks.text("comment", request.comment, chars_max=_COMMENT_CHARS_MAX)
        checks.name("decided_by", request.decided_by)
    answer = Answer(
        question_id=request.approval_id,
        decision=_DECISIONS[request.decision],
        arguments=request.arguments,
        comment=request.comment,
        decided_by=request.decided_by,
    )
    return ResolveAsked(request.app_name, request.request_id, answer)


def submit_tool_outputs_request(request: pb.SubmitToolOutputsRequest) -> SubmitAsked:
    """Check SubmitToolOutputs."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        if not request.outputs:
            checks.wrong("outputs", "is required")
        if len(request.outputs) > _OUTPUTS_MAX:
            checks.wrong("outputs", f"has more than {_OUTPUTS_MAX} outputs")
        seen: set[str] = set()
        size = 0
        for index, output in enumerate(request.outputs[:_OUTPUTS_MAX]):
            checks.name(f"outputs[{index}].tool_call_id", output.tool_call_id, is_required=True)
            if output.tool_call_id in seen:
                checks.wrong(f"outputs[{index}].tool_call_id", "is there twice")
            seen.add(output.tool_call_id)
            if len(output.content.encode()) > _OUTPUT_BYTES_MAX:
                checks.wrong(f"outputs[{index}].content", f"is larger than {_OUTPUT_BYTES_MAX} bytes")
            checks.enum(f"outputs[{index}].status", output.status, content_pb2.ToolStatus.values())
            checks.name(f"outputs[{index}].reason", output.reason)
            size += len(output.content)
        if size > CONTENT_BYTES_MAX:
            checks.wrong("outputs", f"are larger than {CONTENT_BYTES_MAX} bytes together")
    outputs = tuple(tool_result_from_proto(output) for output in request.outputs)
    return SubmitAsked(request.app_name, request.request_id, outputs)


def run_name(checks: Checks, app_name: str, request_id: str) -> None:
    """Check the two names of a run."""
    checks.name("app_name", app_name)
    checks.name("request_id", request_id, is_required=True)
