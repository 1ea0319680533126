"""What callers ask of the runner, already checked by the transport."""

from datetime import datetime, timedelta
from functools import cache

from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey, new_id
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import NO_INPUT, NO_OPTIONS, Run, RunInput, RunOptions, RunState


@record(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """Start a run. Empty app and agent names mean the default ones; empty ids are made.

    `fingerprint` is equal for equal requests. `deadline_seconds` is the caller's, from now.
    """

    app_name: str = ""
    user_id: str
    session_id: str = ""
    request_id: str = ""
    agent_name: str = ""
    input: RunInput = NO_INPUT
    fingerprint: str = ""
    deadline_seconds: float | None = None


def new_run(
    key: RunKey,
    session: SessionKey,
    agent_name: str,
    request: StartRequest,
    *,
    replica: ReplicaId,
    run_seconds_max: float,
    now: datetime,
) -> Run:
    """Return the record of the run that was asked for, made by that replica."""
    options = request.input.options
    if options is NO_OPTIONS:
        options = _bounded(run_seconds_max)
    elif options.max_run_seconds is None or options.max_run_seconds > run_seconds_max:
        options = replace(options, max_run_seconds=run_seconds_max)
    return Run(
        key=key,
        session=session,
        agent_name=agent_name,
        state=RunState.QUEUED,
        create_time=now,
        deadline=now + timedelta(seconds=request.deadline_seconds) if request.deadline_seconds else None,
        invocation_id=new_id(),
        owner=replica,
        fingerprint=request.fingerprint,
        input=replace(request.input, options=options),
    )


@cache
def _bounded(run_seconds_max: float) -> RunOptions:
    return replace(NO_OPTIONS, max_run_seconds=run_seconds_max)
