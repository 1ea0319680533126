"""Lines of standard input, read while the event loop goes on."""

import asyncio
import codecs
import os
import threading
from collections import deque
from collections.abc import Callable

_LINES_MAX = 1000
_READ_BYTES = 65_536


class Lines:
    """The lines, in order; None is the end of input. At most 1000 are read ahead.

    While `take_first` is set, each line that arrives is shown to it first; it returns whether it took the line.
    """

    def __init__(self, descriptor: int = 0) -> None:
        """Begin to read."""
        self.take_first: Callable[[str], bool] | None = None
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: deque[str | None] = deque()
        self._news = asyncio.Event()
        self._room = threading.Semaphore(_LINES_MAX)
        # A daemon: it may be waiting for a line when the program ends. That is why it reads the descriptor itself:
        # a thread that waits in sys.stdin holds its lock, and the interpreter cannot end well then.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def get(self) -> str | None:
        """Return the next line, without its end."""
        while not self._lines:
            self._news.clear()
            await self._news.wait()
        line = self._lines[0]
        if line is not None:
            self._lines.popleft()
            self._room.release()
        return line

    def give_back(self, line: str) -> None:
        """Make this the next line: whoever got it has no use for it."""
        self._room.acquire(blocking=False)
        self._lines.appendleft(line)
        self._news.set()

    def take(self, line: str) -> bool:
        """Take the next line if it is there already and is this one; return whether it was."""
        if not self._lines or (self._lines[0] or "").strip() != line:
            return False
        self._lines.popleft()
        self._room.release()
        return True

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        while data := self._read_some():
            *lines, rest = (rest + decoder.decode(data)).split("\n")
            for line in lines:
                if not self._hand_over(line):
                    return
        rest += decoder.decode(b"", final=True)
        if not rest or self._hand_over(rest):
            self._hand_over(None)

    def _read_some(self) -> bytes:
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except OSError:
            return b""  # closed, or the terminal is gone

    def _hand_over(self, line: str | None) -> bool:
        self._room.acquire()
        try:
            self._loop.call_soon_threadsafe(self._arrive, line)
        except RuntimeError:
            return False  # the loop has ended
        return True

    def _arrive(self, line: str | None) -> None:
        if line is not None and self.take_first is not None and self.take_first(line):
            self._room.release()
            return
        self._lines.append(line)
        self._news.set()
