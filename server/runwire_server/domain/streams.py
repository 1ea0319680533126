"""What a follower wants to see of a run. Filters act on what is sent, never on what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runwire_server.domain import events as ev

HEARTBEAT_SECONDS_DEFAULT = 15.0
HEARTBEAT_SECONDS_MIN = 1.0
HEARTBEAT_SECONDS_MAX = 60.0


class StreamMode(StrEnum):
    """A kind of events, in the reference's words (STRM-04)."""

    MESSAGES = "messages"
    UPDATES = "updates"
    CHECKPOINTS = "checkpoints"
    TASKS = "tasks"
    DEBUG = "debug"
    CUSTOM = "custom"


class Channel(StrEnum):
    """Who events are meant for: a user, whoever must answer, an operator."""

    PROGRESS = "progress"
    CONTROL = "control"
    MONITOR = "monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """What to send, and how long a stream may be silent. Empty sets and an empty branch mean everything."""

    modes: frozenset[StreamMode] = frozenset()
    channels: frozenset[Channel] = frozenset()
    whole_messages_only: bool = False
    partials_only: bool = False
    branch: str = ""
    heartbeat_seconds: float = HEARTBEAT_SECONDS_DEFAULT


# Sent whatever the filter: without them a client cannot tell how its run stands.
_ALWAYS = (
    ev.RunStarted,
    ev.Completion,
    ev.ErrorPayload,
    ev.ApprovalRequested,
    ev.ToolOutputsRequested,
    ev.CaughtUp,
    ev.Heartbeat,
    ev.Reconnect,
)

_MODES: Mapping[type, frozenset[StreamMode]] = {
    ev.TextDelta: frozenset({StreamMode.MESSAGES}),
    ev.ReasoningDelta: frozenset({StreamMode.MESSAGES}),
    ev.ToolCallDelta: frozenset({StreamMode.MESSAGES}),
    ev.MessagePayload: frozenset({StreamMode.MESSAGES}),
    # The reference has tool events in no mode at all; ours are part of the messages (R14).
    ev.ToolResults: frozenset({StreamMode.MESSAGES}),
    ev.ToolStarted: frozenset({StreamMode.MESSAGES, StreamMode.TASKS, StreamMode.DEBUG}),
    ev.ToolFinished: frozenset({StreamMode.MESSAGES, StreamMode.TASKS, StreamMode.DEBUG}),
    ev.ToolProgress: frozenset({StreamMode.MESSAGES, StreamMode.TASKS, StreamMode.DEBUG}),
    ev.ToolOutputDelta: frozenset({StreamMode.MESSAGES, StreamMode.TASKS, StreamMode.DEBUG}),
    ev.ApprovalResolved: frozenset({StreamMode.UPDATES, StreamMode.TASKS, StreamMode.DEBUG}),
    ev.PluginFailed: frozenset({StreamMode.DEBUG}),
    ev.RunStateChanged: frozenset({StreamMode.UPDATES, StreamMode.DEBUG}),
    ev.ModelRetry: frozenset({StreamMode.TASKS, StreamMode.DEBUG}),
    ev.Custom: frozenset({StreamMode.CUSTOM}),
}

_MONITORED = (ev.RunStateChanged, ev.ModelRetry, ev.PluginFailed)
_CONTROLLED = (ev.ApprovalRequested, ev.ApprovalResolved, ev.ToolOutputsRequested)


def is_forwarded(payload: ev.Payload, options: StreamOptions, branch: str = "") -> bool:
    """Whether a follower with these options is sent the event of an agent on that branch; empty: the run's own."""
    if isinstance(payload, _ALWAYS):
        return True
    if options.branch and not is_within(branch, options.branch):
        return False
    if options.whole_messages_only and isinstance(payload, ev.PARTIAL_PAYLOADS):
        return False
    if options.partials_only and isinstance(payload, ev.MessagePayload):
        return False
    if options.channels and channel_of(payload) not in options.channels:
        return False
    return not options.modes or bool(_MODES[type(payload)] & options.modes)


def shows_all(options: StreamOptions) -> bool:
    """Whether these options forward everything, whatever it is."""
    filters = (
        options.modes,
        options.channels,
        options.branch,
        options.whole_messages_only,
        options.partials_only,
    )
    return not any(filters)


def channel_of(payload: ev.Payload) -> Channel:
    """Return whom an event is meant for."""
    if isinstance(payload, _CONTROLLED):
        return Channel.CONTROL
    return Channel.MONITOR if isinstance(payload, _MONITORED) else Channel.PROGRESS


def is_within(branch: str, root: str) -> bool:
    """Whether the branch is `root` or below it (EVT-07: app is not within app2)."""
    return f"{branch}/".startswith(f"{root}/")
