"""A run's log: the only thing that anyone who follows a run ever reads.

Durable events are numbered 1, 2, 3, … and stored. Partial events (deltas, progress) and stream-only events carry
the sequence of the durable event they follow, and are not stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from runwire_server.domain.content import NO_USAGE, JsonObject, Message, ToolCall, ToolResult, Usage
from runwire_server.domain.mail import Decision
from runwire_server.domain.record import record
from runwire_server.domain.runs import Outcome, Run, RunError, RunOptions, RunState


# Deltas are to be treated as frozen, too: one is made for every token, and frozen ones cost three times as much.
@dataclass(slots=True)
class TextDelta:
    """A piece of a message's text. `offset` counts code points; 0 replaces what came before."""

    message_id: str
    text: str
    offset: int = 0


@dataclass(slots=True)
class ReasoningDelta:
    """A piece of a message's reasoning."""

    message_id: str
    text: str
    offset: int = 0


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of the arguments of the message's call number `index`, from 0."""

    message_id: str
    index: int
    tool_call_id: str
    tool_name: str
    arguments: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """How far a running call is. Only the newest of a call counts. `fraction` is 0 to 1."""

    tool_call_id: str
    tool_name: str
    message: str
    fraction: float | None = None


@dataclass(slots=True)
class ToolOutputDelta:
    """A piece of what a running tool writes."""

    tool_call_id: str
    tool_name: str
    text: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class MessagePayload:
    """A whole message of the conversation. `raw_arguments` has what the model wrote of repaired calls, by their
    id."""

    message_id: str
    message: Message
    finish_reason: str = ""
    usage: Usage | None = None
    model: str = ""
    response_id: str = ""
    raw_arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResults:
    """Results of calls of message `message_id`, in the order of the calls.

    All of them, unless some have to wait for an answer or were cut off: those come later, or never.
    """

    results: tuple[ToolResult, ...]
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A call begins; `index` is its place in its message."""

    tool_call: ToolCall
    index: int


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A call ended. In completion order."""

    result: ToolResult
    index: int
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of every run. `joined` is set only for a caller who joined a known run."""

    run: Run
    options: RunOptions
    tools: tuple[str, ...] = ()
    joined: bool = False
    session_created: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """The last event of every run, exactly once."""

    outcome: Outcome
    stop_reason: str
    error: RunError | None = None
    usage: Usage = NO_USAGE
    message: Message | None = None
    state: JsonObject | None = None
    cancel_reason: str = ""
    structured_output: str = ""


@dataclass(frozen=True, slots=True)
class ErrorPayload:
    """Something failed. Whether the run ends is said by the completion."""

    error: RunError


@dataclass(frozen=True, slots=True)
class RunStateChanged:
    """The run's state changed."""

    previous: RunState
    state: RunState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelRetry:
    """A model call failed before its first token, and is tried again after `delay_seconds`."""

    failed_attempt: int
    error: RunError
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """A tool call needs a decision until then."""

    approval_id: str
    tool_call: ToolCall
    expire_time: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalResolved:
    """An approval was answered, or nobody did in time. `arguments` are those to use, if they were edited."""

    approval_id: str
    decision: Decision
    decided_by: str = ""
    comment: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class ToolOutputsRequested:
    """The caller must execute these calls until then."""

    tool_calls: tuple[ToolCall, ...]
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PluginFailed:
    """A hook of a plugin raised or took too long. The run went on without it."""

    plugin: str
    hook: str
    error: RunError


@dataclass(frozen=True, slots=True)
class Custom:
    """An agent's own event."""

    name: str
    data: JsonObject


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What follows is live. Stream only."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing else happened for a while. Stream only."""

    state: RunState


class ReconnectReason(StrEnum):
    """Why a stream is ended by the server."""

    DRAINING = "draining"
    SLOW_CONSUMER = "slow_consumer"


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The server ends this stream: attach again after `delay_seconds`. Stream only."""

    reason: ReconnectReason
    delay_seconds: float = 0.0


GrowingPayload = TextDelta | ReasoningDelta | ToolCallDelta | ToolOutputDelta
PartialPayload = GrowingPayload | ToolProgress
StreamPayload = CaughtUp | Heartbeat | Reconnect
DurablePayload = (
    MessagePayload
    | ToolResults
    | ToolStarted
    | ToolFinished
    | RunStarted
    | Completion
    | ErrorPayload
    | RunStateChanged
    | ModelRetry
    | ApprovalRequested
    | ApprovalResolved
    | ToolOutputsRequested
    | PluginFailed
    | Custom
)
Payload = DurablePayload | PartialPayload | StreamPayload
PARTIAL_PAYLOADS = (TextDelta, ReasoningDelta, ToolCallDelta, ToolOutputDelta, ToolProgress)

_OBJECTS: Mapping[type, str] = {
    TextDelta: "chat.completion.chunk",
    ReasoningDelta: "chat.completion.chunk",
    ToolCallDelta: "chat.completion.chunk",
    MessagePayload: "chat.completion",
    ToolResults: "tool.response",
    ToolStarted: "tool.start",
    ToolFinished: "tool.complete",
    ToolProgress: "tool.progress",
    ToolOutputDelta: "tool.output",
    RunStarted: "runner.start",
    Completion: "runner.completion",
    ErrorPayload: "error",
    RunStateChanged: "runner.state",
    ModelRetry: "model.retry",
    ApprovalRequested: "approval.request",
    ApprovalResolved: "approval.resolve",
    ToolOutputsRequested: "tool.outputs.request",
    PluginFailed: "plugin.error",
    Custom: "custom",
    CaughtUp: "stream.caught_up",
    Heartbeat: "stream.heartbeat",
    Reconnect: "stream.reconnect",
}


@dataclass(slots=True, kw_only=True)
class Event:
    """One entry of a log. Treat it as frozen; only `wire` may be set, once, by the transport.

    It is not a frozen dataclass because one is made for every delta, and frozen ones cost twice as much
    (notes/performance.md §4).
    """

    request_id: str
    sequence: int
    create_time: datetime
    author: str
    payload: Payload
    id: str = ""
    branch: str = ""
    filter_key: str = ""
    invocation_id: str = ""
    parent_invocation_id: str = ""
    tag: str = ""
    state_delta: JsonObject | None = None
    attempt: int = 0
    # The event as it goes over the wire, so that it is encoded once for all its followers.
    wire: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def object(self) -> str:
        """The stable dotted name of the payload's kind."""
        return _OBJECTS[type(self.payload)]

    @property
    def is_partial(self) -> bool:
        """Whether it is a delta: not stored, superseded later."""
        return isinstance(self.payload, PARTIAL_PAYLOADS)

    @property
    def is_last(self) -> bool:
        """Whether it is the completion."""
        return isinstance(self.payload, Completion)


@record(frozen=True, slots=True, kw_only=True)
class Draft:
    """A durable event before the log gives it a position.

    `to_session` says that it is also part of the session: what domain.sessions.is_session_event decides otherwise.
    """

    author: str
    payload: DurablePayload
    branch: str = ""
    filter_key: str = ""
    invocation_id: str = ""
    parent_invocation_id: str = ""
    tag: str = ""
    state_delta: JsonObject | None = None

    def numbered(
        self, request_id: str, sequence: int, create_time: datetime, event_id: str, attempt: int
    ) -> Event:
        """Return the event that it becomes."""
        return Event(
            request_id=request_id,
            sequence=sequence,
            create_time=create_time,
            author=self.author,
            payload=self.payload,
            id=event_id,
            branch=self.branch,
            filter_key=self.filter_key,
            invocation_id=self.invocation_id,
            parent_invocation_id=self.parent_invocation_id,
            tag=self.tag,
            state_delta=self.state_delta,
            attempt=attempt,
        )
