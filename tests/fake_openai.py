"""A real HTTP server that speaks OpenAI's chat-completions wire, with scripted answers and faults on demand.

In a test: `async with FakeOpenAI() as fake: fake.script(text("Hel", "lo"), html(status=502))`, then let a
client use `fake.url`. Answers are given in order; without one, the default behaviour echoes, and calls a
`calculator` tool. As a program: `python tests/fake_openai.py --port 8099` prints its URL and serves the
default behaviour.
"""

import argparse
import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

_BODY_BYTES_MAX = 64 * 1024 * 1024
_CONNECTIONS_MAX = 2048
_REQUESTS_KEPT = 10_000
# A stall that nobody ends is a bug of a test.
_STALL_SECONDS_MAX = 60.0
_CLOSE_SECONDS = 5.0
_EXPRESSION = re.compile(r"\d+(?:\.\d+)?(?:\s*[-+*/]\s*\d+(?:\.\d+)?)+")


class Fault(Enum):
    """A step of a reply that is not sending bytes."""

    STALL = "send nothing more, keep the connection open until the client leaves"
    CUT = "cut the connection"


@dataclass(frozen=True, slots=True)
class Pause:
    """A step that waits."""

    seconds: float


Step = bytes | Fault | Pause


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. Each bytes step is one HTTP chunk. With `is_silent` not even the head is sent."""

    steps: Sequence[Step]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    is_silent: bool = False


@dataclass(slots=True)
class Received:
    """A request. `client_left` is set when the client closed the connection before the reply was through."""

    path: str
    headers: dict[str, str]
    body: Any
    client_left: asyncio.Event = field(default_factory=asyncio.Event)


def chunk(delta: Any = None, finish: str | None = None, **extra: Any) -> dict[str, Any]:
    """One streamed chunk. `extra` are top-level fields, which replace the usual ones."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "fake-1",
        "choices": [choice],
        **extra,
    }


def usage_chunk(read: int = 3, written: int = 5) -> dict[str, Any]:
    """The chunk after the last one that only holds the usage."""
    return chunk(choices=[], usage=usage(read, written))


def usage(read: int = 3, written: int = 5) -> dict[str, Any]:
    """A usage object."""
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def call_delta(
    arguments: Any = None,
    *,
    index: int | None = 0,
    call_id: str | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """A delta with one piece of a tool call. What is None is left out."""
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    call = {"index": index, "id": call_id, "type": "function" if call_id else None, "function": function}
    return {"tool_calls": [{k: v for k, v in call.items() if v is not None}]}


def stream(
    *events: Mapping[str, Any] | str,
    newline: str = "\n",
    done: bool = True,
    split_bytes: int = 0,
    pause_seconds: float = 0.0,
    then: Fault | None = None,
) -> Reply:
    """An event stream. A mapping is sent as data, a text as it is; `then` is what happens before the regular
    end.

    `split_bytes` cuts the bytes into HTTP chunks of that size; `pause_seconds` waits before each event.
    """
    steps: list[Step] = []
    for event in [*events, *(["data: [DONE]"] if done else [])]:
        line = event if isinstance(event, str) else f"data: {json.dumps(event, ensure_ascii=False)}"
        data = f"{line}{newline}{newline}".encode("utf-8", "surrogatepass")
        if pause_seconds:
            steps.append(Pause(pause_seconds))
        size = split_bytes or len(data)
        steps.extend(data[start : start + size] for start in range(0, len(data), size))
    if then is not None:
        steps.append(then)
    return Reply(steps)


def text(*words: str, finish: str | None = "stop", with_usage: bool = True, **options: Any) -> Reply:
    """A streamed text. Options are those of `stream`."""
    events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word}) for word in words)]
    if finish is not None:
        events.append(chunk({}, finish))
    if with_usage:
        events.append(usage_chunk())
    return stream(*events, **options)


def reasoned(thought: str, *words: str, field_name: str = "reasoning_content", **options: Any) -> Reply:
    """A streamed text after a thought."""
    return stream(
        chunk({"role": "assistant", "content": None, field_name: thought}),
        *(chunk({"content": word}) for word in words),
        chunk({}, "stop"),
        **options,
    )


def tool_calls(*calls: tuple[str, str], **options: Any) -> Reply:
    """Streamed tool calls (name, arguments), the way OpenAI does it: arguments in two pieces."""
    events: list[dict[str, Any]] = [chunk({"role": "assistant", "content": None})]
    for index, (name, arguments) in enumerate(calls):
        half = len(arguments) // 2
        events.append(chunk(call_delta("", index=index, call_id=f"call_{index}", name=name)))
        events.extend(chunk(call_delta(p, index=index)) for p in (arguments[:half], arguments[half:]) if p)
    return stream(*events, chunk({}, "tool_calls"), usage_chunk(), **options)


def whole(message: Mapping[str, Any], finish: str = "stop") -> Reply:
    """An answer that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = chunk(choices=[choice], usage=usage(), object="chat.completion")
    return json_reply(body)


def json_reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """Any JSON body. In the names of headers, `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([json.dumps(body).encode()], status, {"content-type": "application/json", **named})


def error(status: int, message: str = "boom", *, code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI sends it."""
    return json_reply({"error": {"message": message, "type": "x", "code": code}}, status, **headers)


def html(status: int = 200, body: str = "<html><body>Bad gateway</body></html>") -> Reply:
    """What a proxy answers."""
    return Reply([body.encode()], status, {"content-type": "text/html"})


def raw(body: bytes, *then: Step) -> Reply:
    """Any bytes as an event stream."""
    return Reply([body, *then])


def silence() -> Reply:
    """Nothing at all, until the client leaves."""
    return Reply([Fault.STALL], is_silent=True)


def hang_up() -> Reply:
    """The connection is cut before a word."""
    return Reply([Fault.CUT], is_silent=True)


class FakeOpenAI:
    """The server. Listens on 127.0.0.1 while its context is open; `port` 0 takes a free one."""

    def __init__(self, port: int = 0, *, word_seconds: float = 0.0) -> None:
        self._port = port
        self._word_seconds = word_seconds
        self._replies: deque[Reply] = deque()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[Any]] = set()
        self.requests: deque[Received] = deque(maxlen=_REQUESTS_KEPT)
        self.connections = 0

    @property
    def url(self) -> str:
        """The base URL for a client, with /v1."""
        return f"http://127.0.0.1:{self._port}/v1"

    def script(self, *replies: Reply) -> None:
        """Say what the next requests get, in order."""
        self._replies.extend(replies)

    async def __aenter__(self) -> "FakeOpenAI":
        self._server = await asyncio.start_server(
            self._connection, "127.0.0.1", self._port, limit=_BODY_BYTES_MAX, backlog=_CONNECTIONS_MAX
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=_CLOSE_SECONDS)
        await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            if len(self._writers) <= _CONNECTIONS_MAX:
                while await self._exchange(reader, writer):
                    pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._writers.discard(writer)
            self._handlers.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. Returns whether the connection can take another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _, path, _ = head[0].split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        length = int(headers.get("content-length", "0"))
        data = await reader.readexactly(min(length, _BODY_BYTES_MAX))
        received = Received(path, headers, json.loads(data) if data else None)
        self.requests.append(received)
        try:
            return await self._answer(received, reader, writer)
        except ConnectionError:
            received.client_left.set()
            raise

    async def _answer(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        reply = self._reply(received)
        if not reply.is_silent:
            lines = [f"HTTP/1.1 {reply.status} X", *(f"{k}: {v}" for k, v in reply.headers.items())]
            writer.write("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())
            await writer.drain()
        for step in reply.steps:
            match step:
                case Fault.CUT:
                    return False
                case Fault.STALL:
                    async with asyncio.timeout(_STALL_SECONDS_MAX):
                        if not await reader.read(1):
                            received.client_left.set()
                    return False
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case bytes():
                    writer.write(b"%x\r\n%b\r\n" % (len(step), step))
                    await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _reply(self, received: Received) -> Reply:
        if received.path.endswith("/models"):
            return json_reply({"object": "list", "data": [{"id": "fake-1", "object": "model"}]})
        if self._replies:
            return self._replies.popleft()
        return default_reply(received.body, pause_seconds=self._word_seconds)


def default_reply(body: Mapping[str, Any], *, pause_seconds: float = 0.0) -> Reply:
    """Echo the last user message word by word; call `calculator` for arithmetic; tell a tool's results."""
    messages = body.get("messages") or [{}]
    last = messages[-1]
    names = {tool["function"]["name"] for tool in body.get("tools") or ()}
    said = _content(last)
    found = _EXPRESSION.search(said) if last.get("role") == "user" else None
    if found and "calculator" in names:
        arguments = json.dumps({"expression": found.group()})
        if not body.get("stream"):
            call = {"id": "call_0", "type": "function"}
            function = {"name": "calculator", "arguments": arguments}
            return whole({"content": None, "tool_calls": [{**call, "function": function}]}, "tool_calls")
        return tool_calls(("calculator", arguments), pause_seconds=pause_seconds)
    if last.get("role") == "tool":
        answer = "The result is " + ", ".join(_content(m) for m in _last_results(messages)) + "."
    else:
        answer = f"You said: {said}"
    if not body.get("stream"):
        return whole({"content": answer})
    return text(*re.findall(r"\S+\s*", answer), pause_seconds=pause_seconds)


def _last_results(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    results: list[Mapping[str, Any]] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        results.insert(0, message)
    return results


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content)


async def serve(port: int, word_seconds: float, announce: Callable[[str], None]) -> None:
    """Serve the default behaviour until cancelled."""
    async with FakeOpenAI(port, word_seconds=word_seconds) as fake:
        announce(fake.url)
        await asyncio.Event().wait()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="A fake OpenAI server: echoes, and calls a calculator tool.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--word-seconds", type=float, default=0.0)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.word_seconds, lambda url: print(url, flush=True)))


if __name__ == "__main__":
    main()
