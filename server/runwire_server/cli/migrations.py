"""Commands for a store's schema."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from runwire_server.cli.failures import CommandError
from runwire_server.cli.transfer import ConfigFile, StoreAddress

T = TypeVar("T")
EXIT_PENDING = 3
app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class _Given:
    """Options that came before the subcommand."""

    store: str | None
    config: Path | None


@app.callback(invoke_without_command=True)
def migrate(context: typer.Context, *, store: StoreAddress = None, config: ConfigFile = None) -> None:
    """Bring a store's schema up to date, or say whether it is. Without a subcommand: `up`."""
    context.obj = _Given(store, config)
    if context.invoked_subcommand is None:
        up(context)


@app.command()
def up(context: typer.Context, *, store: StoreAddress = None, config: ConfigFile = None) -> None:
    """Bring the schema up to date. Nothing happens when it is."""
    from runwire_server.storage.opener import migrate_store

    url, shown = _store(context, store, config)
    version = _done(migrate_store(url))
    typer.echo(f"{shown} has schema {version}" if version else f"{shown} has no schema")


@app.command()
def status(context: typer.Context, *, store: StoreAddress = None, config: ConfigFile = None) -> None:
    """Say which version the schema has, and change nothing.

    The exit code is 0 when it is up to date, or when the store has no schema, and 3 when something is missing.
    """
    from runwire_server.storage.opener import migration_status

    url, shown = _store(context, store, config)
    found = _done(migration_status(url))
    if found.pending:
        typer.echo(f"{shown} has schema {found.current or 'none'}; the newest is {found.head}")
        for name in found.pending:
            typer.echo(f"pending: {name}")
        raise typer.Exit(EXIT_PENDING)
    typer.echo(f"{shown} has schema {found.current}, the newest" if found.head else f"{shown} has no schema")


def _store(context: typer.Context, store: str | None, config: Path | None) -> tuple[str, str]:
    """Return the store's URL, and how to show it."""
    from runwire_server.app import store_url
    from runwire_server.config import load_config
    from runwire_server.storage.url import safe_url

    before: _Given = context.obj
    chosen = config or before.config
    settings = load_config(
        {"store": store or before.store, "config": str(chosen) if chosen is not None else None}
    )
    url = store_url(settings, settings.store)
    return url, safe_url(url)


def _done(work: Coroutine[Any, Any, T]) -> T:
    from runwire_server.domain.errors import RunwireError

    logging.basicConfig(level=logging.WARNING)
    try:
        return asyncio.run(work)
    except RunwireError as error:
        raise CommandError(str(error)) from None
