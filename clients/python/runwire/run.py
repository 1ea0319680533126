"""A run as its caller sees it: its events, its messages, its text, its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, TypeVar

from runwire.answering import Answering
from runwire.errors import ending_error
from runwire.following import Following
from runwire.messages import MessageStream, Transcript
from runwire.pulling import Pulled
from runwire.runs import RunCalls
from runwire.v1 import content_pb2, event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb

T = TypeVar("T")
_STREAM_ONLY = frozenset({"caught_up", "heartbeat", "reconnect"})


class RunStream:
    """One run. Iterate it for its events; `messages`, `message_streams`, `deltas`, `text` and `result` read it too.

    Any number may read at the same time. Messages come to each reader from the first one, also after the end; events
    from where the stream stands when the reader begins. Every durable event comes exactly once, in order, however
    often the connection breaks; the deltas of a message may come again from its beginning (`offset` 0 replaces):
    `deltas` and `message_streams` take care of that.

    Use it as `async with`: leaving closes the stream. That does not cancel the run; the server does, after its grace,
    when nobody follows it. A run that waits for an answer keeps its stream open, and its readers waiting.
    """

    def __init__(
        self,
        request_id: str,
        following: Following,
        calls: RunCalls,
        *,
        answering: Answering | None = None,
        keeps_stream_only: bool = False,
    ) -> None:
        """Made by Client.run and Client.attach."""
        self.request_id = request_id
        self.session_id = ""
        self.completion: event_pb2.Completion | None = None
        # Called when the run has begun.
        self.on_started: Callable[[RunStream], None] | None = None
        self._following = following
        self._calls = calls
        self._answering = answering
        self._keeps_stream_only = keeps_stream_only
        self._final_text = ""
        self._pulled = Pulled(following, self._note, self._answer if answering is not None else None)
        self._transcript = Transcript(self)

    async def __aenter__(self) -> RunStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the stream. Idempotent."""
        await self._pulled.aclose()

    @property
    def last_sequence(self) -> int:
        """Where the stream stands: attach after it to go on."""
        return self._following.last_sequence

    # Reading

    def __aiter__(self) -> AsyncIterator[event_pb2.Event]:
        return self._pulled.reader()

    def deltas(self) -> AsyncGenerator[str, None]:
        """Yield the assistant's text piece by piece, each once, whatever the connection did."""
        return self._deltas(self._pulled.reader())

    def messages(self) -> AsyncGenerator[content_pb2.Message, None]:
        """Yield the run's messages as they become whole: what the agent says, with its tool calls, and their results.

        From the first one, whenever it is called. Raises at the end: RunEndedError when the run did not end well,
        CallError.
        """
        return self._each(self._transcript.whole)

    def message_streams(self) -> AsyncGenerator[MessageStream, None]:
        """Yield a stream for each of those messages, as soon as its first piece is there. See `messages`."""
        return self._each(self._transcript.streams)

    async def accepted(self) -> None:
        """Wait until the server has taken the run, though other runs of its session may be before it.

        Raises: CallError.
        """
        await self.until(lambda: self._following.is_accepted)
        if not self._following.is_accepted:
            self.raise_ending()

    async def started(self) -> None:
        """Wait until the run has begun, and `session_id` is known. Raises: CallError."""
        await self.until(lambda: self.session_id)
        if not self.session_id:
            self.raise_ending()

    async def result(self) -> event_pb2.Completion:
        """Read to the end, and return how it ended. Raises: CallError."""
        await self.until(lambda: self.completion is not None)
        if self._pulled.failure is not None:
            raise self._pulled.failure.with_traceback(None)
        if self.completion is None:
            raise RuntimeError("the stream was closed before the run ended")
        return self.completion

    async def text(self) -> str:
        """Read to the end, and return the text of the last message.

        Raises: RunEndedError when it did not end well, CallError.
        """
        completion = await self.result()
        if completion.outcome != run_pb2.OUTCOME_COMPLETED:
            raise ending_error(completion)
        return completion.message.content or self._final_text

    # Steering

    async def cancel(
        self, reason: str = "", mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_IMMEDIATE
    ) -> bool:
        """Ask the run to stop. Return whether that changed anything. Raises: CallError."""
        return (await self._calls.cancel(self.request_id, reason=reason, mode=mode)).changed

    async def enqueue(
        self, message: str | content_pb2.Message, message_id: str = ""
    ) -> pb.EnqueueMessageResponse:
        """See Client.enqueue."""
        return await self._calls.enqueue(self.request_id, message, message_id)

    async def cancel_queued(self, message_id: str = "") -> int:
        """See Client.cancel_queued."""
        return await self._calls.cancel_queued(self.request_id, message_id)

    async def approve(self, approval_id: str, **how: Any) -> pb.ResolveApprovalResponse:
        """See Client.approve."""
        return await self._calls.approve(self.request_id, approval_id, **how)

    async def deny(self, approval_id: str, **how: Any) -> pb.ResolveApprovalResponse:
        """See Client.deny."""
        return await self._calls.deny(self.request_id, approval_id, **how)

    async def submit_outputs(self, outputs: Mapping[str, str | content_pb2.ToolResult]) -> run_pb2.Run:
        """See Client.submit_outputs."""
        return await self._calls.submit_outputs(self.request_id, outputs)

    # For MessageStream

    async def until(self, has_news: Callable[[], object]) -> None:
        """Read on until there is news, or nothing more will come."""
        await self._pulled.until(has_news)

    def raise_ending(self) -> None:
        """Raise what the run ended with, if not well; nothing when the stream began behind its end."""
        if self._pulled.failure is not None:
            raise self._pulled.failure.with_traceback(None)
        if self.completion is not None:
            if self.completion.outcome != run_pb2.OUTCOME_COMPLETED:
                raise ending_error(self.completion)
        elif self._following.is_closed:
            raise RuntimeError("the stream was closed before the run ended")

    async def _each(self, items: Sequence[T]) -> AsyncGenerator[T, None]:
        for at in count():
            await self.until(partial(_is_longer, items, at))
            if len(items) <= at:
                break
            yield items[at]
        self.raise_ending()

    async def _deltas(self, events: AsyncIterator[event_pb2.Event]) -> AsyncGenerator[str, None]:
        shown: dict[str, int] = {}
        async for event in events:
            if event.WhichOneof("payload") == "text_delta":
                delta = event.text_delta
                have = shown.get(delta.message_id, 0)
                fresh = delta.text[max(have - delta.offset, 0) :]
                shown[delta.message_id] = max(have, delta.offset + len(delta.text))
            elif _is_answer(event):
                fresh = event.message.message.content[shown.pop(event.message.message_id, 0) :]
            else:
                continue
            if fresh:
                yield fresh

    async def _answer(self) -> None:
        if self._answering is not None and self._following.is_live:
            await self._answering.answer()

    def _note(self, event: event_pb2.Event) -> bool:
        """Take what the event says of the run; return whether to show it."""
        kind = event.WhichOneof("payload")
        if self._answering is not None:
            self._answering.note(event)
        self._transcript.note(event)
        if kind == "run_started":
            self.session_id = event.run_started.run.session.session_id
            if self.on_started is not None:
                self.on_started(self)
        elif _is_answer(event):
            self._final_text = event.message.message.content
        elif kind == "completion":
            self.completion = event.completion
        return self._keeps_stream_only or kind not in _STREAM_ONLY


def _is_longer(items: Sequence[Any], length: int) -> bool:
    return len(items) > length


def _is_answer(event: event_pb2.Event) -> bool:
    """Whether the event is a whole message of the assistant that has text."""
    said = event.message.message
    return said.role == content_pb2.ROLE_ASSISTANT and bool(said.content)
