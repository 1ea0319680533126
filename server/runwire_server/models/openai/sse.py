"""Server-sent events: bytes in, data payloads out. Pure; the same for every way of splitting the bytes."""

_BOM = b"\xef\xbb\xbf"
_OTHER_LINES = (b":", b"event", b"id", b"retry")
# A longer beginning of an event is kept in pieces: joining it with each new one would be quadratic.
_JOINED_BYTES_MAX = 65_536
EVENT_BYTES_MAX = 16 * 1024 * 1024


class EventTooLargeError(ValueError):
    """One event is larger than the parser's bound."""


class SseParser:
    """Takes bytes as they come off the wire, split anywhere, and returns the payloads of the events they
    complete.

    Lines end with LF, CR or CRLF. The `data:` lines of an event are joined with LF; comments and the other
    fields are dropped. Works on bytes, so a split inside a character does no harm. Memory is bounded by
    `event_bytes_max`. `is_foreign` says that lines came which no event stream has.
    """

    def __init__(self, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._event_bytes_max = event_bytes_max
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._skips_lf = False
        self._is_start = True
        self.is_foreign = False

    @property
    def is_between_events(self) -> bool:
        """Whether nothing of a next event has come yet."""
        return not (self._line or self._data or self._skips_lf or self._is_start)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that are complete with these bytes, in order.

        Raises: EventTooLargeError.
        """
        if not data:
            return []
        if self._skips_lf:
            # The last bytes ended with CR: an LF now is the second half of that line's end.
            self._skips_lf = False
            if data[0] == 0x0A:
                data = data[1:]
        if b"\r" in data:
            self._skips_lf = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        payloads: list[bytes] = []
        if not self._is_start and not self._data and self._line_bytes < _JOINED_BYTES_MAX:
            data = self._take_blocks(data, payloads)
        *lines, rest = data.split(b"\n")
        for line in lines:
            if self._line:
                self._line.append(line)
                line = b"".join(self._line)  # noqa: PLW2901 -- the whole line takes the place of its end
                self._line.clear()
                self._line_bytes = 0
            self._take_line(line, payloads)
        if rest:
            self._line.append(rest)
            self._line_bytes += len(rest)
        if self._line_bytes + self._data_bytes > self._event_bytes_max:
            raise EventTooLargeError(f"an event has more than {self._event_bytes_max} bytes")
        return payloads

    def _take_blocks(self, data: bytes, payloads: list[bytes]) -> bytes:
        """Take the events of one data line each that the bytes begin with, which is how everyone sends them.

        Return the rest, which may be anything.
        """
        if self._line:
            data = b"".join((*self._line, data))
            self._line.clear()
            self._line_bytes = 0
        blocks = data.split(b"\n\n")
        for number, block in enumerate(blocks[:-1]):
            if not block.startswith(b"data: ") or b"\n" in block:
                return b"\n\n".join(blocks[number:])
            payloads.append(block[6:])
        return blocks[-1]

    def close(self) -> list[bytes]:
        """Return the event that the end of the stream left without its blank line, if any.

        The standard drops it; servers that forget the last line end are more common than half an event that
        looks whole, and half an event is no JSON.
        """
        payloads = self.feed(b"\n\n") if self._line or self._data else []
        self._skips_lf = False
        return payloads

    def _take_line(self, line: bytes, payloads: list[bytes]) -> None:
        if self._is_start:
            self._is_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                payloads.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
        elif line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif line == b"data":
            self._data.append(b"")
            self._data_bytes += 1
        elif not line.startswith(_OTHER_LINES):
            self.is_foreign = True
