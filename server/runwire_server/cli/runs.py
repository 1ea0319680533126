"""Commands for runs and agents."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from runwire.client import DEFAULT_TARGET, Client
from runwire.run import RunStream
from runwire.v1 import event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.cli.asking import Asker
from runwire_server.cli.connection import AppName, AsJson, Connection, Target, User
from runwire_server.cli.failures import EXIT_CANCELLED, EXIT_RUN_FAILED
from runwire_server.cli.interrupts import interruptible
from runwire_server.cli.lines import Lines
from runwire_server.cli.render import Renderer, call_line, cut, json_line, local_time, state_name

RequestId = Annotated[str, typer.Argument(help="The run's request id.")]
_MODES = {
    "immediate": pb.CANCEL_MODE_IMMEDIATE,
    "after-model": pb.CANCEL_MODE_AFTER_MODEL,
    "after-tools": pb.CANCEL_MODE_AFTER_TOOLS,
}


def run(
    message: Annotated[str, typer.Argument(help="What you say.")] = "",
    *,
    session: Annotated[str, typer.Option(help="The conversation. Default: a new one.")] = "",
    agent: Annotated[str, typer.Option(help="Which agent.")] = "",
    model: Annotated[str, typer.Option(help="Which model.")] = "",
    request_id: Annotated[str, typer.Option(help="Name the run, so that it can be repeated safely.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Say nothing: go on where the conversation stands.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it, print its id, and leave it alone.")
    ] = False,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app: AppName = "",
) -> int:
    """Run an agent and show what it does. Ctrl-C cancels the run; a second one leaves it.

    On a terminal it asks you what the run asks; otherwise it says which command answers, and goes on looking.
    """
    if resume == bool(message):
        raise typer.BadParameter("say something, or --resume", param_hint="MESSAGE")
    if resume and not session:
        raise typer.BadParameter("--resume needs the conversation", param_hint="--session")
    options = run_pb2.RunOptions(model=model, detached_cancel=detach)

    async def work(client: Client) -> int:
        is_asked = sys.stdin.isatty() and not as_json and not detach
        asker = Asker(Lines) if is_asked else None
        stream = client.run(
            message or None,
            session_id=session,
            resume=resume,
            approve=asker.ask if asker is not None else None,
            agent_name=agent,
            request_id=request_id,
            options=options,
            keeps_stream_only=as_json,
        )
        if detach:
            async with stream:
                await anext(aiter(stream))
            typer.echo(stream.request_id)
            return 0
        return await show(stream, as_json=as_json, cancels=True, asker=asker)

    return Connection(target, user, app).run(work)


def attach(
    request_id: RequestId,
    *,
    after: Annotated[int, typer.Option(min=0, help="The last sequence that you have.")] = 0,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    app: AppName = "",
) -> int:
    """Follow a run from any point, live or finished. Ctrl-C only stops looking."""

    async def work(client: Client) -> int:
        stream = client.attach(request_id, after_sequence=after, keeps_stream_only=as_json)
        return await show(stream, as_json=as_json, cancels=False)

    return Connection(target, "", app).run(work)


async def show(stream: RunStream, *, as_json: bool, cancels: bool, asker: Asker | None = None) -> int:
    """Show a run to its end and return the exit code. If it `cancels`, the first Ctrl-C does so."""
    renderer = Renderer(stream.request_id, asks=asker is not None)
    on_cancel = asker.stop if asker is not None else None
    reason = "interrupted at the command line"
    holding = interruptible(stream, reason, on_cancel) if cancels else nullcontext()
    async with stream, holding:
        async for event in stream:
            if as_json:
                typer.echo(json_line(event))
            else:
                renderer.show(event)
    if stream.completion is None:
        return 0
    if not as_json:
        renderer.show_end(stream.completion)
    return exit_code(stream.completion)


def exit_code(completion: event_pb2.Completion) -> int:
    """Return what a run's end means to a shell."""
    match completion.outcome:
        case run_pb2.OUTCOME_COMPLETED:
            return 0
        case run_pb2.OUTCOME_CANCELLED:
            return EXIT_CANCELLED
        case _:
            return EXIT_RUN_FAILED


def cancel(
    request_id: RequestId,
    *,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    mode: Annotated[str, typer.Option(help="immediate, after-model or after-tools.")] = "immediate",
    wait: Annotated[float, typer.Option(min=0, max=300, help="Seconds to wait for the end.")] = 5.0,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    app: AppName = "",
) -> None:
    """Ask a run to stop."""
    if mode not in _MODES:
        raise typer.BadParameter(f"{mode!r} is none of {', '.join(_MODES)}", param_hint="--mode")

    async def work(client: Client) -> pb.CancelResponse:
        return await client.cancel(request_id, reason=reason, mode=_MODES[mode], wait_seconds=wait)

    response = Connection(target, "", app).run(work)
    if as_json:
        typer.echo(json_line(response))
    elif not response.HasField("run"):
        typer.echo(f"{request_id} is not known; if it comes within a minute, it is cancelled at once")
    elif response.changed:
        typer.echo(f"{request_id} is {state_name(response.run.state)}")
    else:
        typer.echo(f"{request_id} is {state_name(response.run.state)} already")


def status(
    request_id: RequestId, *, as_json: AsJson = False, target: Target = DEFAULT_TARGET, app: AppName = ""
) -> None:
    """Tell how a run is."""
    _print_run(Connection(target, "", app).run(lambda client: client.status(request_id)), as_json=as_json)


def wait(
    request_id: RequestId,
    *,
    timeout: Annotated[float, typer.Option(min=0, max=300, help="Seconds.")] = 30.0,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    app: AppName = "",
) -> None:
    """Wait until a run has ended or waits for an answer, or the time is over."""
    found = Connection(target, "", app).run(lambda client: client.wait(request_id, timeout_seconds=timeout))
    _print_run(found, as_json=as_json)


def _print_run(found: run_pb2.Run, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_line(found))
        return
    rows = {
        "run": found.request_id,
        "state": state_name(found.state),
        "agent": found.agent_name,
        "session": found.session.session_id,
        "events": str(found.event_count),
        "started": local_time(found.start_time),
        "ended": local_time(found.end_time),
        "waits to": local_time(found.wait_expire_time),
        "queued": str(found.queued_message_count or ""),
        "tokens": str(found.usage.total_tokens),
        "why": found.cancel_reason or found.stop_reason,
        "error": cut(f"{found.error.code} {found.error.message}".strip(), 300),
        "answer": cut(found.message.content, 300),
    }
    for name, value in rows.items():
        if value:
            typer.echo(f"{name:8} {value}")
    for question in found.pending:
        kind, name = ("approval", question.approval_id) if question.approval_id else ("outputs", "")
        reason = f" ({cut(question.reason)})" if question.reason else ""
        typer.echo(f"{kind:8} {name or question.tool_call.id}: {call_line(question.tool_call)}{reason}")


def runs(
    *,
    session: Annotated[str, typer.Option(help="Only this conversation's; needs --user.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The most to show.")] = 20,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app: AppName = "",
) -> None:
    """List runs, newest first: everybody's, or only --user's."""

    async def work(client: Client) -> None:
        shown = 0
        async for found in client.runs(user_id=user, session_id=session, page_size=min(limit, 1000)):
            if as_json:
                typer.echo(json_line(found))
            else:
                when = local_time(found.create_time)
                who = f"{found.session.user_id}/{found.session.session_id}"
                state = f"{found.request_id}  {state_name(found.state):10}"
                typer.echo(f"{state} {when}  {cut(who, 60)}{_waits_for(found)}")
            shown += 1
            if shown >= limit:
                break

    Connection(target, user, app).run(work)


def _waits_for(found: run_pb2.Run) -> str:
    if not found.pending:
        return ""
    names = [
        f"{question.tool_call.name} {question.approval_id or question.tool_call.id}"
        for question in found.pending
    ]
    return f"  waits for {cut(', '.join(names))}"


def agents(*, as_json: AsJson = False, target: Target = DEFAULT_TARGET, app: AppName = "") -> None:
    """List the agents and what they can call."""

    async def work(client: Client) -> None:
        async for agent in client.agents():
            if as_json:
                typer.echo(json_line(agent))
                continue
            mark = " (default)" if agent.is_default else ""
            typer.echo(f"{agent.name}{mark}  {cut(agent.description, 80)}  model {agent.model}")
            for tool in agent.tools:
                typer.echo(f"  {tool.name}: {cut(tool.description, 90)}")

    Connection(target, "", app).run(work)


COMMANDS: dict[str, Callable[..., Any]] = {
    "run": run,
    "attach": attach,
    "cancel": cancel,
    "status": status,
    "wait": wait,
    "runs": runs,
    "agents": agents,
}
