"""Commands for sessions."""

from datetime import timedelta
from typing import Annotated

import typer

from runwire.client import DEFAULT_TARGET, Client
from runwire.v1 import content_pb2
from runwire.v1 import session_service_pb2 as pb
from runwire_server.cli import transfer
from runwire_server.cli.connection import AppName, AsJson, Connection, Target, User
from runwire_server.cli.failures import CommandError
from runwire_server.cli.render import cut, json_line, local_time

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
SessionId = Annotated[str, typer.Argument(help="The session's id.")]
_SPEAKERS = {
    content_pb2.ROLE_USER: "you",
    content_pb2.ROLE_ASSISTANT: "agent",
    content_pb2.ROLE_SYSTEM: "system",
    content_pb2.ROLE_TOOL: "tool",
}


@app.command("list")
def list_sessions(
    *,
    limit: Annotated[int, typer.Option(min=1, help="The most to show.")] = 20,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app_name: AppName = "",
) -> None:
    """List your sessions, the one written last first."""
    Connection(target, user, app_name).run(lambda client: print_sessions(client, limit, as_json=as_json))


async def print_sessions(client: Client, limit: int, *, as_json: bool = False) -> None:
    """Print a user's sessions."""
    shown = 0
    async for session in client.sessions():
        if as_json:
            typer.echo(json_line(session))
        else:
            when = local_time(session.update_time)
            name = f"  {session.display_name}" if session.display_name else ""
            typer.echo(f"{session.key.session_id}  {when}  {session.event_count} events{name}")
        shown += 1
        if shown >= limit:
            break


@app.command()
def show(
    session_id: SessionId,
    *,
    last: Annotated[int, typer.Option(min=0, help="Only the newest events; 0: all of the newest 1000.")] = 0,
    ids: Annotated[bool, typer.Option("--ids", help="Show the events' ids, as truncate takes them.")] = False,
    as_json: AsJson = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app_name: AppName = "",
) -> None:
    """Show a conversation."""

    async def work(client: Client) -> None:
        found = await client.get_session(session_id, last_events=last)
        if as_json:
            typer.echo(json_line(found))
        else:
            print_history(found, ids=ids)

    Connection(target, user, app_name).run(work)


def print_history(found: pb.GetSessionResponse, *, ids: bool = False) -> None:
    """Print a conversation, a line or more for each thing said."""
    for item in found.events:
        if ids:
            typer.echo(f"event {item.event.id}")
        match item.event.WhichOneof("payload"):
            case "message":
                message = item.event.message.message
                if message.content:
                    typer.echo(f"{_SPEAKERS.get(message.role, '?')}: {message.content}")
                for call in message.tool_calls:
                    typer.echo(f"→ {call.name}({cut(call.arguments)})")
            case "tool_results":
                for result in item.event.tool_results.results:
                    typer.echo(f"← {result.tool_name}: {cut(result.content)}")


@app.command()
def create(
    session_id: Annotated[str, typer.Argument(help="Its id. Default: one is made.")] = "",
    *,
    name: Annotated[str, typer.Option(help="A name to show.")] = "",
    ttl_seconds: Annotated[
        float | None,
        typer.Option(help="How long it lives after it was last written; 0: for ever. Default: the server's."),
    ] = None,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app_name: AppName = "",
) -> None:
    """Make a session and print its id."""
    ttl = timedelta(seconds=ttl_seconds) if ttl_seconds is not None else None

    async def work(client: Client) -> str:
        made = await client.create_session(session_id, display_name=name, ttl=ttl)
        return made.key.session_id

    typer.echo(Connection(target, user, app_name).run(work))


@app.command()
def delete(
    session_id: SessionId,
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="For good, with what was deleted before under this id.")
    ] = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app_name: AppName = "",
) -> None:
    """Delete a session with its events, its tracks and its state. `restore` brings it back for a while."""

    async def work(client: Client) -> bool:
        return await client.delete_session(session_id, purge=purge)

    # A purge is also for what is deleted already, of which nobody is told.
    if not Connection(target, user, app_name).run(work) and not purge:
        raise CommandError(f"there is no session {session_id!r}")


@app.command()
def restore(
    session_id: SessionId, *, target: Target = DEFAULT_TARGET, user: User = "", app_name: AppName = ""
) -> None:
    """Bring back a session that was deleted."""
    found = Connection(target, user, app_name).run(lambda client: client.restore_session(session_id))
    typer.echo(f"{found.key.session_id}  {found.event_count} events")


@app.command()
def truncate(
    session_id: SessionId,
    event_id: Annotated[str, typer.Argument(help="The last event to keep; `show --ids` shows them.")] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Keep no event at all.")] = False,
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app_name: AppName = "",
) -> None:
    """Delete what was said after an event, to say something else and run again."""
    if everything == bool(event_id):
        raise CommandError("name the last event to keep, or say --all")

    async def work(client: Client) -> int:
        return await client.truncate(session_id, event_id)

    typer.echo(f"{Connection(target, user, app_name).run(work)} events deleted")


app.command("export")(transfer.export)
app.command("import")(transfer.import_sessions)
