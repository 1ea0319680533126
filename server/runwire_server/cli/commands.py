"""All commands."""

from pathlib import Path
from typing import Annotated, Any

import typer

from runwire_server.cli import answers, chat, migrations, runs, sessions

app = typer.Typer(
    name="runwire",
    help="Run LLM agents and talk to them over gRPC.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(sessions.app, name="sessions", help="Conversations.")
app.add_typer(migrations.app, name="migrate")
app.command("chat")(chat.chat)
for name, command in (runs.COMMANDS | answers.COMMANDS).items():
    app.command(name)(command)


@app.command()
def serve(
    spec: Annotated[
        str | None, typer.Argument(metavar="[MODULE:APP]", help="Your app. Default: the example.")
    ] = None,
    *,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT, [IPV6]:PORT or unix:PATH.")] = None,
    store: Annotated[str | None, typer.Option(help="sqlite:PATH, memory:, or a server's URL.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file; default runwire.toml if there is one.")
    ] = None,
    migrate: Annotated[
        bool | None, typer.Option(help="Bring the store's schema up to date at start.")
    ] = None,
    reflection: Annotated[bool | None, typer.Option(help="Answer gRPC reflection.")] = None,
    drain_seconds: Annotated[
        float | None, typer.Option(help="How long runs may finish after SIGTERM.")
    ] = None,
    runs_max: Annotated[int | None, typer.Option(help="The most runs at a time.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.")] = None,
) -> None:
    """Serve an app until Ctrl-C or SIGTERM, then let its runs finish."""
    from runwire_server.app import load_app
    from runwire_server.app import serve as serve_app
    from runwire_server.config import load_config
    from runwire_server.telemetry.logs import configure_logging

    given: dict[str, Any] = {
        "listen": listen,
        "store": store,
        "config": str(config) if config is not None else None,
        "migrate": migrate,
        "reflection": reflection,
        "drain_seconds": drain_seconds,
        "runs_max": runs_max,
        "log_level": log_level,
        "log_format": log_format,
    }
    settings = load_config(given)
    configure_logging(settings.log_level, settings.log_format)
    _run_on_best_loop(serve_app(settings, [load_app(spec)], announce=_announce))


def _run_on_best_loop(work: Any) -> None:
    """Run on uvloop where it can be had: a quarter less CPU a message (notes/performance.md §1)."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def _announce(line: str) -> None:
    typer.echo(line)


@app.command()
def version() -> None:
    """Say which version this is."""
    from runwire_server import __version__

    typer.echo(f"runwire {__version__}")
