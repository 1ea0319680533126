"""Read a run's log to its end: how everyone, on any replica, gets a run's events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from runwire_server.domain import events as ev
from runwire_server.domain.ids import RunKey
from runwire_server.domain.runs import RunState
from runwire_server.domain.streams import StreamOptions, is_forwarded
from runwire_server.runner.tail import StreamKey, Tail, shaped, whole_texts
from runwire_server.storage.port import Store

_PAGE_EVENTS = 100
# How long to wait for a run that another replica writes before looking again.
_REMOTE_WAIT_SECONDS = 0.25


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
        # The branch of events that name none: the run's own agent.
        self._root = ""
        self._state = RunState.QUEUED
        self._bell = _Bell(options.heartbeat_seconds)

    async def events(
        self, store: Store, find_tail: Callable[[], Tail | None], reconnect: Callable[[], ev.Reconnect | None]
    ) -> AsyncGenerator[ev.Event, None]:
        """Yield until the run's completion was yielded, or `reconnect` says that the stream shall end."""
        with self._bell as bell:
            while True:
                tail = find_tail()
                bell.listen(tail)
                logged = await self._read(store, tail)
                for shown in self._unrolled(logged, tail) if logged else self._news(tail):
                    bell.rang()
                    yield shown
                if logged and logged[-1].is_last:
                    return
                if logged:
                    continue
                if await self._is_over(store, tail):
                    return
                if (ending := reconnect()) is not None:
                    yield self._stream_only(ending)
                    return
                if not await self._wait(store, tail, reconnect):
                    bell.rang()
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

    def _unrolled(self, logged: list[ev.Event], tail: Tail | None) -> Iterator[ev.Event]:
        for event in logged:
            yield from self._unroll(event, tail)

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

    def _news(self, tail: Tail | None) -> list[ev.Event]:
        """Return what is new at the end of the log: first that it is the end, then one delta a text that grew."""
        news: list[ev.Event] = []
        # Not before the first event: run_started is what every stream begins with.
        if not self._has_caught_up and self._position:
            self._has_caught_up = self._is_live = True
            news.append(self._stream_only(ev.CaughtUp()))
        if tail is None:
            return news
        sent = self._sent
        for key, text in tail.texts.items():
            offset = sent.get(key, 0)
            if offset < text.length:
                sent[key] = text.length
                event = tail.delta(text, offset, sequence=self._position)
                if self._is_wanted(event):
                    news.append(event)
        for call_id, (version, event) in tail.progress.items():
            key = ("progress", call_id, 0)
            if sent.get(key, 0) < version:
                sent[key] = version
                if self._is_wanted(event):
                    news.append(replace(event, sequence=self._position, wire=None))
        return news

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
            return await self._bell.wait()
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


class _Bell:
    """Wakes one follower, and knows when it is time for a heartbeat.

    Waiting is done for every delta, so it costs a future, and no timer: the one there is goes off again when what it
    was set for has moved.
    """

    def __init__(self, heartbeat_seconds: float) -> None:
        self._heartbeat = heartbeat_seconds
        self._loop = asyncio.get_running_loop()
        self._tail: Tail | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Rung while nobody waited counts, too.
        self._is_rung = False
        self._due_time = self._loop.time() + heartbeat_seconds

    def __enter__(self) -> Self:
        self._timer = self._loop.call_at(self._due_time, self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self.listen(None)
        if self._timer is not None:
            self._timer.cancel()

    def listen(self, tail: Tail | None) -> None:
        """Be woken by that one from now on."""
        if tail is not self._tail:
            if self._tail is not None:
                self._tail.untell(self._wake)
            if tail is not None:
                tail.tell(self._wake)
            self._tail = tail

    def rang(self) -> None:
        """Say that the reader got something: the next heartbeat is a whole interval away."""
        self._due_time = self._loop.time() + self._heartbeat

    async def wait(self) -> bool:
        """Wait until there is something to look at. Return False when it is time for a heartbeat."""
        if not self._is_rung:
            self._waiter = self._loop.create_future()
            await self._waiter
            self._waiter = None
        self._is_rung = False
        return self._due_time > self._loop.time()

    def _wake(self) -> None:
        self._is_rung = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _look(self) -> None:
        now = self._loop.time()
        is_due = self._due_time <= now
        if is_due:
            self._wake()
        self._timer = self._loop.call_at(now + self._heartbeat if is_due else self._due_time, self._look)


def as_joined(event: ev.Event) -> ev.Event:
    """Return the run's first event as a caller sees it who joined a known run."""
    if isinstance(event.payload, ev.RunStarted):
        return replace(event, payload=replace(event.payload, joined=True), wire=None)
    return event
