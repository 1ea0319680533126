"""Move sessions and state between a store and JSON lines."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer

from runwire_server.app import store_url
from runwire_server.cli.failures import CommandError, one_line
from runwire_server.cli.session_lines import (
    LineError,
    StateLine,
    check_header,
    header_line,
    parse_line,
    session_line,
    state_line,
)
from runwire_server.config import load_config
from runwire_server.domain.errors import AlreadyExistsError, NotFoundError, RunwireError
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import SessionCopy
from runwire_server.domain.state import Tier
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store

T = TypeVar("T")
_PAGE = 200


@dataclass(slots=True)
class Tally:
    """What was moved."""

    sessions: int = 0
    events: int = 0
    states: int = 0
    existing: int = 0

    def add(self, item: StateLine | SessionCopy) -> None:
        """Count a line."""
        if isinstance(item, StateLine):
            self.states += 1
        else:
            self.sessions += 1
            self.events += len(item.events)

    def __str__(self) -> str:
        return (
            f"{counted(self.sessions, 'session')} with {counted(self.events, 'event')}, "
            f"and {counted(self.states, 'state')} of users and apps"
        )


async def export_to(write: Callable[[str], None], store: Store, wanted: SessionKey) -> Tally:
    """Write what is wanted; empty fields of the key want everything. One session at a time is in memory."""
    tally = Tally()
    write(header_line())
    if not wanted.session_id:
        for tier in (Tier.USER,) if wanted.user_id else (Tier.APP, Tier.USER):
            async for key in _owners(store, tier, wanted):
                if state := await store.get_state(key, tier):
                    item = StateLine(key, tier, state)
                    write(state_line(item))
                    tally.add(item)
    async for key in _owners(store, Tier.SESSION, wanted):
        try:
            copy = await store.read_copy(key)
        except NotFoundError:
            continue  # it has gone since it was listed
        write(session_line(copy))
        tally.add(copy)
    return tally


async def _owners(store: Store, tier: Tier, wanted: SessionKey) -> AsyncGenerator[SessionKey, None]:
    """Yield what has something in the tier and is wanted. Empty fields want everything."""
    cursor: str | None = None
    while True:
        page = await store.list_owners(tier, limit=_PAGE, cursor=cursor)
        for key in page.items:
            if (
                wanted.app_name in {"", key.app_name}
                and wanted.user_id in {"", key.user_id}
                and wanted.session_id in {"", key.session_id}
            ):
                yield key
        cursor = page.next_cursor
        if cursor is None:
            return


async def import_from(lines: Iterator[bytes], store: Store, *, quiet: bool) -> Tally:
    """Write what the lines say into the store. `quiet` says nothing of sessions that exist."""
    tally = Tally()
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            if number == 1:
                check_header(line)
            elif line.strip():
                await _write(store, parse_line(line), tally, quiet=quiet)
        if not number:
            raise CommandError("there is nothing to import: the input is empty")
    except (LineError, ValueError) as error:
        raise CommandError(f"line {number}: {one_line(str(error))}; imported {tally} before it") from None
    return tally


async def _write(store: Store, item: StateLine | SessionCopy, tally: Tally, *, quiet: bool) -> None:
    if isinstance(item, StateLine):
        await store.update_state(item.key, item.tier, item.state, datetime.now(UTC))
    else:
        try:
            await store.write_copy(item)
        except AlreadyExistsError:
            tally.existing += 1
            if not quiet:
                key = item.session.key
                text = f"session {key.session_id!r} of user {key.user_id!r} in app {key.app_name!r} exists"
                typer.echo(one_line(text), err=True)
            return
    tally.add(item)


def with_store(
    url: str | None,
    config: Path | None,
    work: Callable[[Store], Awaitable[T]],
    *,
    migrate: bool | None = None,
) -> T:
    """Do work with a store. `migrate` None: as the configuration says."""
    settings = load_config({"store": url, "config": str(config) if config is not None else None})
    address = store_url(settings, settings.store)
    does_migrate = settings.migrate if migrate is None else migrate

    async def opened() -> T:
        async with open_store(address, retention=settings.retention(), migrate=does_migrate) as store:
            return await work(store)

    try:
        return asyncio.run(opened())
    except RunwireError as error:
        raise CommandError(str(error)) from None


def counted(count: int, noun: str) -> str:
    """Return the number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
