"""The messages of a run, each at its reader's own pace: whole ones, or one stream of text for each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

from runwire.errors import MessageCutError
from runwire.v1 import content_pb2, event_pb2

# Who is spoken to, not who answers.
_NOT_ANSWERS = frozenset({content_pb2.ROLE_USER, content_pb2.ROLE_SYSTEM})


class Source(Protocol):
    """Where messages come from."""

    async def until(self, has_news: Callable[[], object]) -> None:
        """Read on until there is news, or nothing more will come."""

    def raise_ending(self) -> None:
        """Raise what the run ended with, if not well."""


class MessageStream:
    """One message: iterate it for the pieces of its text, each time from the first; `message` waits for the whole.

    `message_id` names it; a tool's result has the id of its call. A reader that is late gets joined pieces. They
    raise RunEndedError when the run ends badly before the message is whole. If the server takes back what was yielded
    (a plugin changed the message, another attempt wrote it anew), the pieces end: only `message` has the truth.
    """

    def __init__(
        self, source: Source, event: event_pb2.Event, message_id: str, role: content_pb2.Role.ValueType
    ) -> None:
        """Made by Transcript."""
        self.message_id = message_id
        self.role = role
        self.author = event.author
        self.branch = event.branch
        self.attempt = event.attempt
        self._source = source
        self._text = _GrowingText()
        self._whole: content_pb2.Message | None = None
        self._is_cut = False

    @property
    def is_whole(self) -> bool:
        """Whether `message` would return at once."""
        return self._whole is not None

    async def message(self) -> content_pb2.Message:
        """Wait for the whole message.

        Raises: RunEndedError, CallError; MessageCutError when another took its place, or the run ended well without.
        """
        await self._source.until(lambda: self._whole is not None or self._is_cut)
        if self._whole is None:
            if not self._is_cut:
                self._source.raise_ending()
            raise MessageCutError(self.message_id)
        return self._whole

    def __aiter__(self) -> AsyncIterator[str]:
        return self._pieces()

    async def _pieces(self) -> AsyncGenerator[str, None]:
        text = self._text
        position, breaks = 0, len(text.kept)
        while True:
            await self._source.until(
                lambda: (
                    text.length > position  # noqa: B023 -- called at once
                    or len(text.kept) > breaks  # noqa: B023
                    or self._whole is not None
                    or self._is_cut
                )
            )
            if any(kept < position for kept in text.kept[breaks:]):
                return
            breaks = len(text.kept)
            if text.length > position:
                piece = text.since(position)
                position = text.length
                yield piece
            elif self._whole is not None or self._is_cut:
                return
            else:
                self._source.raise_ending()
                return

    # For Transcript

    def grow(self, offset: int, piece: str) -> None:
        """Take a piece of the text."""
        self._text.put(offset, piece)

    def fits(self, content: str) -> bool:
        """Whether the text that is here is the beginning of that one."""
        return content.startswith(self._text.since(0))

    def finish(self, event: event_pb2.Event, message: content_pb2.Message) -> None:
        """Take the whole message."""
        self.role = message.role
        self.author = self.author or event.author
        self._whole = message
        self._text.finish(message)

    def cut(self) -> None:
        """The message will not be finished: another attempt at the run began."""
        self._is_cut = True


class _GrowingText:
    """A text that comes in pieces. Once it is whole, the message alone holds it."""

    def __init__(self) -> None:
        self.length = 0
        # For each time that the text was replaced by another: how much of its beginning stayed.
        self.kept: list[int] = []
        self._parts: list[str] = []
        self._starts: list[int] = []
        self._message: content_pb2.Message | None = None

    def put(self, offset: int, piece: str) -> None:
        """Take a piece that begins there, in code points. One beyond a gap waits for the whole message."""
        if offset == self.length:
            self._append(piece)
            return
        if offset > self.length:
            return
        old = self.since(0)
        common = offset + _common_length(old[offset:], piece)
        if common < min(self.length, offset + len(piece)):
            self._replace(old[:offset] + piece, common)
            return
        # A repetition: it may end before the text does, and what follows then is repeated too.
        self._replace(old, None)
        self._append(piece[self.length - offset :])

    def finish(self, message: content_pb2.Message) -> None:
        """Take the whole; pieces are not needed any more."""
        content = message.content
        old = self.since(0)
        if not content.startswith(old):
            self.kept.append(_common_length(old, content))
        self.length = len(content)
        self._parts, self._starts = [], []
        self._message = message

    def since(self, position: int) -> str:
        """Return the text from there on."""
        if self._message is not None:
            return self._message.content[position:]
        if not self._parts:
            return ""
        first = max(bisect_right(self._starts, position) - 1, 0)
        return "".join(self._parts[first:])[position - self._starts[first] :]

    def _append(self, piece: str) -> None:
        if piece:
            self._parts.append(piece)
            self._starts.append(self.length)
            self.length += len(piece)

    def _replace(self, text: str, kept: int | None) -> None:
        self._parts, self._starts = [text], [0]
        self.length = len(text)
        if kept is not None:
            self.kept.append(kept)


class Transcript:
    """All messages of a run but the user's: `streams` in the order in which they began, `whole` ended.

    It keeps whole messages, and pieces only of those that are not whole yet.
    """

    def __init__(self, source: Source) -> None:
        self.streams: list[MessageStream] = []
        self.whole: list[content_pb2.Message] = []
        self._source = source
        # By the name of what grows: a message, or the output of a tool call.
        self._open: dict[tuple[str, str], MessageStream] = {}

    def note(self, event: event_pb2.Event) -> None:
        """Take an event. What is not about messages changes nothing."""
        self._note_attempt(event)
        match event.WhichOneof("payload"):
            case "text_delta":
                delta = event.text_delta
                self._opened(event, delta.message_id).grow(delta.offset, delta.text)
            case "reasoning_delta" | "tool_call_delta" as kind:
                self._opened(event, getattr(event, kind).message_id)
            case "tool_output_delta":
                output = event.tool_output_delta
                stream = self._opened(event, output.tool_call_id, content_pb2.ROLE_TOOL)
                stream.grow(output.offset, output.text)
            case "message":
                if event.message.message.role not in _NOT_ANSWERS:
                    self._finish(event, event.message.message_id, event.message.message)
            case "tool_results":
                for result in event.tool_results.results:
                    self._finish(event, result.tool_call_id, _tool_message(result))
            case "completion":
                self._note_end(event)

    def _opened(
        self,
        event: event_pb2.Event,
        message_id: str,
        role: content_pb2.Role.ValueType = content_pb2.ROLE_ASSISTANT,
    ) -> MessageStream:
        key = _key(role, message_id)
        stream = self._open.get(key)
        if stream is None:
            stream = self._open[key] = MessageStream(self._source, event, message_id, role)
            self.streams.append(stream)
        return stream

    def _finish(self, event: event_pb2.Event, message_id: str, message: content_pb2.Message) -> None:
        self._opened(event, message_id, message.role).finish(event, message)
        del self._open[_key(message.role, message_id)]
        self.whole.append(message)

    def _note_end(self, event: event_pb2.Event) -> None:
        """Take the final message, if the run's end brings it: the whole of what is open, or one more."""
        final = event.completion.message
        if not event.completion.HasField("message") or final.role in {*_NOT_ANSWERS, content_pb2.ROLE_TOOL}:
            return
        open_ids = [
            name for (kind, name), stream in self._open.items() if not kind and stream.fits(final.content)
        ]
        self._finish(event, open_ids[-1] if open_ids else "", final)

    def _note_attempt(self, event: event_pb2.Event) -> None:
        """Cut what an earlier attempt began, but the output of a tool that ended: a wait may be before its result."""
        if event.HasField("tool_finished"):
            stream = self._open.get(_key(content_pb2.ROLE_TOOL, event.tool_finished.result.tool_call_id))
            if stream is not None:
                stream.attempt = 0
        for key, stream in list(self._open.items()):
            if 0 < stream.attempt < event.attempt:
                stream.cut()
                del self._open[key]


def _common_length(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _key(role: content_pb2.Role.ValueType, message_id: str) -> tuple[str, str]:
    return ("output" if role == content_pb2.ROLE_TOOL else "", message_id)


def _tool_message(result: content_pb2.ToolResult) -> content_pb2.Message:
    return content_pb2.Message(
        role=content_pb2.ROLE_TOOL,
        content=result.content,
        tool_call_id=result.tool_call_id,
        tool_name=result.tool_name,
    )
