"""Requests of RunnerService."""

import hashlib
from dataclasses import dataclass

from runwire.v1 import runner_service_pb2 as pb
from runwire_server.domain.runs import NO_OPTIONS, CancelMode, CancelRequest, RunInput
from runwire_server.domain.streams import StreamOptions
from runwire_server.runner.requests import StartRequest
from runwire_server.storage.port import RunFilter
from runwire_server.transport.convert.content import message_from_proto
from runwire_server.transport.convert.options import options_from_proto
from runwire_server.transport.convert.runs import CANCEL_MODES, STATES
from runwire_server.transport.validate.answers import run_name
from runwire_server.transport.validate.checks import ANY_ROLE, USER_ROLE, Checks, says_something
from runwire_server.transport.validate.options import check_options, stream_options

WAIT_SECONDS_DEFAULT = 30.0
WAIT_SECONDS_MAX = 300.0
_REASON_CHARS_MAX = 1000
_SEED_MESSAGES_MAX = 1000
_EVERYTHING = StreamOptions()


@dataclass(frozen=True, slots=True)
class AttachAsked:
    """What Attach asks."""

    app_name: str
    request_id: str
    after: int
    options: StreamOptions


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """What Cancel asks."""

    app_name: str
    request_id: str
    cancel: CancelRequest
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class ListRunsAsked:
    """What ListRuns asks; the app's name may be empty."""

    wanted: RunFilter
    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ListRunEventsAsked:
    """What ListRunEvents asks."""

    app_name: str
    request_id: str
    after: int
    limit: int


def run_request(
    request: pb.RunRequest, deadline_seconds: float | None = None
) -> tuple[StartRequest, StreamOptions]:
    """Check Run. The caller's deadline is not in the request."""
    with Checks() as checks:
        checks.name("app_name", request.app_name)
        checks.name("user_id", request.user_id, is_required=True)
        checks.name("session_id", request.session_id)
        checks.name("request_id", request.request_id)
        checks.name("agent_name", request.agent_name)
        message = _current_message(checks, request)
        if len(request.messages) > _SEED_MESSAGES_MAX:
            checks.wrong("messages", f"has more than {_SEED_MESSAGES_MAX} messages")
        for index, seed in enumerate(request.messages):
            checks.message(f"messages[{index}]", seed, (0, *ANY_ROLE))
        state = checks.state("state_delta", request.state_delta) if request.HasField("state_delta") else None
        if request.HasField("options"):
            check_options(checks, request.options)
        stream = stream_options(checks, request.stream) if request.HasField("stream") else _EVERYTHING
    start = StartRequest(
        app_name=request.app_name,
        user_id=request.user_id,
        session_id=request.session_id,
        request_id=request.request_id,
        agent_name=request.agent_name,
        input=RunInput(
            message=message_from_proto(request.message) if message else None,
            messages=tuple(message_from_proto(seed) for seed in request.messages),
            resume=request.resume,
            state_delta=state or None,
            options=options_from_proto(request.options) if request.HasField("options") else NO_OPTIONS,
        ),
        fingerprint=fingerprint(request),
        deadline_seconds=deadline_seconds,
    )
    return start, stream


def fingerprint(request: pb.RunRequest) -> str:
    """Return what is equal for equal requests. What a caller wants to see of a run is not part of the run."""
    asked = request
    if request.HasField("stream"):
        asked = pb.RunRequest()
        asked.CopyFrom(request)
        asked.ClearField("stream")
    return hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()


def _current_message(checks: Checks, request: pb.RunRequest) -> bool:
    """Check the user's message; return whether there is one."""
    if request.resume:
        if request.HasField("message"):
            checks.wrong("message", "a resumed run takes no new message")
        return False
    has_seed = any(says_something(seed) for seed in request.messages)
    if not request.HasField("message"):
        if not has_seed:
            checks.wrong("message", "is required, unless messages has a history")
        return False
    checks.message("message", request.message, USER_ROLE)
    if not says_something(request.message) and not has_seed:
        checks.wrong("message.content", "is required")
    return True


def attach_request(request: pb.AttachRequest) -> AttachAsked:
    """Check Attach."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        checks.not_negative("after_sequence", request.after_sequence)
        stream = stream_options(checks, request.stream)
    return AttachAsked(request.app_name, request.request_id, request.after_sequence, stream)


def cancel_request(request: pb.CancelRequest) -> CancelAsked:
    """Check Cancel."""
    wait_seconds = 0.0
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        checks.enum("mode", request.mode, CANCEL_MODES)
        checks.text("reason", request.reason, chars_max=_REASON_CHARS_MAX)
        if request.HasField("wait"):
            wait_seconds = checks.seconds("wait", request.wait, 0.0, WAIT_SECONDS_MAX)
    mode = CANCEL_MODES.get(request.mode, CancelMode.IMMEDIATE)
    return CancelAsked(
        request.app_name, request.request_id, CancelRequest(mode, request.reason), wait_seconds
    )


def run_status_request(request: pb.RunStatusRequest) -> tuple[str, str]:
    """Check RunStatus. Return the app's name and the request id."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
    return request.app_name, request.request_id


def wait_run_request(request: pb.WaitRunRequest) -> tuple[str, str, float]:
    """Check WaitRun. Return the app's name, the request id, and the seconds to wait."""
    seconds = WAIT_SECONDS_DEFAULT
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        if request.HasField("timeout"):
            seconds = checks.seconds("timeout", request.timeout, 0.0, WAIT_SECONDS_MAX)
    return request.app_name, request.request_id, seconds


def list_runs_request(request: pb.ListRunsRequest) -> ListRunsAsked:
    """Check ListRuns."""
    with Checks() as checks:
        checks.name("app_name", request.app_name)
        checks.name("user_id", request.user_id)
        checks.name("session_id", request.session_id)
        checks.name("agent_name", request.agent_name)
        if request.session_id and not request.user_id:
            checks.wrong("user_id", "is required with session_id")
        for index, state in enumerate(request.states):
            checks.enum(f"states[{index}]", state, STATES)
        limit = checks.page_size(request.page_size, default=50)
    wanted = RunFilter(
        app_name=request.app_name,
        user_id=request.user_id,
        session_id=request.session_id,
        agent_name=request.agent_name,
        states=frozenset(STATES[state] for state in request.states),
    )
    return ListRunsAsked(wanted, limit, request.page_token or None)


def list_run_events_request(request: pb.ListRunEventsRequest) -> ListRunEventsAsked:
    """Check ListRunEvents. A page token continues after the page before it."""
    with Checks() as checks:
        run_name(checks, request.app_name, request.request_id)
        checks.not_negative("after_sequence", request.after_sequence)
        limit = checks.page_size(request.page_size, default=100)
        after = max(request.after_sequence, checks.number_token(request.page_token))
    return ListRunEventsAsked(request.app_name, request.request_id, after, limit)
