"""What every client command has in common: where the server is, and who asks."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from runwire.client import DEFAULT_TARGET, Client

T = TypeVar("T")

Target = Annotated[
    str, typer.Option("--target", "-t", envvar="RUNWIRE_TARGET", help="The server: HOST:PORT or unix:PATH.")
]
User = Annotated[str, typer.Option("--user", "-u", envvar="RUNWIRE_USER", help="Who asks. Default: you.")]
AppName = Annotated[
    str, typer.Option("--app", envvar="RUNWIRE_APP", help="Which app. Default: the server's default app.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


@dataclass(frozen=True, slots=True)
class Connection:
    """Where and as whom."""

    target: str = DEFAULT_TARGET
    user: str = ""
    app_name: str = ""

    @property
    def user_id(self) -> str:
        """The user's id: as told, else the login's name."""
        if self.user:
            return self.user
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return "me"

    def run(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do work with a client."""

        async def connected() -> T:
            client = Client(self.target, app_name=self.app_name, user_id=self.user_id)
            async with client:
                return await work(client)

        return asyncio.run(connected())
