"""What tests share: apps of known behaviour, a server in this process, a server as a process."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent, Service, load_app, running
from runwire_server.config import Config
from runwire_server.models.model import Chunk, EndChunk, TextChunk, ToolCallChunk
from runwire_server.models.offline import OfflineModel
from runwire_server.models.scripted import ScriptedModel

REPOSITORY = Path(__file__).resolve().parents[1]
CALL_SECONDS = 20.0


def example_app() -> App:
    """The example, with an offline model that does not take its time."""
    app = load_app(None)
    agents = []
    for agent in app.agents:
        assert isinstance(agent, LlmAgent)
        agent._model = OfflineModel(word_seconds=0.0)
        agents.append(agent)
    return App(app.name, agents)


def text_turn(*words: str) -> list[Chunk]:
    """A model's answer of these pieces of text."""
    return [*(TextChunk(word) for word in words), EndChunk("stop")]


def call_turn(name: str, arguments: str = "{}", call_id: str = "call_1") -> list[Chunk]:
    """A model's answer that is one tool call."""
    return [ToolCallChunk(0, call_id, name, arguments), EndChunk("tool_calls")]


def calls_turn(*calls: tuple[str, str, str]) -> list[Chunk]:
    """A model's answer that is several tool calls: name, arguments, id."""
    chunks: list[Chunk] = [
        ToolCallChunk(index, call_id, name, arguments)
        for index, (name, arguments, call_id) in enumerate(calls)
    ]
    return [*chunks, EndChunk("tool_calls")]


def scripted_app(turns: Sequence[Any], tools: Sequence[Callable[..., Any]] = (), **options: Any) -> App:
    """An app with one agent, `agent`, whose model replays these turns."""
    return App("test", [LlmAgent("agent", model=ScriptedModel(turns, **options), tools=tools)])


@asynccontextmanager
async def started_server(app: App, store_url: str, **settings: Any) -> AsyncIterator[Service]:
    """A server in this process, on a free port."""
    values: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "store": store_url,
        "reattach_grace_seconds": 0.3,
        "drain_seconds": 0.2,
        "lease_ttl_seconds": 5.0,
        **settings,
    }
    async with running(Config(**values), [app]) as service:
        yield service


async def collect(call: Any) -> list[Any]:
    """Read a stream of Run or Attach to its end. What is not durable must carry the sequence before it."""
    events: list[Any] = []
    async for response in call:
        event = response.event
        is_durable = bool(durable([event]))
        if events:
            assert event.sequence == events[-1].sequence + is_durable, event
        events.append(event)
    return events


def kinds(events: Sequence[Any], *, partials: bool = False) -> list[str]:
    """The payloads of events, stream-only ones left out, and runs of partials as one or not at all."""
    names: list[str] = []
    for event in events:
        kind = event.WhichOneof("payload")
        if kind in {"caught_up", "heartbeat", "reconnect"} or (event.partial and not partials):
            continue
        if not (event.partial and names and names[-1] == kind):
            names.append(kind)
    return names


def durable(events: Sequence[Any]) -> list[Any]:
    """The durable events among these."""
    stream_only = {"caught_up", "heartbeat", "reconnect"}
    return [e for e in events if not e.partial and e.WhichOneof("payload") not in stream_only]


def run_request(content: str = "hi", **fields: Any) -> pb.RunRequest:
    """A request of user u."""
    request = pb.RunRequest(user_id=fields.pop("user_id", "u"), **fields)
    request.message.content = content
    return request


class ServerProcess:
    """`runwire serve` as a process, as a user would start it."""

    def __init__(self, process: subprocess.Popen[str], address: str, greeting: list[str]) -> None:
        self.process = process
        self.address = address
        self.greeting = greeting

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def child_environment(**extra: str) -> dict[str, str]:
    """This environment without what would change a server's behaviour."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "RUNWIRE_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


@contextmanager
def server_process(*arguments: str, cwd: Path, **environment: str) -> Iterator[ServerProcess]:
    """Start `runwire serve`, wait until it says where it listens, and end it afterwards."""
    command = [sys.executable, "-m", "runwire", "serve", "--listen", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=child_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if found := re.search(r" on (\S+:\d+)", line):
                yield ServerProcess(process, found.group(1).rstrip(","), lines)
                break
        else:
            raise AssertionError("the server did not start:\n" + "\n".join(lines))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def json_lines(text: str) -> list[Any]:
    """Parse JSON lines."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]
