"""`runwire chat`: a conversation in the terminal."""

import asyncio
import signal
import sys
import threading
from typing import Annotated

import typer

from runwire.client import DEFAULT_TARGET, Client, Conversation
from runwire.errors import CallError
from runwire.run import RunStream
from runwire_server.cli.connection import AppName, Connection, Target, User
from runwire_server.cli.failures import call_failure
from runwire_server.cli.render import Renderer
from runwire_server.cli.sessions import print_history, print_sessions

HELP = """\
/history      what was said in this conversation
/new          begin a new conversation
/sessions     your conversations
/use ID       go on with another conversation
/cancel       cancel the run that is at work (as Ctrl-C does)
/help         this
/exit         leave (as Ctrl-D does)
anything else is said to the agent"""
_PROMPT = "> "
_LINES_MAX = 1000


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


class _Lines:
    """Lines of stdin, read in a thread so that a run goes on meanwhile. None is the end of input."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_LINES_MAX)
        # A daemon: it may be waiting for a line when the program ends.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            if not self._put(line.rstrip("\n")):
                return
        self._put(None)

    def _put(self, line: str | None) -> bool:
        try:
            asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()
        except (RuntimeError, asyncio.CancelledError):
            return False  # the loop has ended
        return True

    async def get(self) -> str | None:
        return await self._lines.get()


class Chat:
    """One conversation at a time, and the commands around it."""

    def __init__(self, client: Client, agent_name: str, session_id: str) -> None:
        self._client = client
        self._agent_name = agent_name
        self._conversation = self._open(session_id)
        self._lines = _Lines()
        self._kept: list[str | None] = []
        self._interrupted = asyncio.Event()

    def _open(self, session_id: str) -> Conversation:
        return self._client.conversation(session_id=session_id, agent_name=self._agent_name)

    async def talk(self) -> None:
        """Read lines and do what they say, until the end of input or /exit."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupted.set)
        try:
            while (line := await self._next_line()) is not None and line.strip() != "/exit":
                try:
                    await self._do(line.strip())
                except CallError as error:
                    typer.echo(f"runwire: {call_failure(error)}", err=True)
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _next_line(self) -> str | None:
        if self._kept:
            return self._kept.pop(0)
        while True:
            if sys.stdin.isatty():
                sys.stdout.write(_PROMPT)
                sys.stdout.flush()
            self._interrupted.clear()
            line = await self._line_or_interrupt()
            if line is not _INTERRUPT:
                return line
            typer.echo("\n(/exit or Ctrl-D leaves)")

    async def _line_or_interrupt(self) -> str | None:
        """Return the next line, or _INTERRUPT for a Ctrl-C."""
        reading = asyncio.ensure_future(self._lines.get())  # noqa: TID251 -- both are awaited right here
        waiting = asyncio.ensure_future(self._interrupted.wait())  # noqa: TID251
        try:
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else _INTERRUPT
        finally:
            reading.cancel()
            waiting.cancel()

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
            case "/cancel":
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
        """Run the agent and show it, while lines are read: /cancel is one that counts at once."""
        self._interrupted.clear()
        async with self._conversation.run(text) as run:
            watching = asyncio.ensure_future(self._watch(run))  # noqa: TID251 -- ended below
            renderer = Renderer()
            try:
                async for event in run:
                    renderer.show(event)
            finally:
                watching.cancel()
                await asyncio.wait({watching})
                self._conversation.session_id = run.session_id or self._conversation.session_id
            if run.completion is not None:
                renderer.show_end(run.completion)

    async def _watch(self, run: RunStream) -> None:
        """Cancel the run at Ctrl-C or /cancel; keep other lines for later."""
        while True:
            line = await self._line_or_interrupt()
            if line is _INTERRUPT or (line is not None and line.strip() == "/cancel"):
                self._interrupted.clear()
                try:
                    await run.cancel("cancelled in the chat")
                except CallError as error:
                    typer.echo(f"runwire: {call_failure(error)}", err=True)
            else:
                self._kept.append(line)
                if line is None:
                    return


_INTERRUPT = "\x03"
