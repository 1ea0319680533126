"""Start runs, let them go on, and stop them."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from runwire_server.agents.agent import Agent
from runwire_server.domain.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    LimitExceededError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)
from runwire_server.domain.ids import RunKey, SessionKey, new_id
from runwire_server.domain.record import record
from runwire_server.domain.runs import (
    NOBODY,
    CancelMode,
    CancelRequest,
    Outcome,
    Run,
    RunState,
    SessionPolicy,
)
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import Plugin
from runwire_server.runner.activation import Workshop
from runwire_server.runner.catalog import Catalog, ServedApp
from runwire_server.runner.earlier import earlier_runs
from runwire_server.runner.execution import Execution, ExecutionSettings
from runwire_server.runner.lifecycle import Lifecycle
from runwire_server.runner.live import LiveRun, Stop
from runwire_server.runner.lost import looks_lost
from runwire_server.runner.opening import Opening, opening_of
from runwire_server.runner.requests import StartRequest, new_run
from runwire_server.runner.settings import RunnerSettings
from runwire_server.runner.starting import Starting
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.port import Store

_logger = logging.getLogger(__name__)
# How long an answer waits to see its run go on. It does not matter when that takes longer.
_GOES_ON_SECONDS = 1.0
# How long a cancel that came before its run is remembered (DESIGN §3).
_CANCEL_MEMORY = timedelta(seconds=60)
# When to look for a run whose creation had no answer: sooner than anyone waits for it, and until no answer can come.
_FIND_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@record(frozen=True, slots=True)
class Started:
    """A run that was started; `live` is its handle. One that was known already has none: it was joined."""

    run: Run
    live: LiveRun | None

    @property
    def joined(self) -> bool:
        """Whether the run was known already."""
        return self.live is None


class Runner:
    """Starts runs, lets those go on that waited, cancels them. One per process."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        lifecycle: Lifecycle,
        supervisor: Supervisor,
        settings: RunnerSettings,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._supervisor = supervisor
        self._settings = settings
        self._live: dict[RunKey, LiveRun] = {}
        self._starting = Starting()
        self._continuing: set[RunKey] = set()
        self._draining = False

    @property
    def live_count(self) -> int:
        """How many runs are queued or at work in this process."""
        return len(self._live)

    @property
    def live_runs(self) -> tuple[LiveRun, ...]:
        """The runs that are queued or at work in this process."""
        return tuple(self._live.values())

    @property
    def sends_followers_away(self) -> bool:
        """Whether those who follow shall go to another replica, because this one drains."""
        return self._draining

    def live_run(self, key: RunKey) -> LiveRun | None:
        """Return the run's handle when it is queued or at work in this process."""
        return self._live.get(key)

    async def start(self, request: StartRequest) -> Started:
        """Start a run and return at once; it goes on without the caller.

        Raises: NotFoundError (app, agent; the session, to resume it), InvalidRequestError, AlreadyExistsError (the
        request id belongs to a different request), BusyError (SessionPolicy.REJECT), PreconditionError (the agent
        cannot start), LimitExceededError, UnavailableError (this server shuts down, or the store is down).
        """
        app = self._catalog.app(request.app_name)
        agent = app.agent(request.agent_name)
        agent.check(request.input.options, app.tools)
        app.plugins_of(request.input.options)
        await self._lifecycle.ready(agent)
        # A caller that gives up in the middle must not leave a run behind that nobody executes.
        return await self._supervisor.finish("start-run", self._start(request, app, agent))

    async def _start(self, request: StartRequest, app: ServedApp, agent: Agent) -> Started:
        key = RunKey(app.name, request.request_id or new_id())
        if request.request_id and (known := await self._known(key)) is not None:
            return await self._join(known, request, agent)
        if self._draining:
            raise UnavailableError("this server shuts down")
        if len(self._live) >= self._settings.live_runs_max:
            raise LimitExceededError(f"this server is at its limit of {self._settings.live_runs_max} runs")
        now = self._settings.clock()
        # Nobody has a session that has no name yet: it is made with the run, and the run with its beginning.
        is_nameless = (
            not request.session_id
            and not request.input.resume
            and app.leaves_events_alone(request.input.options)
        )
        session, is_created = await self._session(app, request, now, is_nameless=is_nameless)
        new = new_run(
            key,
            session,
            agent.name,
            request,
            replica=self._settings.replica,
            run_seconds_max=self._settings.run_seconds_max,
            now=now,
        )
        opening = opening_of(new, agent) if is_nameless else None
        try:
            with self._starting.at(key):
                run, is_new = await self._store.create_run(
                    new,
                    must_be_first=request.input.options.session_policy is SessionPolicy.REJECT,
                    claim=True,
                    opening=opening.write if opening is not None else None,
                )
        except UnavailableError:
            self._supervisor.spawn(f"find-{key.request_id}", self._find_lost(key, agent))
            raise
        if not is_new:
            if is_created and opening is None and run.session != session:
                await self._store.delete_session(session)
            return await self._join(run, request, agent)
        started = Started(run, self._execute(run, agent, session_created=is_created, opening=opening))
        if request.input.options.session_policy is SessionPolicy.INTERRUPT:
            await self._interrupt_others(run)
        return started

    async def _session(
        self, app: ServedApp, request: StartRequest, now: datetime, *, is_nameless: bool
    ) -> tuple[SessionKey, bool]:
        """Return the run's session, and whether it is made for the run. A nameless one is not there yet."""
        key = SessionKey(app.name, request.user_id, request.session_id or new_id())
        if request.input.resume:
            return (await self._store.get_session(key)).key, False
        if is_nameless:
            return key, True
        session, is_created = await self._store.get_or_create_session(key, {}, now)
        return session.key, is_created

    async def _interrupt_others(self, run: Run) -> None:
        """Cancel the session's runs that came before this one."""
        request = CancelRequest(CancelMode.IMMEDIATE, f"interrupted by run {run.key.request_id}"[:1000])
        for key in await earlier_runs(self._store, run):
            await self.cancel(key, request)

    async def _known(self, key: RunKey) -> Run | None:
        with suppress(NotFoundError):
            return await self._store.get_run(key)
        return None

    async def _join(self, run: Run, request: StartRequest, agent: Agent) -> Started:
        if run.fingerprint != request.fingerprint:
            raise AlreadyExistsError("run", run.key.request_id, "is a different request")
        return Started(run, await self._execute_lost(run, agent))

    async def _execute_lost(self, run: Run, agent: Agent) -> LiveRun | None:
        if self._draining or not self._is_lost(run):
            return None
        # What was read is as old as the way here was long: the run may have begun, and be over.
        with self._starting.at(run.key):
            run = await self._store.get_run(run.key)
        return self._execute(run, agent, session_created=False) if self._is_lost(run) else None

    def _is_lost(self, run: Run) -> bool:
        is_here = run.key in self._live or run.key in self._starting
        return not is_here and looks_lost(run, self._settings.replica)

    async def _find_lost(self, key: RunKey, agent: Agent) -> None:
        """Look for a run whose creation had no answer. It would block its session for ever."""
        for delay in _FIND_SECONDS:
            await asyncio.sleep(delay)
            with suppress(UnavailableError, NotFoundError):
                await self._execute_lost(await self._store.get_run(key), agent)
                return

    async def mail_came(self, run: Run) -> Run:
        """Take note of a run's mail, which was just written. One that waits for it goes on. Return the run."""
        live = self._live.get(run.key)
        if live is not None:
            live.note_mail(run.mail)
        if run.state is not RunState.WAITING or not run.has_news or not self.may_take(run):
            return run
        claimed = await self._supervisor.finish("continue-run", self.continue_run(run))
        live = self._live.get(run.key)
        if claimed is None or live is None:
            return claimed or run
        if live.run.state is RunState.WAITING:
            # Its next event says that it goes on, which is what whoever answered wants to hear.
            await live.tail.wait(_GOES_ON_SECONDS)
        return live.run

    def may_take(self, run: Run) -> bool:
        """Whether no other replica is taking the run: that one looks at its mail again before it waits."""
        return run.owner in {NOBODY, self._settings.replica}

    def has_agent(self, run: Run) -> bool:
        """Whether this server has the run's app and agent (any more)."""
        try:
            self._catalog.app(run.key.app_name).agent(run.agent_name)
        except NotFoundError:
            return False
        return True

    async def continue_run(self, run: Run) -> Run | None:
        """Take a WAITING run and let it go on, or end, as its record says. Return it; None when it is left to others.

        They look at it soon: it is due, or somebody has it already, who reads its mail.
        Raises: UnavailableError, NotFoundError (run).
        """
        if self._draining or self._has_no_room(run) or self._is_at_work(run):
            return None
        self._continuing.add(run.key)
        try:
            return await self._continue(run)
        finally:
            self._continuing.discard(run.key)

    def _has_no_room(self, run: Run) -> bool:
        """Whether this server is full. Runs that are queued behind a run of their session cannot make room for it."""
        is_full = len(self._live) >= self._settings.live_runs_max
        return is_full and all(live.run.session != run.session for live in self._live.values())

    def _is_at_work(self, run: Run) -> bool:
        """Whether a run that waits goes on here already. Its record says so only after its first write.

        Taking it once more would let two tasks of this server work on it, which no fencing can tell apart.
        """
        if run.key in self._continuing:
            return True
        live = self._live.get(run.key)
        return live is not None and not live.is_over and live.run.owner == self._settings.replica

    async def _continue(self, run: Run) -> Run | None:
        try:
            agent = self._catalog.app(run.key.app_name).agent(run.agent_name)
            await self._lifecycle.ready(agent)
        except (NotFoundError, PreconditionError) as error:
            _logger.warning("run %s cannot go on here: %s", run.key.request_id, error)
            return None
        claimed = await self._store.claim_run(
            run.key,
            self._settings.replica,
            attempt=run.attempt,
            now=self._settings.clock(),
            in_turn=run.waits_its_turn,
        )
        if claimed is not None:
            self._execute(claimed, agent, is_continued=True)
        return claimed

    def _execute(
        self,
        run: Run,
        agent: Agent,
        *,
        session_created: bool = False,
        opening: Opening | None = None,
        is_continued: bool = False,
    ) -> LiveRun:
        settings = self._settings
        live = LiveRun(
            run,
            reattach_grace_seconds=settings.reattach_grace_seconds,
            session_created=session_created,
            is_continued=is_continued,
        )
        if run.cancel is not None:
            live.cancel(run.cancel)
        if opening is not None and run.last_sequence:
            live.tail.add(opening.write.events)
        self._live[run.key] = live
        app = self._catalog.app(run.key.app_name)
        workshop = Workshop(
            clock=settings.clock,
            cancel_grace_seconds=settings.cancel_grace_seconds,
            waiting_seconds_max=settings.waiting_seconds_max,
            plugins=RunPlugins(self._plugins_of(app, run), settings.count_plugin_failure),
            tools=app.tools,
            tool_middleware=app.tool_middleware,
        )
        execution = Execution(
            self._store,
            self._supervisor,
            ExecutionSettings(replica=settings.replica, workshop=workshop, session_hooks=app.session_hooks),
            live,
            agent,
            opened=opening.history if opening is not None else None,
        )
        task = self._supervisor.spawn(f"run-{run.key.request_id}", self._at_work(execution, agent))
        task.add_done_callback(lambda done: self._ended(live, done))
        return live

    async def _at_work(self, execution: Execution, agent: Agent) -> None:
        with self._lifecycle.at_work(agent):
            await execution.run()

    def _plugins_of(self, app: ServedApp, run: Run) -> tuple[Plugin, ...]:
        """Return the run's plugins; those of a name that this server does not have (any more) are left out."""
        try:
            return app.plugins_of(run.input.options)
        except InvalidRequestError as error:
            _logger.warning("run %s: %s", run.key.request_id, error)
            return app.plugins.always

    def _ended(self, live: LiveRun, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("run %s was dropped", live.run.key.request_id, exc_info=error)
        if self._live.get(live.run.key) is live:
            del self._live[live.run.key]
        for other in self._live.values():
            if other.run.session == live.run.session:
                other.nudge()

    async def cancel(self, key: RunKey, request: CancelRequest) -> tuple[Run | None, bool]:
        """Ask the run to stop. Return it, or None when it is not known yet, and whether that changed anything."""
        now = self._settings.clock()
        run, is_changed = await self._store.request_cancel(
            key, request, now=now, remember_until=now + _CANCEL_MEMORY
        )
        live = self._live.get(key)
        if live is not None:
            live.cancel(request)
        if run is not None and run.state is RunState.WAITING and self.may_take(run):
            run = await self._supervisor.finish("cancel-waiting", self.continue_run(run)) or run
        return run, is_changed

    def take_mail(self, runs: list[Run]) -> None:
        """Hand cancels and mail that other replicas wrote to this one's runs."""
        for run in runs:
            live = self._live.get(run.key)
            if live is not None:
                live.note_mail(run.mail)
                if run.cancel is not None:
                    live.cancel(run.cancel)

    async def drain(self, timeout_seconds: float) -> None:
        """Refuse new runs, send followers away, and give live runs that long; what is left then is cancelled.

        Followers that come back meanwhile are served to the end. Idempotent.
        """
        self._draining = True
        for live in list(self._live.values()):
            live.tail.wake()
        await self._emptied(timeout_seconds)
        for live in list(self._live.values()):
            live.request_stop(Stop(Outcome.CANCELLED, "draining", "the server shuts down"))
        await self._emptied(self._settings.cancel_grace_seconds + 2.0)

    async def _emptied(self, seconds: float) -> None:
        """Wait until no run is live, or that time is over."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while self._live and (left := deadline - clock()) > 0:
            tail = next(iter(self._live.values())).tail
            await tail.wait(min(max(left, 0.01), 0.1))
