"""What a replica does beside its runs: keep its lease, take cancels from others, close what the dead left open."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from runwire_server.domain.errors import FencedError, NotFoundError, RunwireError, UnavailableError
from runwire_server.domain.ids import ReplicaId, RunKey
from runwire_server.domain.runs import Outcome, Run, RunError, RunState
from runwire_server.runner.ending import Ending, ending_of_stop
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import LiveRun, Stop
from runwire_server.runner.runner import Runner
from runwire_server.runner.supervisor import Supervisor
from runwire_server.storage.port import Store

_logger = logging.getLogger(__name__)
_BATCH = 100
# Those that cannot go on here, because this server does not have their agent, must not hide the others.
_DUE_BATCH = 1000
_MAIL_POLL_SECONDS = 1.0
_RETENTION_POLL_SECONDS = 300.0
_CLEANUP_JITTER = 0.1
_FIRST_CLEANUP_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSettings:
    """`lease_ttl_seconds` is how long after its last sign of life a replica counts as dead.

    `cleanup_interval_seconds` is how long between two looks for what the store need not keep any longer.
    """

    replica: ReplicaId
    clock: Callable[[], datetime]
    lease_ttl_seconds: float = 10.0
    run_retention: timedelta = timedelta(hours=24)
    cleanup_interval_seconds: float = 300.0


class Keeper:
    """The background work of one replica."""

    def __init__(
        self, store: Store, runner: Runner, supervisor: Supervisor, settings: KeeperSettings
    ) -> None:
        self._store = store
        self._runner = runner
        self._supervisor = supervisor
        self._settings = settings
        # Runs that this keeper began to close, until it has.
        self._unclosed: dict[RunKey, Run] = {}

    async def start(self) -> None:
        """Take the lease, and begin. Raises: UnavailableError."""
        await self._renew()
        ttl = self._settings.lease_ttl_seconds
        for name, work, interval in (
            ("lease", self._renew, ttl / 3),
            ("mail", self._take_mail, _MAIL_POLL_SECONDS),
            ("waiting", self.look_at_waiting, _MAIL_POLL_SECONDS),
            ("orphans", self.close_orphans, ttl / 2),
            ("retention", self._retain, _RETENTION_POLL_SECONDS),
        ):
            self._supervisor.spawn(f"keeper-{name}", self._every(interval, name, work))
        self._supervisor.spawn("keeper-cleanup", self._clean_up_for_ever())

    async def stop(self) -> None:
        """Give the lease back, so that others need not wait for its end."""
        try:
            await self._store.release_lease(self._settings.replica)
        except UnavailableError as error:
            _logger.warning("could not give the lease back: %s", error)

    async def _every(self, seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._try(seconds, name, work)
            await asyncio.sleep(seconds)

    async def _clean_up_for_ever(self) -> None:
        """Like _every, at times that differ between replicas that started together."""
        seconds = self._settings.cleanup_interval_seconds
        await asyncio.sleep(random.uniform(0.0, min(seconds, _FIRST_CLEANUP_SECONDS_MAX)))  # noqa: S311
        while True:
            await self._try(seconds, "cleanup", self._clean_up)
            spread = random.uniform(1 - _CLEANUP_JITTER, 1 + _CLEANUP_JITTER)  # noqa: S311 -- no secret
            await asyncio.sleep(seconds * spread)

    async def _try(self, seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except RunwireError as error:
            _logger.warning("%s: %s; trying again in %.1f s", name, error, seconds)
        except Exception:
            # Without its keeper a replica would lose its lease, and with that its runs.
            _logger.exception("%s failed; trying again in %.1f s", name, seconds)

    async def _renew(self) -> None:
        await self._store.renew_lease(self._settings.replica, ttl_seconds=self._settings.lease_ttl_seconds)

    async def _take_mail(self) -> None:
        if self._runner.live_count:
            # Those that it owns are those that are live here, and some that have just ended.
            limit = self._runner.live_count + _BATCH
            runs = await self._store.list_with_mail(self._settings.replica, limit=limit)
            self._runner.take_mail(runs)

    async def look_at_waiting(self) -> None:
        """Let runs go on that were answered, and end those whose wait is over or that were cancelled."""
        now = self._settings.clock()
        for run in await self._store.list_due(now, limit=_DUE_BATCH):
            if self._runner.live_run(run.key) is not None or not self._runner.may_take(run):
                continue
            try:
                if self._runner.has_agent(run):
                    await self._runner.continue_run(run)
                elif run.cancel is not None or run.waits_in_vain(now):
                    # To end it takes no agent. It would wait, and block its session, for ever.
                    await self._end_waiting(run)
            except (UnavailableError, NotFoundError) as error:
                # With several stores only one may be away: the other runs are looked at all the same.
                _logger.warning("run %s waits: %s", run.key.request_id, error)

    async def _end_waiting(self, run: Run) -> None:
        """End a run that waits and cannot go on, because no server that looked at it has its agent any more."""
        settings = self._settings
        claimed = await self._store.claim_run(
            run.key, settings.replica, attempt=run.attempt, now=settings.clock(), in_turn=run.waits_its_turn
        )
        if claimed is None:
            return
        if claimed.cancel is not None:
            ending = ending_of_stop(Stop(Outcome.CANCELLED, "cancelled", claimed.cancel.reason))
        elif claimed.has_news:
            error = RunError("run_error", "the agent of the run is gone", "AGENT_NOT_FOUND")
            ending = Ending(Outcome.FAILED, "error", error=error)
        else:
            ending = ending_of_stop(Stop(Outcome.TIMED_OUT, "waiting_timeout"))
        try:
            await self._end(claimed, ending)
        except (FencedError, NotFoundError):
            _logger.info("run %s was taken by another replica", run.key.request_id)

    async def _retain(self) -> None:
        before = self._settings.clock() - self._settings.run_retention
        while await self._store.delete_runs_ended_before(before, limit=_BATCH) == _BATCH:
            continue

    async def _clean_up(self) -> None:
        count = found = await self._store.clean_up(limit=_BATCH)
        while found >= _BATCH:
            found = await self._store.clean_up(limit=_BATCH)
            count += found
        if count:
            _logger.info("cleaned up %d sessions, states and events that need not be kept", count)

    async def close_orphans(self) -> None:
        """Close the logs of runs whose replica is dead, with outcome LOST.

        Oldest first, so that a session's queue is closed in order. What another replica takes first is left to it.
        """
        # When the store was away for longer than the lease, this replica's own runs would be among them. Of several
        # stores one may still be away.
        try:
            await self._renew()
        except UnavailableError as error:
            _logger.warning("lease: %s", error)
        orphans = {run.key: run for run in await self._store.list_orphans(limit=_BATCH)}
        for run in {**orphans, **self._unclosed}.values():
            if self._runner.live_run(run.key) is not None:
                continue
            try:
                if run.state is RunState.WAITING:
                    # Its replica died between taking it and going on with it.
                    await self._runner.continue_run(run)
                else:
                    await self._close(run)
            except (FencedError, NotFoundError):
                _logger.info("run %s was taken by another replica", run.key.request_id)
            self._unclosed.pop(run.key, None)

    async def _close(self, run: Run) -> None:
        claimed = await self._claim(run)
        if claimed is None:
            return
        _logger.warning("run %s is lost: replica %s died", run.key.request_id, run.owner)
        error = RunError("run_error", "the server that ran it died", "REPLICA_LOST", retryable=True)
        await self._end(claimed, Ending(Outcome.LOST, "replica_lost", error=error))

    async def _end(self, claimed: Run, ending: Ending) -> None:
        """Close the log of a run that nobody works on. Raises: FencedError, NotFoundError, UnavailableError."""
        settings = self._settings
        live = LiveRun(claimed, reattach_grace_seconds=settings.lease_ttl_seconds)
        journal = Journal(self._store, live, self._supervisor, settings.clock)
        try:
            await self._recall(journal)
            await ending.write(journal)
        finally:
            live.close()

    async def _recall(self, journal: Journal) -> None:
        """Find out which tool calls the dead left open."""
        after = 0
        while events := await self._store.list_run_events(journal.run.key, after=after, limit=_BATCH):
            for event in events:
                journal.rounds.note(event.branch, event.payload)
            after = events[-1].sequence

    async def _claim(self, run: Run) -> Run | None:
        """Take an orphan. One that was taken before, but could not be closed, is no orphan any more."""
        replica = self._settings.replica
        if run.key in self._unclosed:
            stored = await self._store.get_run(run.key)
            if stored.owner == replica:
                return None if stored.state.is_terminal else stored
        self._unclosed[run.key] = run
        return await self._store.claim_run(
            run.key,
            replica,
            attempt=run.attempt,
            now=self._settings.clock(),
            in_turn=run.waits_its_turn,
        )
