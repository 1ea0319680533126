"""Moving sessions and state from any store to any store, without a server."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from runwire_server.cli.failures import EXIT_RUN_FAILED, CommandError

StoreAddress = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="The store's URL, for example sqlite:PATH or postgresql://USER:PASSWORD@HOST/DATABASE. "
        "Default: the server's option, as in RUNWIRE_STORE or runwire.toml.",
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file.")]


def export(
    *,
    app_name: Annotated[str, typer.Option("--app", help="Only this app's.")] = "",
    user_id: Annotated[str, typer.Option("--user", help="Only this user's; no app's state then.")] = "",
    session_id: Annotated[str, typer.Option("--session", help="Only sessions with this id; no state.")] = "",
    output: Annotated[Path | None, typer.Option(help="A file to write. Default: stdout.")] = None,
    store: StoreAddress = None,
    config: ConfigFile = None,
) -> None:
    """Write sessions and the state of users and apps as JSON lines, straight from a store.

    A session has its events, positions, times, expiry, display name, tracks and state. Runs and deleted sessions stay
    behind. No server is needed; what one writes meanwhile may be missed.
    """
    from runwire_server.cli.moving import Tally, export_to, with_store
    from runwire_server.domain.ids import SessionKey
    from runwire_server.storage.port import Store

    wanted = SessionKey(app_name, user_id, session_id)

    async def work(opened: Store) -> Tally:
        # Only now: a store that cannot be opened must not cost the file that was written last time.
        with _writing(output) as write:
            return await export_to(write, opened, wanted)

    tally = with_store(store, config, work, migrate=False)
    typer.echo(f"exported {tally}", err=True)


def import_sessions(
    *,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Say nothing of sessions that exist, and exit with 0.")
    ] = False,
    source: Annotated[Path | None, typer.Option("--input", help="A file to read. Default: stdin.")] = None,
    store: StoreAddress = None,
    config: ConfigFile = None,
) -> None:
    """Read what `runwire sessions export` wrote into a store, without a server.

    Each session comes whole or not at all. One that exists already stays as it is: it is named on stderr, and the
    exit code is 1. State is merged into what is there. A line that is wrong ends it, with exit code 2; what came
    before it is kept. After a failure just run it again, with --skip-existing.
    """
    from runwire_server.cli.moving import counted, import_from, with_store

    with _reading(source) as lines:
        tally = with_store(store, config, lambda opened: import_from(lines, opened, quiet=skip_existing))
    typer.echo(f"imported {tally}", err=True)
    if tally.existing:
        text = f"{counted(tally.existing, 'session')} existed already"
        if not skip_existing:
            raise CommandError(text, EXIT_RUN_FAILED)
        typer.echo(text, err=True)


@contextmanager
def _writing(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Give a function that writes a line."""
    try:
        with _opened(path, "wb", sys.stdout.buffer) as file:
            yield lambda line: _put(file, line)
            file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot write {path or 'stdout'}: {error.strerror}") from None


@contextmanager
def _reading(path: Path | None) -> Iterator[Iterator[bytes]]:
    """Give the lines, each read when it is asked for."""
    with _opened(path, "rb", sys.stdin.buffer) as file:
        yield iter(file)


@contextmanager
def _opened(path: Path | None, mode: str, standard: IO[bytes]) -> Iterator[IO[bytes]]:
    if path is None:
        yield standard
        return
    try:
        file: IO[bytes] = path.open(mode)
    except OSError as error:
        raise CommandError(f"cannot open {path}: {error.strerror}") from None
    with file:
        yield file


def _put(file: IO[bytes], line: str) -> None:
    file.write(line.encode() + b"\n")
