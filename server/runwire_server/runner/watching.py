"""Look at runs: follow them, wait for them, list them. On any replica, live or finished."""

import asyncio
from contextlib import nullcontext
from typing import Any

from runwire_server.domain import events as ev
from runwire_server.domain.errors import OutOfRangeError
from runwire_server.domain.ids import RunKey
from runwire_server.domain.runs import Run, RunState
from runwire_server.domain.streams import StreamOptions
from runwire_server.runner.follow import Follower
from runwire_server.runner.live import LiveRun
from runwire_server.runner.runner import Runner, Started
from runwire_server.storage.port import Page, RunFilter, Store

_WAIT_POLL_SECONDS = 0.25
_RECONNECT_DELAY_SECONDS = 1.0


class Watching:
    """What the API can tell of runs."""

    def __init__(self, store: Store, runner: Runner) -> None:
        self._store = store
        self._runner = runner

    def follow_started(self, started: Started, options: StreamOptions) -> Follower:
        """Return a follower for whoever called start: of all events, with the deltas of every message."""
        return self._follower(
            started.run.key,
            options,
            live=started.live,
            from_the_start=started.live is not None,
            joined=started.joined,
        )

    async def follow(self, key: RunKey, *, after: int = 0, options: StreamOptions) -> Follower:
        """Return a follower of the run's events after that sequence.

        Raises: NotFoundError, OutOfRangeError (field after_sequence).
        """
        live = self._runner.live_run(key)
        run = await self._store.get_run(key)
        if after > run.last_sequence:
            raise OutOfRangeError("after_sequence", after, run.last_sequence)
        return self._follower(key, options, live=live, after=after)

    def _follower(self, key: RunKey, options: StreamOptions, *, live: LiveRun | None, **how: Any) -> Follower:
        came_while_draining = self._runner.sends_followers_away
        return Follower(
            key,
            store=self._store,
            find_live=lambda: self._runner.live_run(key) or live,
            reconnect=lambda: None if came_while_draining else self._reconnect(),
            options=options,
            **how,
        )

    def _reconnect(self) -> ev.Reconnect | None:
        if not self._runner.sends_followers_away:
            return None
        return ev.Reconnect(ev.ReconnectReason.DRAINING, _RECONNECT_DELAY_SECONDS)

    async def status(self, key: RunKey) -> Run:
        """Return the run. Raises: NotFoundError."""
        return await self._store.get_run(key)

    async def wait(self, key: RunKey, timeout_seconds: float, *, until_end: bool = False) -> Run:
        """Return the run once it has ended or (not with `until_end`) waits for an answer, or as it is after that
        time.

        Whoever waits follows the run, as far as its cancellation for want of followers goes. Raises: NotFoundError.
        """
        live = self._runner.live_run(key)
        with live.followed() if live is not None else nullcontext():
            deadline = asyncio.get_running_loop().time() + timeout_seconds
            while True:
                run = await self._store.get_run(key)
                left = deadline - asyncio.get_running_loop().time()
                is_waiting = run.state is RunState.WAITING and not until_end
                if run.state.is_terminal or is_waiting or left <= 0:
                    return run
                if live is not None and not live.is_over:
                    await live.tail.wait(left)
                else:
                    await self._store.wait(
                        key, after=run.last_sequence, timeout_seconds=min(left, _WAIT_POLL_SECONDS)
                    )

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[Run]:
        """List runs, newest first. An empty app is the default one. Raises: NotFoundError (app)."""
        return await self._store.list_runs(wanted, limit=limit, cursor=cursor)

    async def list_events(self, key: RunKey, *, after: int, limit: int) -> list[ev.Event]:
        """Return the run's durable events after that sequence. Raises: NotFoundError, OutOfRangeError."""
        run = await self._store.get_run(key)
        if after > run.last_sequence:
            raise OutOfRangeError("after_sequence", after, run.last_sequence)
        return await self._store.list_run_events(key, after=after, limit=limit)
