"""Ask the person at the terminal whether a tool may be called."""

import asyncio
import json
import sys
from collections.abc import Callable

import typer

from runwire.answering import Decision
from runwire.v1 import event_pb2
from runwire_server.cli.lines import Lines

_QUESTION = "approve? y/N/e (y: yes, n [WHY]: no, e: with other arguments) "


class Asker:
    """Asks, and reads the answers from the lines that are typed. The end of input is a no."""

    def __init__(self, open_lines: Callable[[], Lines]) -> None:
        """Begin to read lines with the first question, not before: they may be for somebody else."""
        self._open_lines = open_lines
        self._lines: Lines | None = None
        self._waiting: asyncio.Timeout | None = None
        self._has_stopped = False

    def stop(self) -> None:
        """Ask no more: the run was told to stop. The question at hand stays without an answer."""
        self._has_stopped = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def ask(self, asked: event_pb2.ApprovalRequested) -> Decision | None:
        """Return what the person decides; None when they have left the question alone."""
        try:
            async with asyncio.timeout(None) as self._waiting:
                if self._has_stopped:
                    return None
                return await self._decision(asked)
        except TimeoutError:
            return None
        finally:
            self._waiting = None

    async def _decision(self, asked: event_pb2.ApprovalRequested) -> Decision:
        while True:
            word, _, rest = (await self._read(_QUESTION)).partition(" ")
            match word.lower():
                case "y" | "yes":
                    return Decision(is_approved=True)
                case "" | "n" | "no":
                    return Decision(is_approved=False, comment=rest.strip())
                case "e" | "edit":
                    arguments = rest or await self._read(f"arguments (now {asked.tool_call.arguments}): ")
                    if is_json_object(arguments):
                        return Decision(is_approved=True, arguments=arguments)
                    typer.echo("arguments are a JSON object")
                case _:
                    typer.echo("y, n or e")

    async def _read(self, prompt: str) -> str:
        if sys.stdin.isatty():
            sys.stdout.write(prompt)
            sys.stdout.flush()
        if self._lines is None:
            self._lines = self._open_lines()
        line = await self._lines.get()
        if self._has_stopped:
            if line is not None:
                self._lines.give_back(line)
            raise TimeoutError
        return (line or "").strip()


def is_json_object(text: str) -> bool:
    """Whether the text is what a tool can be called with."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
