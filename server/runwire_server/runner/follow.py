"""Read a run's log to its end: how everyone, on any replica, gets a run's events."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Self

from runwire_server.domain import events as ev
from runwire_server.domain.ids import RunKey
from runwire_server.domain.record import replace
from runwire_server.domain.runs import RunState
from runwire_server.domain.streams import StreamOptions, is_forwarded, shows_all
from runwire_server.runner.bell import Bell
from runwire_server.runner.live import LiveRun
from runwire_server.runner.tail import StreamKey, Tail, shaped, whole_texts
from runwire_server.storage.port import Store

_PAGE_EVENTS = 100
# How long to wait for a run that another replica writes before looking again.
_REMOTE_WAIT_SECONDS = 0.25


class Follower:
    """One reader's position in one run's log. A context: as long as it is entered, the run has a follower.

    Every durable event after `after` comes exactly once, in order. Then `caught_up`, once. From there on the deltas
    of a message add up to its whole text, however far the reader falls behind; before, only whole messages come,
    but for one that is growing at that moment: its first delta has offset 0 and all of the text so far.

    `find_live` returns the run's handle when this process has it; `reconnect` says that the stream shall end.
    `from_the_start`: the reader was there before the first event, so it gets the deltas of all messages. `joined`: it
    called Run for a run that was known.
    """

    def __init__(
        self,
        key: RunKey,
        *,
        store: Store,
        find_live: Callable[[], LiveRun | None],
        reconnect: Callable[[], ev.Reconnect | None],
        options: StreamOptions,
        after: int = 0,
        from_the_start: bool = False,
        joined: bool = False,
    ) -> None:
        self._joined = joined
        self._key = key
        self._store = store
        self._find_live = find_live
        self._reconnect = reconnect
        self._options = options
        self._position = after
        self._sent: dict[StreamKey, int] = {}
        self._is_live = from_the_start
        self._has_caught_up = False
        self._has_ended = False
        # Whether everything was returned that the live log had at the last look.
        self._has_all = False
        # The branch of events that name none: the run's own agent.
        self._root = ""
        self._state = RunState.QUEUED
        self._bell = Bell(options.heartbeat_seconds)
        self._live = find_live()
        self._presence = ExitStack()
        self._shows_all = shows_all(options)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._presence.enter_context(self._live.followed())
        self._presence.enter_context(self._bell)
        return self

    def __exit__(self, *_: object) -> None:
        self._presence.close()

    async def next(self) -> list[ev.Event]:
        """Wait for what comes next, and return all of it, in order. Nothing: the stream has ended.

        It ends with the run's completion, or with what `reconnect` returned.
        """
        bell = self._bell
        shown: list[ev.Event] = []
        if self._has_all and not bell.is_rung:
            # What happens between two deltas: nothing to look at, so nothing is looked at.
            await bell.ring()
        bell.is_rung = self._has_all = False
        while not shown and not self._has_ended:
            live = self._live
            tail = live.tail if live is not None and not live.is_over else self._tail()
            bell.listen(tail)
            if tail is None or tail.last_sequence > self._position:
                logged = await self._read(tail)
            else:
                logged = []
            if logged:
                self._has_ended = logged[-1].is_last
                shown = [event for entry in logged for event in self._unroll(entry, tail)]
            elif shown := self._news(tail):
                self._has_all = tail is not None
            else:
                shown = await self._idle(tail)
        bell.rang()
        return shown

    def _tail(self) -> Tail | None:
        self._live = live = self._find_live() or self._live
        if live is None or (live.is_over and not live.tail.ended):
            return None  # the store knows what becomes of it
        return live.tail

    async def _read(self, tail: Tail | None) -> list[ev.Event]:
        """Return the next durable events: from memory when they are recent, else from the store."""
        logged = None
        if tail is not None:
            self._root = tail.author
            logged = tail.after(self._position)
        if logged is None:
            return await self._store.list_run_events(self._key, after=self._position, limit=_PAGE_EVENTS)
        return logged

    async def _idle(self, tail: Tail | None) -> list[ev.Event]:
        """Wait for news. Return what is to be said although there are none; mostly nothing."""
        if await self._is_over(tail):
            self._has_ended = True
        elif (ending := self._reconnect()) is not None:
            self._has_ended = True
            return [self._stream_only(ending)]
        elif not await self._wait(tail):
            return [self._stream_only(ev.Heartbeat(self._state))]
        return []

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
            if self._joined:
                event = replace(event, payload=replace(event.payload, joined=True), wire=None)
        self._position = event.sequence
        if self._is_wanted(event):
            yield event

    def _is_wanted(self, event: ev.Event) -> bool:
        return self._shows_all or is_forwarded(event.payload, self._options, event.branch or self._root)

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

    async def _is_over(self, tail: Tail | None) -> bool:
        """Whether the run has ended and its whole log was read: then no completion will come."""
        if tail is not None:
            self._state = RunState.RUNNING if tail.last_sequence else RunState.QUEUED
            return tail.ended and self._position >= tail.last_sequence
        run = await self._store.get_run(self._key)
        self._state = run.state
        return run.state.is_terminal and self._position >= run.last_sequence

    async def _wait(self, tail: Tail | None) -> bool:
        """Wait for something to look at. Return False when it is time for a heartbeat."""
        if tail is not None:
            return await self._bell.wait()
        waited = 0.0
        while waited < self._options.heartbeat_seconds:
            await self._store.wait(self._key, after=self._position, timeout_seconds=_REMOTE_WAIT_SECONDS)
            waited += _REMOTE_WAIT_SECONDS
            if self._reconnect() is not None:
                return True
            if await self._store.list_run_events(self._key, after=self._position, limit=1):
                return True
        return False

    def _stream_only(self, payload: ev.StreamPayload) -> ev.Event:
        return ev.Event(
            request_id=self._key.request_id,
            sequence=self._position,
            create_time=datetime.now(UTC),
            author="",
            payload=payload,
        )
