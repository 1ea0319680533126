"""What has become of the tool calls of a run, as its log tells: for a run that ends in the middle of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runwire_server.domain.content import Role, ToolCall, ToolResult, failed_result
from runwire_server.domain.events import (
    DurablePayload,
    MessagePayload,
    ToolFinished,
    ToolResults,
    ToolStarted,
)

_PART_BYTES_MAX = 2 * 1024 * 1024
# What a result has beside its content, at most: ids and names.
_RESULT_BYTES = 4096


@dataclass(slots=True)
class _Round:
    """The newest round of one agent. Calls are known by their place: models may use an id twice."""

    message_id: str = ""
    started: dict[int, ToolCall] = field(default_factory=dict)
    finished: dict[int, ToolResult] = field(default_factory=dict)


class Rounds:
    """The tool calls that are not done with, by the branch of the agent that made them."""

    def __init__(self) -> None:
        self._open: dict[str, _Round] = {}

    def expect(self, branch: str, message_id: str) -> None:
        """Say that the calls to come are of that message, which is in an earlier part of the log, or in another."""
        self._open[branch] = _Round(message_id)

    def note(self, branch: str, payload: object) -> None:
        """Take the next event of the log."""
        match payload:
            case MessagePayload(message_id=message_id, message=message) if message.role is Role.ASSISTANT:
                self._open.pop(branch, None)
                if message.tool_calls:
                    self._open[branch] = _Round(message_id)
            case ToolStarted(tool_call=call, index=index):
                self._open.setdefault(branch, _Round()).started[index] = call
            case ToolFinished(result=result, index=index):
                self._open.setdefault(branch, _Round()).finished[index] = result
            case ToolResults(results=results):
                reported = {result.tool_call_id for result in results}
                if (found := self._open.get(branch)) is not None:
                    for index, result in list(found.finished.items()):
                        if result.tool_call_id in reported:
                            del found.finished[index]
                            found.started.pop(index, None)

    def endings(self) -> Iterator[tuple[str, DurablePayload]]:
        """Yield what a log needs before its completion, each with its branch.

        A call that began is said to be cancelled. What its siblings answered goes to the session: a run that goes on
        from there calls only what has no result.
        """
        for branch, found in self._open.items():
            for index, call in sorted(found.started.items()):
                if index not in found.finished:
                    result = failed_result(
                        call, "CANCELLED", "the run ended before the tool did", retryable=True
                    )
                    yield branch, ToolFinished(result, index, 0.0)
            if found.finished:
                results = [result for _, result in sorted(found.finished.items())]
                for part in result_parts(results):
                    yield branch, ToolResults(part, found.message_id)


def result_parts(results: Sequence[ToolResult]) -> Iterator[tuple[ToolResult, ...]]:
    """Yield results in order, as many at a time as fit one event: what is larger than 4 MiB could not be sent."""
    part: list[ToolResult] = []
    size = 0
    for result in results:
        length = len(result.content.encode()) + _RESULT_BYTES
        if part and size + length > _PART_BYTES_MAX:
            yield tuple(part)
            part, size = [], 0
        part.append(result)
        size += length
    if part:
        yield tuple(part)
