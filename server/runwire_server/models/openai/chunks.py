"""The chunks of an HTTP/1.1 body (RFC 9112 §7.1), taken apart. Pure."""

import re

_DIGITS_MAX = 16
# A size and its line end; whoever sends more has an extension to say.
_HEAD_BYTES_MAX = _DIGITS_MAX + 2
_DIGITS = b"0123456789abcdefABCDEF"
# Between two chunks: the line end of one, and the size of the next.
_SEAM = re.compile(rb"\r\n([0-9a-fA-F]{1,%d})\r\n" % _DIGITS_MAX)
# Up to here one chunk after the other is cheaper.
_FEW_BYTES = 1024


class ChunkReader:
    """Takes bytes as they come, split anywhere, and returns what the chunks hold.

    It reads plain chunks only. Before the last one, which has no content, and before anything else that is not plain
    (an extension, what is no chunk at all), it stops: those bytes are returned as they are, for a parser of all HTTP.
    """

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._line_end = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content that these bytes complete, and the bytes where it stopped; mostly none."""
        pieces: list[bytes] = []
        at = 0
        if self._left or self._line_end:
            at = self._finish(data, pieces)
            if at < 0:
                return b"".join(pieces), data[~at:]
        elif self._head:
            data = self._head + data
            self._head = b""
        if len(data) - at > _FEW_BYTES:
            at = _whole_chunks(data, at, pieces)
        while at < len(data):
            after = self._chunk(data, at, pieces)
            if after < 0:
                return b"".join(pieces), data[at:]
            at = after
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), b""

    def _chunk(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Take one chunk, or its beginning. Return where it ends, at most at the data's end; -1: it is not plain."""
        line_end = data.find(b"\r\n", at, at + _HEAD_BYTES_MAX)
        if line_end < 0:
            if len(data) - at >= _HEAD_BYTES_MAX:
                return -1
            self._head = data[at:]
            return len(data)
        digits = data[at:line_end]
        if not digits or digits.translate(None, _DIGITS):
            return -1
        size = int(digits, 16)
        if not size:
            return -1
        begin = line_end + 2
        end = begin + size
        if not b"\r\n".startswith(data[end : end + 2]):
            return -1
        pieces.append(data[begin:end])
        if end + 2 > len(data):
            self._left = max(end - len(data), 0)
            self._line_end = min(end + 2 - len(data), 2)
            return len(data)
        return end + 2

    def _finish(self, data: bytes, pieces: list[bytes]) -> int:
        """Take the rest of the chunk that the last bytes began. Return where it ends; ~that: its line goes on."""
        content = data[: self._left]
        if content:
            pieces.append(content)
        self._left -= len(content)
        skipped = min(self._line_end, len(data) - len(content))
        expected = b"\r\n"[2 - self._line_end :][:skipped]
        if data[len(content) : len(content) + skipped] != expected:
            return ~len(content)
        self._line_end -= skipped
        return len(content) + skipped


def _whole_chunks(data: bytes, at: int, pieces: list[bytes]) -> int:
    """Take all chunks but the last, found by what is between them, at a third of the cost. Return where they end."""
    before, *parts = _SEAM.split(b"\r\n" + data[at:])
    sizes, contents = parts[0:-2:2], parts[1:-2:2]
    lengths = [int(size, 16) for size in sizes]
    if before or lengths != list(map(len, contents)) or 0 in lengths:
        return at
    pieces += contents
    return at + sum(lengths) + sum(map(len, sizes)) + 4 * len(sizes)
