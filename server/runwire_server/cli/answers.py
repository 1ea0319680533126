"""Commands that steer a run, and answer what it asks."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from runwire.client import DEFAULT_TARGET, Client
from runwire.v1 import run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.cli.asking import is_json_object
from runwire_server.cli.connection import AppName, AsJson, Connection, Target, User
from runwire_server.cli.render import json_line, state_name

RequestId = Annotated[str, typer.Argument(help="The run's request id.")]
ApprovalId = Annotated[str, typer.Argument(help="The approval's id; `runwire status` shows it.")]
Comment = Annotated[str, typer.Option(help="Why.")]


def approve(
    request_id: RequestId,
    approval_id: ApprovalId,
    *,
    arguments: Annotated[str, typer.Option(help="A JSON object, in place of the model's arguments.")] = "",
    comment: Comment = "",
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app: AppName = "",
) -> None:
    """Let a tool be called. The first answer to an approval counts."""
    if arguments and not is_json_object(arguments):
        raise typer.BadParameter("this is no JSON object", param_hint="--arguments")
    connection = Connection(target, user, app)

    async def work(client: Client) -> pb.ResolveApprovalResponse:
        how = {"comment": comment, "decided_by": connection.user_id}
        return await client.approve(request_id, approval_id, arguments=arguments or None, **how)

    _print_resolved(connection.run(work), "approved", as_json=as_json)


def deny(
    request_id: RequestId,
    approval_id: ApprovalId,
    *,
    comment: Comment = "",
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app: AppName = "",
) -> None:
    """Have a tool not called; the model is told."""
    connection = Connection(target, user, app)

    async def work(client: Client) -> pb.ResolveApprovalResponse:
        return await client.deny(request_id, approval_id, comment=comment, decided_by=connection.user_id)

    _print_resolved(connection.run(work), "denied", as_json=as_json)


def _print_resolved(response: pb.ResolveApprovalResponse, decision: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_line(response))
    else:
        when = " before" if response.already_resolved else ""
        typer.echo(f"{decision}{when}; the run is {state_name(response.run.state)}")


def enqueue(
    request_id: RequestId,
    text: Annotated[str, typer.Argument(help="What you say.")],
    *,
    message_id: Annotated[
        str, typer.Option(help="Name the message, so that it can be repeated safely.")
    ] = "",
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    app: AppName = "",
) -> None:
    """Say something to a run that is at work. It reads that before its next model call."""

    async def work(client: Client) -> pb.EnqueueMessageResponse:
        return await client.enqueue(request_id, text, message_id)

    response = Connection(target, "", app).run(work)
    typer.echo(json_line(response) if as_json else f"{response.message_id}  queued, {response.queue_length}")


def outputs(
    request_id: RequestId,
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="CALL_ID=TEXT...", help="What each call gave; `runwire status` shows the ids."
        ),
    ],
    *,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    app: AppName = "",
) -> None:
    """Give a run the outputs of tool calls that it leaves to its caller. Not all must come at once."""
    texts: dict[str, str] = {}
    for item in given:
        call_id, separator, text = item.partition("=")
        if not separator or not call_id or call_id in texts:
            raise typer.BadParameter(
                f"{item!r} is no CALL_ID=TEXT, or one call twice", param_hint="CALL_ID=TEXT"
            )
        texts[call_id] = text

    async def work(client: Client) -> run_pb2.Run:
        return await client.submit_outputs(request_id, texts)

    found = Connection(target, "", app).run(work)
    typer.echo(json_line(found) if as_json else f"{request_id} is {state_name(found.state)}")


COMMANDS: dict[str, Callable[..., Any]] = {
    "approve": approve,
    "deny": deny,
    "enqueue": enqueue,
    "outputs": outputs,
}
