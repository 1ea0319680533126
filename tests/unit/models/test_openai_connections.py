"""What goes over the wire to the model server, and what may come back beside an answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import psutil
import pytest

from fake_openai import FakeOpenAI, chunk, text
from openai_support import KEY, Connect, Reads, lists_of
from runwire_server.domain.content import Message, Role
from runwire_server.domain.errors import ModelError
from runwire_server.models.model import ModelRequest, TextChunk
from runwire_server.models.openai.client import OpenAIModel

BODY = b"".join(
    f"data: {data}\n\n".encode()
    for data in (json.dumps(chunk({"content": "hi"})), json.dumps(chunk({}, "stop")), "[DONE]")
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


class Wire:
    """A server that answers each request with the next of its answers, byte for byte."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in head[1:-2])
                body = await reader.readexactly(int(fields["content-length"]))
                self.requests.append((head[0], fields, body))
                answer = self.answers.pop(0)
                for piece in answer.split(b"|"):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
                if b"connection: close" in answer.lower() or b"HTTP/1.0" in answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[Wire]:
    wire = Wire(*answers)
    server = await asyncio.start_server(wire.talk, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()


async def said(model: OpenAIModel) -> str:
    chunks = [c for one in await lists_of(model) for c in one]
    return "".join(c.text for c in chunks if isinstance(c, TextChunk))


async def test_the_request_is_complete(connect: Connect) -> None:
    async with serving(CHUNKED, CHUNKED) as wire:
        model = connect(base_url=f"{wire.url}/a%20b")

        assert [await said(model), await said(model)] == ["hi", "hi"]

    (line, fields, body), again = wire.requests
    assert line == "POST /v1/a%20b/chat/completions HTTP/1.1"
    assert fields["host"] == f"127.0.0.1:{wire.port}"
    assert fields["authorization"] == f"bearer {KEY}".lower()
    assert fields["content-type"] == "application/json"
    assert fields["accept-encoding"] == "identity"
    assert json.loads(body)["model"] == "m"
    assert again == (line, fields, body)
    assert wire.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n|" + CHUNKED,
        CHUNKED.replace(b"\r\nTransfer", b"\r\nX-A: b|\r\nTransfer").replace(b"data", b"da|ta", 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(BODY), BODY),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        CHUNKED.replace(b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"),
    ],
    ids=["continue", "hints", "pieces", "length", "length, closed", "closed", "1.0", "trailer"],
)
async def test_however_http_says_it(connect: Connect, answer: bytes) -> None:
    async with serving(answer, CHUNKED) as wire:
        model = connect(base_url=wire.url, retries_max=0)

        assert [await said(model), await said(model)] == ["hi", "hi"]

    is_closed = b"lose" in answer or b"HTTP/1.0" in answer
    assert wire.connections == (2 if is_closed else 1)


async def test_what_is_not_http_is_an_error(connect: Connect) -> None:
    async with serving(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as wire:
        with pytest.raises(ModelError) as caught:
            await said(connect(base_url=wire.url, retries_max=0))

    assert caught.value.code == "MODEL_UNAVAILABLE"


@pytest.mark.parametrize(("status", "asked"), [(307, 4), (308, 3)])
async def test_redirects_are_followed(fake: FakeOpenAI, connect: Connect, status: int, asked: int) -> None:
    fake.script(text("moved"), text("again"))
    place = f"{fake.url}/chat/completions".encode()
    away = b"HTTP/1.1 %d Elsewhere\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, place)
    async with serving(*[away] * asked) as wire:
        model = connect(base_url=wire.url, retries_max=0)

        assert [await said(model), await said(model)] == ["moved", "again"]

    assert json.loads(wire.requests[0][2])["model"] == "m"
    # To find out, and then to follow: only what has moved for good is known the next time.
    assert len(wire.requests) == asked


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"304 Not Modified", b"302 Found"])
async def test_what_is_no_answer_is_an_error_at_once(connect: Connect, status: bytes) -> None:
    async with serving(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status, CHUNKED) as wire:
        with pytest.raises(ModelError) as caught:
            await said(connect(base_url=wire.url, retries_max=0))

    assert caught.value.code in {"MODEL_BAD_RESPONSE", "MODEL_UNAVAILABLE"}
    assert len(wire.requests) == 1


@asynccontextmanager
async def hasty(answer: bytes) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """A server that answers each request at its head, and reads nothing more of it."""
    writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await asyncio.sleep(30)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", writers
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


def large() -> ModelRequest:
    return ModelRequest(messages=(Message(Role.USER, "x" * 16_000_000),))


async def test_a_connection_with_half_a_request_in_it_is_not_used_again(connect: Connect) -> None:
    refusal = b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\n{}"
    async with hasty(refusal) as (url, writers):
        model = connect(base_url=url, retries_max=0)
        for _ in range(2):
            with pytest.raises(ModelError) as caught:
                await model.stream(large(), Reads())
            assert caught.value.code == "MODEL_RATE_LIMITED"

        assert len(writers) == 2


async def test_a_server_that_reads_nothing_keeps_nothing(connect: Connect) -> None:
    async with hasty(b"") as (url, _):
        model = connect(base_url=url, retries_max=0, first_byte_timeout_seconds=0.2)
        with pytest.raises(ModelError) as caught:
            await model.stream(large(), Reads())
        assert caught.value.code == "MODEL_TIMEOUT"
        await asyncio.sleep(0.05)

        assert connections_to(urlsplit(url).port) == 0


def connections_to(port: int | None) -> int:
    """How many this process has open."""
    return sum(1 for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == port)


async def test_a_header_that_would_break_the_request_is_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-x\n")
    with pytest.raises(ModelError, match="openai-organization"):
        await said(connect(retries_max=0))


@pytest.mark.parametrize("url", ["http://ann:secret@host/v1", "http://host:99999/v1", "http://host:0/v1"])
def test_a_base_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base URL|Port") as caught:
        OpenAIModel("m", api_key=KEY, base_url=url)
    assert "secret" not in str(caught.value)


async def test_a_proxy_is_used(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(CHUNKED) as wire:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{wire.port}")
        model = connect(base_url="http://model.invalid/v1", retries_max=0)

        assert await said(model) == "hi"

    assert wire.requests[0][0] == "POST http://model.invalid/v1/chat/completions HTTP/1.1"


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(connect: Connect) -> None:
    async with serving(CHUNKED) as wire:
        model = connect(base_url=wire.url, retries_max=0)
        assert await said(model) == "hi"
        # With nothing left to answer the server has hung up.
        await asyncio.sleep(0.05)
        wire.answers.append(CHUNKED)

        assert await said(model) == "hi"

    assert wire.connections == 2
