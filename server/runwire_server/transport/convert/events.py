"""Events of runs."""

from datetime import UTC, datetime

from runwire.v1 import event_pb2 as pb
from runwire.v1 import runner_service_pb2 as service_pb
from runwire_server.domain import events as ev
from runwire_server.domain.content import Role, clean_text
from runwire_server.transport.convert.content import (
    duration,
    json_to_struct,
    message_from_proto,
    message_to_proto,
    set_timestamp,
    struct_to_json,
    tool_call_to_proto,
    tool_result_from_proto,
    tool_result_to_proto,
    usage_from_proto,
    usage_to_proto,
)
from runwire_server.transport.convert.control import set_control
from runwire_server.transport.convert.deltas import delta_to_wire
from runwire_server.transport.convert.options import options_to_proto
from runwire_server.transport.convert.runs import (
    outcome_to_proto,
    run_error_to_proto,
    run_to_proto,
    state_to_proto,
)

_RECONNECT_REASONS = {
    ev.ReconnectReason.DRAINING: pb.Reconnect.REASON_DRAINING,
    ev.ReconnectReason.SLOW_CONSUMER: pb.Reconnect.REASON_SLOW_CONSUMER,
}


def event_to_wire(event: ev.Event) -> bytes:
    """Return the event as a serialised RunResponse, which AttachResponse equals on the wire. Made once an event."""
    wire = event.wire
    if wire is None:
        payload = event.payload
        if isinstance(payload, ev.TextDelta | ev.ReasoningDelta):  # by far the most
            wire = delta_to_wire(event, payload)
        else:
            response = service_pb.RunResponse()
            _fill(response.event, event)
            wire = response.SerializeToString()
        event.wire = wire
    return wire


def event_to_proto(event: ev.Event) -> pb.Event:
    """Return an event."""
    made = pb.Event()
    _fill(made, event)
    return made


def _fill(made: pb.Event, event: ev.Event) -> None:
    """Set an empty event's fields in place, which costs half of making messages and copying them (measured)."""
    made.request_id = event.request_id
    made.sequence = event.sequence
    set_timestamp(made.create_time, event.create_time)
    made.author = event.author
    made.object = event.object
    payload = event.payload
    made.partial = event.is_partial
    made.id = event.id
    made.branch = event.branch
    made.filter_key = event.filter_key
    made.invocation_id = event.invocation_id
    made.parent_invocation_id = event.parent_invocation_id
    made.tag = event.tag
    made.attempt = event.attempt
    if event.state_delta is not None:
        made.state_delta.CopyFrom(json_to_struct(event.state_delta))
    if isinstance(payload, ev.PARTIAL_PAYLOADS):
        _set_partial(made, payload)
    elif isinstance(payload, ev.CaughtUp | ev.Heartbeat | ev.Reconnect):
        _set_stream_only(made, payload, event.sequence)
    else:
        _set_durable(made, payload, event.sequence)


def _set_partial(made: pb.Event, payload: ev.PartialPayload) -> None:
    match payload:
        case ev.TextDelta(message_id=message_id, text=text, offset=offset):
            made.text_delta.CopyFrom(
                pb.TextDelta(message_id=message_id, text=clean_text(text), offset=offset)
            )
        case ev.ReasoningDelta(message_id=message_id, text=text, offset=offset):
            made.reasoning_delta.CopyFrom(
                pb.ReasoningDelta(message_id=message_id, text=clean_text(text), offset=offset)
            )
        case ev.ToolCallDelta():
            made.tool_call_delta.CopyFrom(
                pb.ToolCallDelta(
                    message_id=payload.message_id,
                    index=payload.index,
                    tool_call_id=clean_text(payload.tool_call_id),
                    tool_name=clean_text(payload.tool_name),
                    arguments=clean_text(payload.arguments),
                    offset=payload.offset,
                )
            )
        case ev.ToolOutputDelta():
            made.tool_output_delta.CopyFrom(
                pb.ToolOutputDelta(
                    tool_call_id=clean_text(payload.tool_call_id),
                    tool_name=clean_text(payload.tool_name),
                    text=clean_text(payload.text),
                    offset=payload.offset,
                )
            )
        case ev.ToolProgress():
            made.tool_progress.CopyFrom(
                pb.ToolProgress(
                    tool_call_id=clean_text(payload.tool_call_id),
                    tool_name=clean_text(payload.tool_name),
                    message=clean_text(payload.message),
                    fraction=payload.fraction,
                )
            )


def _set_stream_only(made: pb.Event, payload: ev.StreamPayload, sequence: int) -> None:
    match payload:
        case ev.CaughtUp():
            made.caught_up.CopyFrom(pb.CaughtUp(last_sequence=sequence))
        case ev.Heartbeat(state=state):
            made.heartbeat.CopyFrom(pb.Heartbeat(state=state_to_proto(state)))
        case ev.Reconnect(reason=reason, delay_seconds=delay):
            made.reconnect.CopyFrom(pb.Reconnect(reason=_RECONNECT_REASONS[reason], delay=duration(delay)))


def _set_durable(made: pb.Event, payload: ev.Payload, sequence: int) -> None:  # noqa: C901 -- a table
    match payload:
        case ev.MessagePayload():
            made.message.CopyFrom(_message(payload))
        case ev.ToolResults(results=results, message_id=message_id):
            made.tool_results.CopyFrom(
                pb.ToolResults(results=[tool_result_to_proto(r) for r in results], message_id=message_id)
            )
        case ev.ToolStarted(tool_call=call, index=index):
            made.tool_started.CopyFrom(pb.ToolStarted(tool_call=tool_call_to_proto(call), index=index))
        case ev.ToolFinished(result=result, index=index, duration_seconds=seconds):
            made.tool_finished.CopyFrom(
                pb.ToolFinished(result=tool_result_to_proto(result), index=index, duration=duration(seconds))
            )
        case ev.RunStarted():
            made.run_started.CopyFrom(
                pb.RunStarted(
                    run=run_to_proto(payload.run, with_message=False),
                    options=options_to_proto(payload.options),
                    tools=payload.tools,
                    joined=payload.joined,
                    session_created=payload.session_created,
                )
            )
        case ev.Completion():
            made.completion.CopyFrom(_completion(payload, sequence))
        case ev.ErrorPayload(error=error):
            made.error.CopyFrom(pb.ErrorEvent(error=run_error_to_proto(error)))
        case ev.RunStateChanged(previous=previous, state=state, reason=reason):
            made.run_state_changed.CopyFrom(
                pb.RunStateChanged(
                    previous_state=state_to_proto(previous), state=state_to_proto(state), reason=reason
                )
            )
        case ev.ModelRetry(failed_attempt=attempt, error=error, delay_seconds=delay):
            made.model_retry.CopyFrom(
                pb.ModelRetry(failed_attempt=attempt, error=run_error_to_proto(error), delay=duration(delay))
            )
        case ev.ApprovalRequested() | ev.ApprovalResolved() | ev.ToolOutputsRequested() | ev.PluginFailed():
            set_control(made, payload)
        case ev.Custom(name=name, data=data):
            made.custom.CopyFrom(pb.CustomEvent(name=clean_text(name), data=json_to_struct(data)))


def _message(payload: ev.MessagePayload) -> pb.MessageEvent:
    return pb.MessageEvent(
        message_id=payload.message_id,
        message=message_to_proto(payload.message),
        finish_reason=payload.finish_reason,
        usage=usage_to_proto(payload.usage) if payload.usage is not None else None,
        model=payload.model,
        response_id=payload.response_id,
        raw_arguments={clean_text(call): clean_text(raw) for call, raw in payload.raw_arguments.items()},
    )


def _completion(payload: ev.Completion, sequence: int) -> pb.Completion:
    return pb.Completion(
        outcome=outcome_to_proto(payload.outcome),
        stop_reason=payload.stop_reason,
        error=run_error_to_proto(payload.error),
        usage=usage_to_proto(payload.usage),
        message=message_to_proto(payload.message) if payload.message is not None else None,
        state=json_to_struct(payload.state) if payload.state is not None else None,
        last_sequence=sequence,
        cancel_reason=payload.cancel_reason,
        structured_output=clean_text(payload.structured_output),
    )


def event_from_proto(event: pb.Event) -> ev.Event:
    """Return an event of AppendEvent, which transport.validate has checked. An event of state alone is custom."""
    return ev.Event(
        request_id=event.request_id,
        sequence=0,
        create_time=event.create_time.ToDatetime(UTC) if event.HasField("create_time") else datetime.now(UTC),
        author=event.author or _author(event),
        payload=_payload_from_proto(event),
        id=event.id,
        branch=event.branch,
        filter_key=event.filter_key,
        invocation_id=event.invocation_id,
        parent_invocation_id=event.parent_invocation_id,
        tag=event.tag,
        state_delta=struct_to_json(event.state_delta) if event.HasField("state_delta") else None,
    )


def _payload_from_proto(event: pb.Event) -> ev.Payload:
    match event.WhichOneof("payload"):
        case "message":
            said = event.message
            return ev.MessagePayload(
                said.message_id,
                message_from_proto(said.message),
                finish_reason=said.finish_reason,
                usage=usage_from_proto(said.usage) if said.HasField("usage") else None,
                model=said.model,
                response_id=said.response_id,
            )
        case "tool_results":
            results = tuple(tool_result_from_proto(result) for result in event.tool_results.results)
            return ev.ToolResults(results, event.tool_results.message_id)
        case "custom":
            return ev.Custom(event.custom.name, struct_to_json(event.custom.data))
        case _:
            return ev.Custom("state.update", {})


def _author(event: pb.Event) -> str:
    """Return who says it when the caller did not."""
    if event.WhichOneof("payload") != "message":
        return "user"
    role = message_from_proto(event.message.message).role
    return "user" if role is Role.USER else role.value
