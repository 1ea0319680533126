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
    """Writes text as it comes; tool calls as they run, with arguments and duration; errors to `errors`."""

    def __init__(self, out: TextIO = sys.stdout, errors: TextIO = sys.stderr) -> None:
        self._out = out
        self._errors = errors
        self._shown: dict[str, int] = {}
        self._is_mid_line = False
        self._has_progress = False

    def show(self, event: event_pb2.Event) -> None:
        """Show one event."""
        match event.WhichOneof("payload"):
            case "text_delta":
                delta = event.text_delta
                have = self._shown.get(delta.message_id, 0)
                self._write(delta.text[max(have - delta.offset, 0) :])
                self._shown[delta.message_id] = max(have, delta.offset + len(delta.text))
            case "message":
                said = event.message
                if said.message.role == content_pb2.ROLE_ASSISTANT:
                    self._write(said.message.content[self._shown.pop(said.message_id, 0) :])
                    self.end_line()
            case "tool_started":
                call = event.tool_started.tool_call
                self._line(f"→ {call.name}({cut(call.arguments)})")
            case "tool_progress":
                self._show_progress(event.tool_progress)
            case "tool_finished":
                self._show_result(event.tool_finished)
            case "model_retry":
                self._line(f"… the model failed ({cut(event.model_retry.error.message)}); trying again")

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
        """Say how the run ended, if not well."""
        self.end_line()
        if completion.outcome != run_pb2.OUTCOME_COMPLETED:
            outcome = run_pb2.Outcome.Name(completion.outcome)[len("OUTCOME_") :].lower()
            why = completion.error.message or completion.cancel_reason or completion.stop_reason
            self._errors.write(f"runwire: the run ended {outcome}: {cut(why, 400)}\n")
            self._errors.flush()


def state_name(state: run_pb2.RunState.ValueType) -> str:
    """Return a run's state as a word."""
    return run_pb2.RunState.Name(state)[len("RUN_STATE_") :].lower()


def local_time(timestamp: Any) -> str:
    """Return a Timestamp in local time; empty when unset."""
    if not timestamp.seconds:
        return ""
    return datetime.fromtimestamp(timestamp.seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
