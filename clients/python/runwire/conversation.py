"""A session to talk in: ask and wait, or send now and listen elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from runwire.pulling import Listeners
from runwire.run import RunStream
from runwire.v1 import content_pb2, event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb

if TYPE_CHECKING:
    from runwire.client import Client

_Channel: TypeAlias = "str | pb.Channel.ValueType"


class Conversation:
    """A session to talk in. `session_id` is empty until the first run has begun, when the server makes it."""

    def __init__(self, client: Client, user_id: str, session_id: str, agent_name: str) -> None:
        self.session_id = session_id
        self._client = client
        self._user_id = user_id
        self._agent_name = agent_name
        self._sending = asyncio.Lock()
        # Of whoever has dropped its subscription unread, nothing is kept.
        self._subscriptions: Listeners[_Subscription] = Listeners()

    def run(self, message: str | content_pb2.Message | None = None, **arguments: Any) -> RunStream:
        """Start a run in this conversation. Takes what Client.run takes."""
        run = self._client.run(
            message,
            user_id=self._user_id,
            session_id=self.session_id,
            agent_name=self._agent_name,
            **arguments,
        )
        run.on_started = self._note_started
        return run

    async def chat(self, message: str | content_pb2.Message | None = None, **arguments: Any) -> str:
        """Say something, and return the answer's text. Raises: RunEndedError, CallError."""
        async with self.run(message, **arguments) as run:
            return await run.text()

    async def send(
        self,
        message: str | content_pb2.Message | None = None,
        *,
        options: run_pb2.RunOptions | Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> str:
        """Say something, and return the run's request id once the server has it. Raises: CallError.

        Nobody need follow the run. It may wait for another one of the session; `subscribe` shows what it does.
        """
        chosen = pb.RunRequest(options=options).options  # type: ignore[arg-type]
        chosen.detached_cancel = True
        # One after the other: the first may have to make the session that the next one is for.
        async with self._sending:
            run = self.run(message, options=chosen, **arguments)
            async with run:
                if self.session_id:
                    await run.accepted()
                else:
                    await run.started()
        self._announce(run.request_id)
        return run.request_id

    def subscribe(self, channels: Iterable[_Channel] = ()) -> AsyncGenerator[event_pb2.Event, None]:
        """Yield the events of the runs that begin through this object from now on, as they are sent.

        `channels`: progress, control, monitor; none is all of them. The server filters, but always sends the first
        and the last event of a run, errors and approvals. Runs that work at the same time come mixed. It ends when
        the conversation is closed. Any number may subscribe. Raises: CallError.
        """
        subscription = _Subscription([_channel(name) for name in channels])
        self._subscriptions.add(subscription)
        return self._events(subscription)

    async def close(self) -> None:
        """End all subscriptions. The runs go on, and so may the conversation. Idempotent."""
        for subscription in self._subscriptions:
            subscription.close()

    def _note_started(self, run: RunStream) -> None:
        self.session_id = run.session_id or self.session_id
        self._announce(run.request_id)

    def _announce(self, request_id: str) -> None:
        for subscription in self._subscriptions:
            subscription.add(request_id)

    async def _events(self, subscription: _Subscription) -> AsyncGenerator[event_pb2.Event, None]:
        """Yield whatever comes next of any run. Of each run one event is asked for at a time."""
        asked: dict[asyncio.Task[Any], RunStream | None] = {}

        def ask(run: RunStream | None) -> None:
            work = subscription.next_request_id() if run is None else _next_event(run)
            asked[asyncio.ensure_future(work)] = run  # noqa: TID251 -- ended below

        ask(None)
        try:
            while True:
                done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    run, found = asked.pop(task), task.result()
                    if run is not None and found is not None:
                        ask(run)
                        yield found
                    elif run is None and found is None:
                        return
                    elif found is not None:
                        ask(None)
                        ask(self._client.attach(found, stream={"channels": subscription.channels}))
        finally:
            for task in asked:
                task.cancel()
            if asked:
                await asyncio.wait(asked)


class _Subscription:
    """Which runs a subscriber is still to be shown."""

    def __init__(self, channels: list[pb.Channel.ValueType]) -> None:
        self.channels = channels
        self._known: set[str] = set()
        self._request_ids: asyncio.Queue[str | None] = asyncio.Queue()

    def add(self, request_id: str) -> None:
        if request_id not in self._known:
            self._known.add(request_id)
            self._request_ids.put_nowait(request_id)

    def close(self) -> None:
        self._request_ids.put_nowait(None)

    async def next_request_id(self) -> str | None:
        """Return the next run; None when the conversation is closed."""
        return await self._request_ids.get()


async def _next_event(run: RunStream) -> event_pb2.Event | None:
    return await anext(aiter(run), None)


def _channel(name: _Channel) -> pb.Channel.ValueType:
    """Return the channel of that name. Raises: ValueError."""
    return pb.Channel.Value(f"CHANNEL_{name.upper()}") if isinstance(name, str) else name
