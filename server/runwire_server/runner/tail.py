"""The live end of one run's log: recent durable events, the texts that grow, and whoever waits for more.

Nothing here is per follower. A follower keeps its own position; what it has missed of a growing text is one slice
of that text, so being behind means fewer, longer deltas, and costs no memory (DESIGN §2.4).
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message
from runwire_server.domain.record import replace

RECENT_EVENTS_MAX = 64
RECENT_CHARS_MAX = 262_144
OPEN_CHARS_MAX = 4_194_304
# A piece takes a hundred bytes beside its text, so they do not stay small.
_PIECES_MAX = 64

StreamKey = tuple[str, str, int]  # kind, message or call id, index of the call in its message


class GrowingText:
    """The text of one message, its reasoning, or one call's arguments, as it grows. Lengths are code points."""

    __slots__ = ("_blocks", "_pieces", "_starts", "author", "branch", "last", "length", "shape")

    def __init__(self, shape: ev.GrowingPayload, author: str, branch: str) -> None:
        self.shape = shape
        self.author = author
        self.branch = branch
        self.length = 0
        self.last: tuple[int, int, int, ev.Event] | None = None
        self._pieces: list[str] = []
        self._starts: list[int] = []
        # How many of them are many that were joined.
        self._blocks = 0

    def add(self, piece: str) -> None:
        """Add to the end."""
        first = self._blocks
        if len(self._pieces) - first >= _PIECES_MAX:
            self._pieces[first:] = ["".join(self._pieces[first:])]
            del self._starts[first + 1 :]
            self._blocks += 1
        self._starts.append(self.length)
        self._pieces.append(piece)
        self.length += len(piece)

    def since(self, offset: int) -> str:
        """Return the text from that offset on."""
        if offset == self._starts[-1]:
            return self._pieces[-1]
        if offset >= self.length:
            return ""
        first = bisect_right(self._starts, offset) - 1
        pieces = self._pieces[first:]
        pieces[0] = pieces[0][offset - self._starts[first] :]
        return "".join(pieces)


class Tail:
    """The live end of a run's log. Written by one journal, read by any number of followers in this process."""

    def __init__(self, request_id: str, author: str, last_sequence: int = 0) -> None:
        self.request_id = request_id
        self.author = author
        self.last_sequence = last_sequence
        self.texts: dict[StreamKey, GrowingText] = {}
        self.progress: dict[str, tuple[int, ev.Event]] = {}
        self.ended = False
        self._recent: deque[ev.Event] = deque()
        self._streamed: set[str] = set()
        self._recent_chars = 0
        self._versions = 0
        self._open_chars = 0
        self._followers: set[Callable[[], None]] = set()
        self._waiters: set[asyncio.Future[None]] = set()

    # Written by the journal

    def add(self, events: Iterable[ev.Event]) -> None:
        """Take durable events, after they have been stored."""
        for event in events:
            self._recent.append(event)
            self._recent_chars += _weight(event.payload)
            self._close(event.payload)
            self.last_sequence = event.sequence
            self.ended = self.ended or event.is_last
        while len(self._recent) > RECENT_EVENTS_MAX or (
            self._recent_chars > RECENT_CHARS_MAX and len(self._recent) > 1
        ):
            self._recent_chars -= _weight(self._recent.popleft().payload)
        self.wake()

    def grow(self, payload: ev.GrowingPayload, author: str, branch: str) -> None:
        """Take a delta of that agent. Beyond OPEN_CHARS_MAX it is left out: the whole message will have it."""
        key = _key(payload)
        text = self.texts.get(key)
        if text is None:
            # The run's own agent needs no branch on its deltas, which are by far the most.
            text = self.texts[key] = GrowingText(payload, author, "" if branch == self.author else branch)
            if not isinstance(payload, ev.ToolOutputDelta):
                self._streamed.add(payload.message_id)
        piece = payload.arguments if isinstance(payload, ev.ToolCallDelta) else payload.text
        if self._open_chars + len(piece) > OPEN_CHARS_MAX:
            return
        self._open_chars += len(piece)
        text.add(piece)
        for wake in self._followers:
            wake()

    def unstream(self, message_id: str) -> None:
        """Say that the whole message will not be what its deltas add up to: it comes alone then."""
        self._streamed.discard(message_id)

    def show_progress(self, event: ev.Event, tool_call_id: str) -> None:
        """Take the newest progress of a call; the one before it is forgotten."""
        self._versions += 1
        self.progress[tool_call_id] = (self._versions, event)
        self.wake()

    def _close(self, payload: ev.Payload) -> None:
        """Forget what a whole event supersedes."""
        match payload:
            case ev.MessagePayload(message_id=message_id):
                self._forget([key for key in self.texts if key[1] == message_id and key[0] != "output"])
            case ev.ToolFinished(result=result):
                self.progress.pop(result.tool_call_id, None)
                self._forget([key for key in self.texts if key[:2] == ("output", result.tool_call_id)])
            case ev.Completion():
                self._forget(list(self.texts))
                self.progress.clear()

    def clear(self) -> None:
        """Forget all but where the log ends."""
        self._recent.clear()
        self._recent_chars = 0
        self._forget(list(self.texts))
        self.progress.clear()

    def _forget(self, keys: Iterable[StreamKey]) -> None:
        for key in keys:
            self._open_chars -= self.texts.pop(key).length

    # Read by followers

    def open_texts(self) -> list[tuple[str, GrowingText]]:
        """Return the texts of messages that are not whole yet, by message id."""
        return [(key[1], text) for key, text in self.texts.items() if key[0] == "text" and text.length]

    def was_streamed(self, message_id: str) -> bool:
        """Whether deltas of the message were shown."""
        return message_id in self._streamed

    def after(self, sequence: int) -> list[ev.Event] | None:
        """Return the durable events after that one, or None when some are only in the store."""
        if sequence >= self.last_sequence:
            return []
        if not self._recent or self._recent[0].sequence > sequence + 1:
            return None
        return [event for event in self._recent if event.sequence > sequence]

    def delta(self, text: GrowingText, offset: int, *, sequence: int) -> ev.Event:
        """Return the delta from that offset to the end. Followers at the same place get the same object."""
        last = text.last
        if last is not None and last[:3] == (offset, text.length, sequence):
            return last[3]
        payload = shaped(text.shape, text.since(offset), offset)
        event = ev.Event(
            request_id=self.request_id,
            sequence=sequence,
            create_time=datetime.now(UTC),
            author=text.author,
            branch=text.branch,
            payload=payload,
        )
        text.last = (offset, text.length, sequence, event)
        return event

    def wake(self) -> None:
        """Let everyone who waits look again."""
        for wake in self._followers:
            wake()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def tell(self, wake: Callable[[], None]) -> None:
        """Call that whenever something was written, deltas too, until `untell`. It must only take a note."""
        self._followers.add(wake)

    def untell(self, wake: Callable[[], None]) -> None:
        """Undo `tell`. Idempotent."""
        self._followers.discard(wake)

    async def wait(self, timeout_seconds: float) -> None:
        """Wait until something was written that is more than a delta, or that time has passed."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_seconds):
                await waiter
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)


def shaped(shape: ev.GrowingPayload, text: str, offset: int) -> ev.GrowingPayload:
    """Return a delta like `shape` with another piece of text."""
    if isinstance(shape, ev.ToolCallDelta):
        return replace(shape, arguments=text, offset=offset)
    if isinstance(shape, ev.ToolOutputDelta):
        return replace(shape, text=text, offset=offset)
    return type(shape)(shape.message_id, text, offset)


def whole_texts(message_id: str, message: Message) -> list[tuple[StreamKey, str, ev.GrowingPayload]]:
    """Return all texts of a whole message by the keys of their deltas, in the order of a model's answer."""
    texts: list[tuple[StreamKey, str, ev.GrowingPayload]] = []
    if message.reasoning_content:
        texts.append(_entry(ev.ReasoningDelta(message_id, ""), message.reasoning_content))
    if message.content:
        texts.append(_entry(ev.TextDelta(message_id, ""), message.content))
    for index, call in enumerate(message.tool_calls):
        shape = ev.ToolCallDelta(message_id, index, call.id, call.name, "")
        texts.append(_entry(shape, call.arguments))
    return texts


def _entry(shape: ev.GrowingPayload, text: str) -> tuple[StreamKey, str, ev.GrowingPayload]:
    return _key(shape), text, shape


def _key(payload: ev.GrowingPayload) -> StreamKey:
    match payload:
        case ev.TextDelta():
            return ("text", payload.message_id, 0)
        case ev.ReasoningDelta():
            return ("reasoning", payload.message_id, 0)
        case ev.ToolCallDelta():
            return ("call", payload.message_id, payload.index)
        case ev.ToolOutputDelta():
            return ("output", payload.tool_call_id, 0)


def _weight(payload: ev.Payload) -> int:
    match payload:
        case ev.MessagePayload(message=message):
            return len(message.content) + len(message.reasoning_content) + 256
        case ev.ToolResults(results=results):
            return sum(len(result.content) for result in results) + 256
        case ev.ToolFinished(result=result):
            return len(result.content) + 256
        case _:
            return 512
