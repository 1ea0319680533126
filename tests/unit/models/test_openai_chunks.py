"""Chunks of an HTTP body, however the network splits them."""

import pytest

from runwire_server.models.openai.chunks import ChunkReader

BODY = b"5\r\nhello\r\n1\r\n \r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n4\r\n\r\n\r\n\r\n"
TEXT = b"hello abcdefghijklmnopqrstuvwxyz\r\n\r\n"
LAST = b"0\r\nx-trailer: 1\r\n\r\n"


def read(data: bytes, size: int) -> tuple[bytes, bytes]:
    """Feed the bytes in pieces of that size. Return the content, and all that was passed on."""
    reader = ChunkReader()
    content = b""
    for at in range(0, len(data), size):
        piece, rest = reader.feed(data[at : at + size])
        content += piece
        if rest:
            return content, rest + data[at + size :]
    return content, b""


@pytest.mark.parametrize("size", range(1, len(BODY + LAST) + 1))
def test_every_split_gives_the_same(size: int) -> None:
    assert read(BODY + LAST, size) == (TEXT, LAST)


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
@pytest.mark.parametrize(
    "odd",
    [
        b"5;name=value\r\nhello\r\n",
        b"five\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"\r\nhello",
        b"1234567890123456789\r\n",
        b"data: this is no chunk at all\n\n",
        b"0x5\r\nhello\r\n",
    ],
)
def test_what_is_not_plain_is_passed_on_as_it_came(odd: bytes, size: int) -> None:
    assert read(BODY + odd, size) == (TEXT, odd)


def test_a_chunk_that_is_longer_than_it_says_is_passed_on() -> None:
    assert read(b"2\r\nabc\r\n", 100) == (b"", b"2\r\nabc\r\n")


LINES = [b"data: {%d}\n\n" % (10**number) for number in range(60)]
MANY = b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in LINES)


@pytest.mark.parametrize("size", [*range(1030, 1100), 1500, 5000])
def test_many_chunks_in_one_read_are_taken_together(size: int) -> None:
    assert read(MANY + BODY + MANY + LAST, size) == (b"".join(LINES) + TEXT + b"".join(LINES), LAST)


@pytest.mark.parametrize(
    "odd", [b"+5\r\nhello\r\n", b"6\r\nhello\r\n", b"0x5\r\nhello\r\n", b"%017x\r\nhello\r\n" % 5]
)
def test_what_is_not_plain_is_found_among_many_chunks(odd: bytes) -> None:
    assert read(MANY + odd + MANY, 10_000) == (b"".join(LINES), odd + MANY)


@pytest.mark.parametrize("size", range(1, 9))
def test_a_chunk_that_is_longer_than_it_says_is_passed_on_wherever_it_is_split(size: int) -> None:
    content, rest = read(b"2\r\nabXY3\r\ncde\r\n", size)
    assert content in {b"", b"ab"}
    assert rest in {b"2\r\nabXY3\r\ncde\r\n", b"XY3\r\ncde\r\n"}
