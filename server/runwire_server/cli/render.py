"""Show a run's events to a person, as they come."""

import sys
from datetime import datetime
from typing import Any, TextIO

from google.protobuf import json_format

from runwire.v1 import content_pb2, event_pb2, run_pb2

_ARGUMENTS_MAX = 120


def json_line(message: Any) -> str:
    """Return a protobuf message as one line of JSON, names as in the protos' JSON mapping."""
    text: str = json_format.MessageToJson(message, indent=None, ensure_ascii=False)
    return text


def cut(text: str, width: int = _ARGUMENTS_MAX) -> str:
    """Return the text on one line, not longer than that."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


class Renderer:
    """Writes text as it comes; tool calls as they run, with arguments and duration; errors to `errors`.

    It says how to answer what the run asks, but approvals if somebody else `asks` about those.
    """

    def __init__(
        self,
        request_id: str,
        *,
        asks: bool = False,
        out: TextIO | None = None,
        errors: TextIO | None = None,
    ) -> None:
        self._request_id = request_id
        self._asks = asks
        self._out = out or sys.stdout
        self._errors = errors or sys.stderr
        self._shown: dict[str, int] = {}
        # Of which message or call the piece was that was written last.
        self._writing = ""
        self._is_mid_line = False
        self._has_progress = False

    def show(self, event: event_pb2.Event) -> None:
        """Show one event."""
        match event.WhichOneof("payload"):
            case "text_delta":
                self._write_piece(event.text_delta.message_id, event.text_delta)
            case "tool_output_delta":
                self._write_piece(f"call {event.tool_output_delta.tool_call_id}", event.tool_output_delta)
            case "message":
                said = event.message
                if said.message.role == content_pb2.ROLE_ASSISTANT:
                    self._write(said.message.content[self._shown.pop(said.message_id, 0) :])
                    self.end_line()
            case "tool_started" | "tool_progress" | "tool_finished":
                self._show_tool(event)
            case "model_retry":
                self._line(f"… the model failed ({cut(event.model_retry.error.message)}); trying again")
            case "plugin_error":
                failed = event.plugin_error
                self._line(f"! plugin {failed.plugin} failed in {failed.hook}: {cut(failed.error.message)}")
            case "approval_requested" | "approval_resolved" | "tool_outputs_requested":
                self._show_question(event)

    def _show_tool(self, event: event_pb2.Event) -> None:
        match event.WhichOneof("payload"):
            case "tool_started":
                self._line(f"→ {call_line(event.tool_started.tool_call)}")
            case "tool_progress":
                self._show_progress(event.tool_progress)
            case "tool_finished":
                self._shown.pop(f"call {event.tool_finished.result.tool_call_id}", None)
                self._show_result(event.tool_finished)

    def _show_question(self, event: event_pb2.Event) -> None:
        match event.WhichOneof("payload"):
            case "approval_requested":
                asked = event.approval_requested
                self._line(f"? may {call_line(asked.tool_call)} be called?{_because(asked.reason)}")
                if not self._asks:
                    self._hint("approve", asked.approval_id, "deny")
            case "approval_resolved":
                resolved = event.approval_resolved
                who = f" by {resolved.decided_by}" if resolved.decided_by else ""
                edited = f", with {cut(resolved.arguments)}" if resolved.arguments else ""
                decision = enum_word(event_pb2.ApprovalDecision, resolved.decision, "APPROVAL_DECISION_")
                self._line(f"{decision}{who}{edited}{_because(resolved.comment)}")
            case "tool_outputs_requested":
                for call in event.tool_outputs_requested.tool_calls:
                    self._line(f"? the run waits for the output of {call_line(call)}")
                    self._hint("outputs", f"{call.id}=TEXT")

    def _hint(self, command: str, argument: str, other: str = "") -> None:
        commands = [f"runwire {name} {self._request_id} {argument}" for name in (command, other) if name]
        self._line("  " + "   or   ".join(commands))

    def _write_piece(self, name: str, delta: Any) -> None:
        if name != self._writing:
            self.end_line()
            self._writing = name
        have = self._shown.get(name, 0)
        self._write(delta.text[max(have - delta.offset, 0) :])
        self._shown[name] = max(have, delta.offset + len(delta.text))

    def _show_progress(self, progress: event_pb2.ToolProgress) -> None:
        share = f" {progress.fraction:.0%}" if progress.HasField("fraction") else ""
        text = f"  {progress.tool_name}:{share} {cut(progress.message)}"
        if self._out.isatty():
            self.end_line()
            self._clear_progress()
            self._out.write(text)
            self._out.flush()
            self._has_progress = True
        else:
            self._line(text)

    def _show_result(self, finished: event_pb2.ToolFinished) -> None:
        result = finished.result
        seconds = finished.duration.seconds + finished.duration.nanos / 1e9
        mark = "✓" if result.status == content_pb2.TOOL_STATUS_OK else f"✗ {result.reason}"
        self._line(f"← {result.tool_name} {mark} {seconds:.2f} s: {cut(result.content)}")

    def _clear_progress(self) -> None:
        if self._has_progress:
            self._out.write("\r\x1b[K")
            self._has_progress = False

    def _write(self, text: str) -> None:
        if text:
            self._clear_progress()
            self._out.write(text)
            self._out.flush()
            self._is_mid_line = not text.endswith("\n")

    def _line(self, text: str) -> None:
        self.end_line()
        self._clear_progress()
        self._out.write(text + "\n")
        self._out.flush()

    def end_line(self) -> None:
        """Go to a new line, if something stands on this one."""
        if self._is_mid_line:
            self._out.write("\n")
            self._out.flush()
            self._is_mid_line = False

    def show_end(self, completion: event_pb2.Completion) -> None:
        """Say how the run ended, unless that is plain to see."""
        self.end_line()
        if completion.stop_reason == "stop_error":
            self._errors.write(f"runwire: the run was stopped: {cut(completion.error.message, 400)}\n")
        elif completion.stop_reason == "nothing_to_resume":
            self._errors.write("runwire: there was nothing to resume\n")
        elif completion.outcome != run_pb2.OUTCOME_COMPLETED:
            outcome = enum_word(run_pb2.Outcome, completion.outcome, "OUTCOME_")
            why = completion.error.message or completion.cancel_reason or completion.stop_reason
            self._errors.write(f"runwire: the run ended {outcome}: {cut(why, 400)}\n")
            self._errors.flush()


def state_name(state: run_pb2.RunState.ValueType) -> str:
    """Return a run's state as a word."""
    return enum_word(run_pb2.RunState, state, "RUN_STATE_")


def enum_word(enum: Any, value: int, prefix: str) -> str:
    """Return an enum's value as a word; as a number when only a newer server knows it."""
    return str(enum.Name(value)).removeprefix(prefix).lower() if value in enum.values() else str(value)


def call_line(call: content_pb2.ToolCall) -> str:
    """Return a tool call on one line."""
    return f"{call.name}({cut(call.arguments)})"


def _because(reason: str) -> str:
    return f" ({cut(reason)})" if reason else ""


def local_time(timestamp: Any) -> str:
    """Return a Timestamp in local time; empty when unset."""
    if not timestamp.seconds:
        return ""
    return datetime.fromtimestamp(timestamp.seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
