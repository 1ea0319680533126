"""Events about questions, their answers, and plugins."""

from runwire.v1 import event_pb2 as pb
from runwire_server.domain import events as ev
from runwire_server.domain.content import clean_text
from runwire_server.domain.mail import Decision
from runwire_server.transport.convert.content import timestamp, tool_call_to_proto
from runwire_server.transport.convert.runs import run_error_to_proto

_DECISIONS = {
    decision: pb.ApprovalDecision.Value(f"APPROVAL_DECISION_{decision.name}") for decision in Decision
}
ControlPayload = ev.ApprovalRequested | ev.ApprovalResolved | ev.ToolOutputsRequested | ev.PluginFailed


def set_control(made: pb.Event, payload: ControlPayload) -> None:
    """Set the payload of an event."""
    match payload:
        case ev.ApprovalRequested():
            made.approval_requested.CopyFrom(
                pb.ApprovalRequested(
                    approval_id=payload.approval_id,
                    tool_call=tool_call_to_proto(payload.tool_call),
                    expire_time=timestamp(payload.expire_time),
                    reason=clean_text(payload.reason),
                )
            )
        case ev.ApprovalResolved():
            made.approval_resolved.CopyFrom(
                pb.ApprovalResolved(
                    approval_id=payload.approval_id,
                    decision=_DECISIONS[payload.decision],
                    decided_by=clean_text(payload.decided_by),
                    comment=clean_text(payload.comment),
                    arguments=clean_text(payload.arguments),
                )
            )
        case ev.ToolOutputsRequested():
            made.tool_outputs_requested.CopyFrom(
                pb.ToolOutputsRequested(
                    tool_calls=[tool_call_to_proto(call) for call in payload.tool_calls],
                    expire_time=timestamp(payload.expire_time),
                )
            )
        case ev.PluginFailed():
            made.plugin_error.CopyFrom(
                pb.PluginError(
                    plugin=clean_text(payload.plugin),
                    hook=payload.hook,
                    error=run_error_to_proto(payload.error),
                )
            )
