"""Read a run's log to its end: how everyone, on any replica, gets a run's events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from runwire_server.domain import events as ev
from runwire_server.domain.ids import RunKey
from runwire_server.domain.runs import RunState
from runwire_server.domain.streams import StreamOptions, is_forwarded
from runwire_server.runner.tail import StreamKey, Tail, shaped, whole_texts
from runwire_server.storage.port import Store

_PAGE_EVENTS = 100
# How long to wait for a run that another replica writes before looking again.
_REMOTE_WAIT_SECONDS = 0.25
# The least time between two looks at texts that grow: what comes in between goes out as one delta. A reader sees 50
# deltas a second at the most, so a fast model costs no more than that, and a slow reader's connection holds few. The
# first delta after a pause is not held up, nor is any durable event.
_DELTA_GAP_SECONDS = 0.0


class Follower:
    """One reader's position in one run's log.

    Every durable event after `after` comes exactly once, in order. Then `caught_up`, once. From there on the deltas
    of a message add up to its whole text, however far the reader falls behind; before, only whole messages come,
    but for one that is growing at that moment: its first delta has offset 0 and all of the text so far.
    """

    def __init__(
        self, key: RunKey, *, after: int, options: StreamOptions, from_the_start: bool = False
    ) -> None:
        """`from_the_start`: the reader was there before the first event, so it gets the deltas of all messages."""
        self.key = key
        self._position = after
        self._options = options
        self._sent: dict[StreamKey, int] = {}
        self._is_live = from_the_start
        self._has_caught_up = False
        self._next_delta = 0.0
        # The branch of events that name none: the run's own agent.
        self._root = ""
        self._state = RunState.QUEUED

    async def events(
        self, store: Store, find_tail: Callable[[], Tail | None], reconnect: Callable[[], ev.Reconnect | None]
    ) -> AsyncGenerator[ev.Event, None]:
        """Yield until the run's completion was yielded, or `reconnect` says that the stream shall end."""
        while True:
            tail = find_tail()
            logged = await self._read(store, tail)
            for event in logged:
                for shown in self._unroll(event, tail):
                    yield shown
                if event.is_last:
                    return
            has_news = bool(logged)
            for shown in self._news(tail) if not logged else ():
                has_news = True
                yield shown
            if has_news:
                continue
            if await self._is_over(store, tail):
                return
            if (ending := reconnect()) is not None:
                yield self._stream_only(ending)
                return
            if not await self._wait(store, tail, reconnect):
                yield self._stream_only(ev.Heartbeat(self._state))

    async def _read(self, store: Store, tail: Tail | None) -> list[ev.Event]:
        """Return the next durable events: from memory when they are recent, else from the store."""
        logged = None
        if tail is not None:
            self._root = tail.author
            logged = tail.after(self._position)
        if logged is None:
            return await store.list_run_events(self.key, after=self._position, limit=_PAGE_EVENTS)
        return logged

    def _unroll(self, event: ev.Event, tail: Tail | None) -> Iterator[ev.Event]:
        """Yield the deltas that are missing of a message that was streamed, then the event itself."""
        if isinstance(event.payload, ev.MessagePayload):
            message_id = event.payload.message_id
            if self._is_live and tail is not None and tail.was_streamed(message_id):
                yield from filter(self._is_wanted, self._missing(event, event.payload))
            self._sent = {key: sent for key, sent in self._sent.items() if key[1] != message_id}
        elif isinstance(event.payload, ev.ToolFinished):
            for kind in ("progress", "output"):
                self._sent.pop((kind, event.payload.result.tool_call_id, 0), None)
        elif isinstance(event.payload, ev.RunStarted):
            self._root = event.payload.run.agent_name
        self._position = event.sequence
        if self._is_wanted(event):
            yield event

    def _is_wanted(self, event: ev.Event) -> bool:
        return is_forwarded(event.payload, self._options, event.branch or self._root)

    def _missing(self, event: ev.Event, payload: ev.MessagePayload) -> Iterator[ev.Event]:
        for key, text, shape in whole_texts(payload.message_id, payload.message):
            offset = self._sent.get(key, 0)
            if offset < len(text):
                yield ev.Event(
                    request_id=event.request_id,
                    sequence=self._position,
                    create_time=event.create_time,
                    author=event.author,
                    branch="" if event.branch == self._root else event.branch,
                    payload=shaped(shape, text[offset:], offset),
                )

    def _news(self, tail: Tail | None) -> Iterator[ev.Event]:
        """Yield what is new at the end of the log: first that it is the end, then one delta a text that grew."""
        # Not before the first event: run_started is what every stream begins with.
        if not self._has_caught_up and self._position:
            self._has_caught_up = self._is_live = True
            yield self._stream_only(ev.CaughtUp())
        if tail is None:
            return
        for event in chain(self._grown(tail), self._progressed(tail)):
            if self._is_wanted(event):
                yield event
            if tail.last_sequence > self._position:
                return  # while the reader took its time, the log went on: that comes first

    def _is_behind(self, tail: Tail) -> bool:
        return any(self._sent.get(key, 0) < text.length for key, text in tail.texts.items())

    def _grown(self, tail: Tail) -> Iterator[ev.Event]:
        clock = asyncio.get_running_loop().time()
        if clock < self._next_delta:
            return
        now = datetime.now(UTC)
        for key, text in list(tail.texts.items()):
            offset = self._sent.get(key, 0)
            if offset < text.length:
                event = tail.delta(key, text, offset, sequence=self._position, now=now)
                self._sent[key] = offset + _length(event.payload)
                self._next_delta = clock + _DELTA_GAP_SECONDS
                yield event

    def _progressed(self, tail: Tail) -> Iterator[ev.Event]:
        for call_id, (version, event) in list(tail.progress.items()):
            key = ("progress", call_id, 0)
            if self._sent.get(key, 0) < version:
                self._sent[key] = version
                yield replace(event, sequence=self._position, wire=None)

    async def _is_over(self, store: Store, tail: Tail | None) -> bool:
        """Whether the run has ended and its whole log was read: then no completion will come."""
        if tail is not None:
            self._state = RunState.RUNNING if tail.last_sequence else RunState.QUEUED
            return tail.ended and self._position >= tail.last_sequence
        run = await store.get_run(self.key)
        self._state = run.state
        return run.state.is_terminal and self._position >= run.last_sequence

    async def _wait(
        self, store: Store, tail: Tail | None, reconnect: Callable[[], ev.Reconnect | None]
    ) -> bool:
        """Wait for something to look at. Return False when it is time for a heartbeat."""
        if tail is not None:
            early = self._next_delta - asyncio.get_running_loop().time()
            if early > 0 and await tail.wait(early, ignoring_deltas=True):
                return True
            return self._is_behind(tail) or await tail.wait(self._options.heartbeat_seconds)
        waited = 0.0
        while waited < self._options.heartbeat_seconds:
            await store.wait(self.key, after=self._position, timeout_seconds=_REMOTE_WAIT_SECONDS)
            waited += _REMOTE_WAIT_SECONDS
            if reconnect() is not None:
                return True
            if await store.list_run_events(self.key, after=self._position, limit=1):
                return True
        return False

    def _stream_only(self, payload: ev.StreamPayload) -> ev.Event:
        return ev.Event(
            request_id=self.key.request_id,
            sequence=self._position,
            create_time=datetime.now(UTC),
            author="",
            payload=payload,
        )


def _length(payload: ev.Payload) -> int:
    return len(payload.arguments if isinstance(payload, ev.ToolCallDelta) else payload.text)  # type: ignore[union-attr]


def as_joined(event: ev.Event) -> ev.Event:
    """Return the run's first event as a caller sees it who joined a known run."""
    if isinstance(event.payload, ev.RunStarted):
        return replace(event, payload=replace(event.payload, joined=True), wire=None)
    return event
