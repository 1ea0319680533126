"""What the API can do with runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from runwire_server.agents.agent import Agent
from runwire_server.domain import events as ev
from runwire_server.domain.errors import (
    AlreadyExistsError,
    LimitExceededError,
    NotFoundError,
    OutOfRangeError,
    UnavailableError,
)
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import CancelRequest, Outcome, Run, RunState
from runwire_server.domain.streams import StreamOptions
from runwire_server.runner.catalog import Catalog, ServedApp
from runwire_server.runner.execution import Execution, ExecutionSettings
from runwire_server.runner.follow import Follower, as_joined
from runwire_server.runner.live import LiveRun, Stop
from runwire_server.runner.requests import StartRequest
from runwire_server.runner.supervisor import Supervisor
from runwire_server.runner.tail import Tail
from runwire_server.storage.port import Page, RunFilter, Store

_logger = logging.getLogger(__name__)
_WAIT_POLL_SECONDS = 0.25
# How long a cancel that came before its run is remembered (DESIGN §3).
_CANCEL_MEMORY = timedelta(seconds=60)
_RECONNECT_DELAY_SECONDS = 1.0
# When to look for a run whose creation had no answer: sooner than anyone waits for it, and until no answer can come.
_FIND_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """What an operator may choose. `live_runs_max` counts queued runs too."""

    replica: ReplicaId
    clock: Callable[[], datetime]
    reattach_grace_seconds: float = 5.0
    run_seconds_max: float = 600.0
    live_runs_max: int = 1000
    cancel_grace_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started; `live` is its handle. One that was known already has none: it was joined."""

    run: Run
    live: LiveRun | None

    @property
    def joined(self) -> bool:
        """Whether the run was known already."""
        return self.live is None


class Runner:
    """Starts runs, follows them, cancels them. One per process."""

    def __init__(
        self, store: Store, catalog: Catalog, supervisor: Supervisor, settings: RunnerSettings
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._supervisor = supervisor
        self._settings = settings
        self._live: dict[RunKey, LiveRun] = {}
        self._starting: set[RunKey] = set()
        self._draining = False
        self._reconnecting = False

    @property
    def live_count(self) -> int:
        """How many runs are queued or at work in this process."""
        return len(self._live)

    def live_run(self, key: RunKey) -> LiveRun | None:
        """Return the run's handle when it is queued or at work in this process."""
        return self._live.get(key)

    async def start(self, request: StartRequest) -> Started:
        """Start a run and return at once; it goes on without the caller.

        Raises: NotFoundError (app, agent), InvalidRequestError, AlreadyExistsError (the request id belongs to a
        different request), LimitExceededError, UnavailableError (this server shuts down, or the store is down).
        """
        if self._draining:
            raise UnavailableError("this server shuts down")
        app = self._catalog.app(request.app_name)
        agent = app.agent(request.agent_name)
        agent.check(request.input.options)
        # A caller that gives up in the middle must not leave a run behind that nobody executes.
        return await self._supervisor.finish("start-run", self._start(request, app, agent))

    async def _start(self, request: StartRequest, app: ServedApp, agent: Agent) -> Started:
        key = RunKey(app.name, request.request_id or uuid4().hex)
        if request.request_id and (known := await self._known(key)) is not None:
            return self._join(known, request, agent)
        if len(self._live) >= self._settings.live_runs_max:
            raise LimitExceededError(f"this server is at its limit of {self._settings.live_runs_max} runs")
        now = self._settings.clock()
        session_id = request.session_id or uuid4().hex
        session_key = SessionKey(app.name, request.user_id, session_id)
        session, is_created = await self._store.get_or_create_session(session_key, {}, now)
        self._starting.add(key)
        try:
            run, is_new = await self._store.create_run(self._new_run(key, session.key, agent, request, now))
        except UnavailableError:
            self._supervisor.spawn(f"find-{key.request_id}", self._find_lost(key, agent))
            raise
        finally:
            self._starting.discard(key)
        if not is_new:
            if is_created and run.session != session.key:
                await self._store.delete_session(session.key)
            return self._join(run, request, agent)
        return Started(run, self._execute(run, agent, session_created=is_created))

    async def _known(self, key: RunKey) -> Run | None:
        try:
            return await self._store.get_run(key)
        except NotFoundError:
            return None

    def _join(self, run: Run, request: StartRequest, agent: Agent) -> Started:
        if run.fingerprint != request.fingerprint:
            raise AlreadyExistsError("run", run.key.request_id, "is a different request")
        return Started(run, self._execute_lost(run, agent))

    def _execute_lost(self, run: Run, agent: Agent) -> LiveRun | None:
        """Execute a run that this server made without learning of it: nobody else would."""
        is_ours = run.owner == self._settings.replica and run.state is RunState.QUEUED
        if not is_ours or run.attempt or run.key in self._live or run.key in self._starting:
            return None
        return self._execute(run, agent, session_created=False)

    async def _find_lost(self, key: RunKey, agent: Agent) -> None:
        """Look for a run whose creation had no answer. It would block its session for ever."""
        for delay in _FIND_SECONDS:
            await asyncio.sleep(delay)
            try:
                run = await self._store.get_run(key)
            except (UnavailableError, NotFoundError):
                continue
            self._execute_lost(run, agent)
            return

    def _new_run(
        self, key: RunKey, session: SessionKey, agent: Agent, request: StartRequest, now: datetime
    ) -> Run:
        limit = self._settings.run_seconds_max
        deadline = now + timedelta(seconds=request.deadline_seconds) if request.deadline_seconds else None
        options = request.input.options
        if options.max_run_seconds is None or options.max_run_seconds > limit:
            options = replace(options, max_run_seconds=limit)
        return Run(
            key=key,
            session=session,
            agent_name=agent.name,
            state=RunState.QUEUED,
            create_time=now,
            deadline=deadline,
            invocation_id=uuid4().hex,
            owner=self._settings.replica,
            fingerprint=request.fingerprint,
            input=replace(request.input, options=options),
        )

    def _execute(self, run: Run, agent: Agent, *, session_created: bool) -> LiveRun:
        settings = self._settings
        live = LiveRun(
            run, reattach_grace_seconds=settings.reattach_grace_seconds, session_created=session_created
        )
        if run.cancel is not None:
            live.cancel(run.cancel)
        self._live[run.key] = live
        execution = Execution(
            self._store,
            self._supervisor,
            ExecutionSettings(
                replica=settings.replica,
                clock=settings.clock,
                cancel_grace_seconds=settings.cancel_grace_seconds,
                session_hooks=self._catalog.app(run.key.app_name).session_hooks,
            ),
            live,
            agent,
        )
        task = self._supervisor.spawn(f"run-{run.key.request_id}", execution.run())
        task.add_done_callback(lambda done: self._ended(live, done))
        return live

    def _ended(self, live: LiveRun, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("run %s was dropped", live.run.key.request_id, exc_info=error)
        if self._live.get(live.run.key) is live:
            del self._live[live.run.key]
        for other in self._live.values():
            if other.run.session == live.run.session:
                other.nudge()

    def follow_started(self, started: Started, options: StreamOptions) -> AsyncGenerator[ev.Event, None]:
        """Yield the run's events to whoever called start: all of them, with the deltas of every message."""
        follower = Follower(
            started.run.key, after=0, options=options, from_the_start=started.live is not None
        )
        live = started.live or self._live.get(started.run.key)
        return self._follow(follower, live, joined=started.joined)

    async def follow(
        self, key: RunKey, *, after: int = 0, options: StreamOptions
    ) -> AsyncGenerator[ev.Event, None]:
        """Yield the run's events after that sequence until its completion, or until the server asks to reconnect.

        Raises: NotFoundError, OutOfRangeError (field after_sequence).
        """
        live = self._live.get(key)
        run = await self._store.get_run(key)
        if after > run.last_sequence:
            raise OutOfRangeError("after_sequence", after, run.last_sequence)
        follower = Follower(key, after=after, options=options)
        async with aclosing(self._follow(follower, live, joined=False)) as events:
            async for event in events:
                yield event

    async def _follow(
        self, follower: Follower, live: LiveRun | None, *, joined: bool
    ) -> AsyncGenerator[ev.Event, None]:
        came_while_draining = self._reconnecting

        def find_tail() -> Tail | None:
            found = self._live.get(follower.key) or live
            if found is None or (found.is_over and not found.tail.ended):
                return None  # the store knows what becomes of it
            return found.tail

        with live.followed() if live is not None else nullcontext():
            events = follower.events(
                self._store, find_tail, lambda: None if came_while_draining else self._reconnect()
            )
            async with aclosing(events):
                async for event in events:
                    yield as_joined(event) if joined else event

    def _reconnect(self) -> ev.Reconnect | None:
        if not self._reconnecting:
            return None
        return ev.Reconnect(ev.ReconnectReason.DRAINING, _RECONNECT_DELAY_SECONDS)

    def run_key(self, app_name: str, request_id: str) -> RunKey:
        """Return the run's key, for the default app when the name is empty. Raises: NotFoundError (app)."""
        return RunKey(self._catalog.app(app_name).name, request_id)

    async def status(self, key: RunKey) -> Run:
        """Return the run. Raises: NotFoundError."""
        return await self._store.get_run(key)

    async def cancel(
        self, key: RunKey, request: CancelRequest, *, wait_seconds: float = 0.0
    ) -> tuple[Run | None, bool]:
        """Ask the run to stop. Return it, or None when it is not known yet, and whether that changed anything."""
        now = self._settings.clock()
        run, is_changed = await self._store.request_cancel(
            key, request, now=now, remember_until=now + _CANCEL_MEMORY
        )
        live = self._live.get(key)
        if live is not None:
            live.cancel(request)
        if run is not None and wait_seconds > 0:
            run = await self.wait(key, wait_seconds)
        return run, is_changed

    async def wait(self, key: RunKey, timeout_seconds: float) -> Run:
        """Return the run once it has ended or waits for an answer, or as it is after that time.

        Whoever waits follows the run, as far as its cancellation for want of followers goes. Raises: NotFoundError.
        """
        live = self._live.get(key)
        with live.followed() if live is not None else nullcontext():
            deadline = asyncio.get_running_loop().time() + timeout_seconds
            while True:
                run = await self._store.get_run(key)
                left = deadline - asyncio.get_running_loop().time()
                if run.state.is_terminal or run.state is RunState.WAITING or left <= 0:
                    return run
                if live is not None and not live.tail.ended:
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

    def take_cancels(self, runs: list[Run]) -> None:
        """Hand cancels that were written by other replicas to this one's runs."""
        for run in runs:
            live = self._live.get(run.key)
            if live is not None and run.cancel is not None:
                live.cancel(run.cancel)

    async def drain(self, timeout_seconds: float) -> None:
        """Refuse new runs, send followers away, and give live runs that long; what is left then is cancelled.

        Followers that come back meanwhile are served to the end. Idempotent.
        """
        self._draining = True
        self._reconnecting = True
        for live in list(self._live.values()):
            live.tail.wake()
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while self._live and asyncio.get_running_loop().time() < deadline:
            await self._next_end(deadline)
        for live in list(self._live.values()):
            live.request_stop(Stop(Outcome.CANCELLED, "draining", "the server shuts down"))
        last = asyncio.get_running_loop().time() + self._settings.cancel_grace_seconds + 2.0
        while self._live and asyncio.get_running_loop().time() < last:
            await self._next_end(last)

    async def _next_end(self, deadline: float) -> None:
        """Wait until something happens in some live run, or the time is over."""
        left = deadline - asyncio.get_running_loop().time()
        tail = next(iter(self._live.values())).tail
        await tail.wait(min(max(left, 0.01), 0.1))
