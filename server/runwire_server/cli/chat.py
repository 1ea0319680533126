"""`runwire chat`: a conversation in the terminal."""

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from runwire.client import DEFAULT_TARGET, Client, Conversation
from runwire.errors import CallError
from runwire.run import RunStream
from runwire_server.cli.asking import Asker
from runwire_server.cli.connection import AppName, Connection, Target, User
from runwire_server.cli.failures import call_failure
from runwire_server.cli.interrupts import LeftError, interruptible
from runwire_server.cli.lines import Lines
from runwire_server.cli.render import Renderer
from runwire_server.cli.sessions import print_history, print_sessions

HELP = """\
/history      what was said in this conversation
/new          begin a new conversation
/sessions     your conversations
/use ID       go on with another conversation
/cancel       cancel the run that is at work (as Ctrl-C does; twice: leave it)
/steer TEXT   say something to the run that is at work; it reads that before it goes on
/help         this
/exit         leave (as Ctrl-D does)
anything else is said to the agent"""
_PROMPT = "> "


def chat(
    *,
    session: Annotated[str, typer.Option(help="Go on with this conversation. Default: a new one.")] = "",
    agent: Annotated[str, typer.Option(help="Which agent.")] = "",
    target: Target = DEFAULT_TARGET,
    user: User = "",
    app: AppName = "",
) -> None:
    """Talk to an agent. Ctrl-C cancels the run, not the program; /help shows the commands."""
    connection = Connection(target, user, app)

    async def work(client: Client) -> None:
        info = await client.server_info()
        if sys.stdin.isatty():
            typer.echo(f"runwire {info.version} at {target}, app {app or info.apps[0]}. /help, /exit")
        await Chat(client, agent, session).talk()

    connection.run(work)


class Chat:
    """One conversation at a time, and the commands around it."""

    def __init__(self, client: Client, agent_name: str, session_id: str, lines: Lines | None = None) -> None:
        self._client = client
        self._agent_name = agent_name
        self._conversation = self._open(session_id)
        self._lines = lines or Lines()

    def _open(self, session_id: str) -> Conversation:
        return self._client.conversation(session_id=session_id, agent_name=self._agent_name)

    async def talk(self) -> None:
        """Read lines and do what they say, until the end of input or /exit."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                loop.add_signal_handler(signal.SIGINT, _hint)
                _prompt()
                line = await self._lines.get()
                if line is None or line.strip() == "/exit":
                    return
                try:
                    await self._do(line.strip())
                except (CallError, LeftError) as error:
                    message = call_failure(error) if isinstance(error, CallError) else str(error)
                    typer.echo(f"runwire: {message}", err=True)
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _do(self, line: str) -> None:
        command, _, argument = line.partition(" ")
        match command:
            case "":
                return
            case "/help":
                typer.echo(HELP)
            case "/new":
                self._conversation = self._open("")
                typer.echo("a new conversation")
            case "/use":
                await self._use(argument.strip())
            case "/sessions":
                await print_sessions(self._client, limit=20)
            case "/history":
                await self._show_history()
            case "/cancel" | "/steer":
                typer.echo("nothing is running")
            case _ if command.startswith("/"):
                typer.echo(f"there is no command {command}; /help shows them")
            case _:
                await self._say(line)

    async def _use(self, session_id: str) -> None:
        if not session_id:
            typer.echo("/use needs the id of a conversation; /sessions shows them")
            return
        found = await self._client.get_session(session_id, last_events=1)
        self._conversation = self._open(session_id)
        typer.echo(f"going on with {session_id}, {found.session.event_count} events")

    async def _show_history(self) -> None:
        if not self._conversation.session_id:
            typer.echo("nothing was said yet")
            return
        print_history(await self._client.get_session(self._conversation.session_id))

    async def _say(self, text: str) -> None:
        """Run the agent and show it. Of the lines that come meanwhile only /cancel and /steer count at once."""
        asker = Asker(lambda: self._lines)
        steering: set[asyncio.Future[None]] = set()
        async with self._conversation.run(text, approve=asker.ask) as run:
            renderer = Renderer(run.request_id, asks=True)
            try:
                async with interruptible(run, "cancelled in the chat", asker.stop) as interrupt:
                    self._take_commands(run, interrupt, steering)
                    async for event in run:
                        renderer.show(event)
            finally:
                self._lines.take_first = None
                renderer.end_line()
                if steering:
                    await asyncio.wait(steering)
        if run.completion is not None:
            renderer.show_end(run.completion)

    def _take_commands(
        self, run: RunStream, interrupt: Callable[[], None], steering: set[asyncio.Future[None]]
    ) -> None:
        def take(line: str) -> bool:
            command, _, argument = line.strip().partition(" ")
            match command:
                case "/cancel":
                    interrupt()
                case "/steer":
                    steering.add(asyncio.ensure_future(_steer(run, argument)))  # noqa: TID251 -- ended in _say
                case _:
                    return False
            return True

        self._lines.take_first = take
        # From a pipe it may be there before the run is.
        if self._lines.take("/cancel"):
            interrupt()


async def _steer(run: RunStream, text: str) -> None:
    try:
        await run.enqueue(text)
    except CallError as error:
        typer.echo(f"runwire: {call_failure(error)}", err=True)


def _prompt() -> None:
    if sys.stdin.isatty():
        sys.stdout.write(_PROMPT)
        sys.stdout.flush()


def _hint() -> None:
    typer.echo("\n(/exit or Ctrl-D leaves)")
    _prompt()
