"""Asynchronous persistence: a store that acknowledges the events of a run before they are durable. Opt-in.

What is deferred is a run's own progress: an append that continues, in the same attempt and the same state, where this
store's last append of that run ended. Everything else is written through, after all that is queued of its session:
a run's first append, a change of its state, its completion, what a run that waits writes, what reads its mail;
sessions, state, tracks, claims, cancels, mail. So are session
events, tracks and state from outside a run: their answers (a position, the merged state) only the store knows, and an
answer is a promise.

What is relaxed is ARCHITECTURE's invariant 5 (persist before emit), and only for the middle of a run. Exactly:

- A kill -9 loses at most what is queued: `workers` times `depth_max` appends. While the store answers they are as old
  as its answers are slow; while it does not, none grows older than `retry_seconds` and one try. A follower may then
  have seen events that are gone, and may see others with the same numbers; after a position beyond the new end of the
  log, Attach says OUT_OF_RANGE. Other replicas see a run's events when they are durable, which is that much later.
- It never loses the end of a run that a client saw: a completion is acknowledged once it and all before it are
  durable. Nor a run's beginning, with the user's message.
- It never makes a gap: each run's appends are written in order, and when one is given up, nothing after it is
  written. The log is a prefix of what was shown.
- Nothing is dropped in silence. A full queue makes writers wait, then fails them with NoRoomError. A write
  that is given up is logged and counted, and its run fails: its next append raises WritesLostError, and only one that
  ends it FAILED is taken, at the end of the log as it is stored. A run that was taken by another replica, or deleted,
  raises FencedError at its next append.
- This replica reads its own writes: reads wait for what is queued of the same session or run, and of the app's shared
  state. What two runs write into shared state of an app or a user is merged, in either order.
"""

import asyncio
import logging
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from runwire_server.domain.errors import (
    FencedError,
    NotFoundError,
    RunwireError,
    UnavailableError,
    WritesLostError,
)
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Outcome, Run, RunState
from runwire_server.domain.state import Tier, split_delta
from runwire_server.storage.forwarding import ForwardingStore
from runwire_server.storage.port import Append, Page, Store
from runwire_server.storage.uncertain import append_again, append_at_the_end
from runwire_server.storage.write_queue import QueuedWrite, WriteQueue
from runwire_server.telemetry.metrics import Metrics

_logger = logging.getLogger(__name__)
_DELAY_SECONDS_FIRST = 0.05
_DELAY_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredSettings:
    """`depth_max` is per worker. `retry_seconds` count from when a write was accepted.

    `wait_seconds` is how long a caller waits for room, or for what is queued before what it asked for.
    """

    workers: int = 4
    depth_max: int = 1000
    retry_seconds: float = 60.0
    wait_seconds: float = 10.0


@dataclass(slots=True)
class _Head:
    """Where this store's writes of a run end, and what became of them."""

    attempt: int
    state: RunState
    last_sequence: int
    newest: QueuedWrite | None = None
    failure: RunwireError | None = None
    is_told: bool = False


class DeferredStore(ForwardingStore):
    """See storage.port.Store, and above. Owns `inner`. `name` tells several in one process apart in metrics."""

    def __init__(
        self,
        inner: Store,
        settings: DeferredSettings | None = None,
        metrics: Metrics | None = None,
        *,
        name: str = "",
    ) -> None:
        self._inner = inner
        self._settings = settings or DeferredSettings()
        self._metrics = metrics or Metrics()
        self._queues: list[WriteQueue] = []
        for number in range(self._settings.workers):
            label = f"{name}-{number}" if name else str(number)
            queue = WriteQueue(label, self._persist, depth_max=self._settings.depth_max)
            self._queues.append(queue)
            self._metrics.watch_queue(label, lambda q=queue: q.depth, lambda q=queue: q.oldest_at)  # type: ignore[misc]
        self._heads: dict[RunKey, _Head] = {}
        self._newest: dict[SessionKey, QueuedWrite] = {}
        self._shared: dict[str, set[QueuedWrite]] = {}
        self._lost_count = 0
        self._is_closing = False

    @property
    def kind(self) -> str:
        """See storage.port.Store."""
        return self._inner.kind

    # Appends

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore, and above what is different. Raises also: NoRoomError."""
        self._refuse_when_closing()
        while (head := self._head(write)) is not None and _continues(write, head):
            queue = self._queues[hash(write.run.session) % len(self._queues)]
            await queue.reserve(self._settings.wait_seconds)
            # Waiting for room takes time: what was true before may not be now.
            if self._is_closing or self._head(write) is not head or not _continues(write, head):
                queue.give_back()
                self._refuse_when_closing()
                continue
            self._accept(queue, head, write)
            return
        await self._write_through(write)

    def _head(self, write: Append) -> _Head | None:
        head = self._heads.get(write.run.key)
        return head if head is not None and head.attempt == write.run.attempt else None

    def _refuse_when_closing(self) -> None:
        if self._is_closing:
            raise UnavailableError("the store is closed")

    def _accept(self, queue: WriteQueue, head: _Head, write: Append) -> None:
        item = QueuedWrite(write)
        head.last_sequence, head.newest = write.run.last_sequence, item
        self._newest[write.run.session] = item
        if write.state_delta and split_delta(write.state_delta).keys() - {Tier.SESSION}:
            self._shared.setdefault(write.run.key.app_name, set()).add(item)
        queue.add(item)

    async def _write_through(self, write: Append) -> None:
        key = write.run.key
        head = self._head(write)
        # A completion is worth waiting for as long as what is before it may still be written.
        is_last = write.run.state.is_terminal
        await self._settled(
            self._before(write.run.session), self._settings.retry_seconds if is_last else None
        )
        if head is not None and head.failure is not None and self._head(write) is head:
            await self._write_after_failure(head, head.failure, write)
            return
        try:
            await self._inner.append(write)
        except (FencedError, NotFoundError):
            self._drop(key, head)
            raise
        if is_last:
            self._drop(key, head)
        else:
            self._heads[key] = _Head(write.run.attempt, write.run.state, write.run.last_sequence)

    def _drop(self, key: RunKey, head: _Head | None) -> None:
        if head is not None and self._heads.get(key) is head:
            del self._heads[key]

    async def _write_after_failure(self, head: _Head, failure: RunwireError, write: Append) -> None:
        key = write.run.key
        if isinstance(failure, FencedError):
            self._drop(key, head)
            raise FencedError(*failure.args)
        if not (head.is_told and write.run.outcome is Outcome.FAILED):
            head.is_told = True
            raise WritesLostError(*failure.args)
        try:
            await append_at_the_end(self._inner, write)
        except (FencedError, NotFoundError):
            self._drop(key, head)
            raise
        self._drop(key, head)

    # Workers

    async def _persist(self, item: QueuedWrite) -> None:
        """Write it, or give it up. Never raises Exception."""
        write = item.write
        head = self._head(write)
        try:
            if head is None or head.failure is not None:
                self._count_lost(1)
            elif (failure := await self._try_to_write(item)) is not None:
                head.failure = failure
                self._count_lost(1)
        finally:
            self._forget(item)

    def _forget(self, item: QueuedWrite) -> None:
        run = item.write.run
        if self._newest.get(run.session) is item:
            del self._newest[run.session]
        shared = self._shared.get(run.key.app_name)
        if shared is not None:
            shared.discard(item)
            if not shared:
                del self._shared[run.key.app_name]
        head = self._heads.get(run.key)
        if head is not None and head.newest is item:
            head.newest = None

    async def _try_to_write(self, item: QueuedWrite) -> RunwireError | None:
        """Write it, again and again while the store cannot. Return why it was given up."""
        name = item.write.run.key.request_id
        delay = _DELAY_SECONDS_FIRST
        is_again = False
        while True:
            try:
                if is_again:
                    await append_again(self._inner, item.write)
                else:
                    await self._inner.append(item.write)
            except UnavailableError as error:
                left = self._settings.retry_seconds - (time.monotonic() - item.accepted_at)
                if left <= 0:
                    _log_lost(item, str(error))
                    return _lost(name)
                self._metrics.writes_retried.inc()
                await asyncio.sleep(min(delay * random.uniform(0.5, 1.0), left))  # noqa: S311 -- no secret
                delay = min(delay * 2, _DELAY_SECONDS_MAX)
                is_again = True
            except (FencedError, NotFoundError) as error:
                _logger.warning("run %s: its events from %d on are refused: %s", name, _first(item), error)
                return FencedError(str(error))
            except Exception:
                _logger.exception("run %s: its events from %d on are lost", name, _first(item))
                return _lost(name)
            else:
                return None

    def _count_lost(self, count: int) -> None:
        self._lost_count += count
        self._metrics.writes_lost.inc(count)

    # Reads, and writes that are not deferred

    def _before(self, key: SessionKey) -> list[QueuedWrite]:
        """Return what must be settled before the session is read or written."""
        newest = self._newest.get(key)
        shared = self._shared.get(key.app_name, ())
        return [*shared, *(() if newest is None else (newest,))]

    async def _settled(self, items: Iterable[QueuedWrite], timeout_seconds: float | None = None) -> None:
        futures = {item.done for item in items}
        if not futures:
            return
        timeout = self._settings.wait_seconds if timeout_seconds is None else timeout_seconds
        _, left = await asyncio.wait(futures, timeout=timeout)
        if left:
            raise UnavailableError("the store is behind: earlier writes are not durable yet")

    async def _at_app(self, app_name: str, user_id: str = "") -> Store:
        found = [
            item
            for key, item in self._newest.items()
            if key.app_name == app_name and user_id in {"", key.user_id}
        ]
        await self._settled([*found, *self._shared.get(app_name, ())])
        return self._inner

    async def _at_session(self, key: SessionKey) -> Store:
        await self._settled(self._before(key))
        return self._inner

    async def _at_run(self, key: RunKey) -> Store:
        head = self._heads.get(key)
        if head is not None and head.newest is not None:
            await self._settled([head.newest])
        return self._inner

    async def claim_run(
        self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        """See storage.port.RunStore."""
        run = await super().claim_run(key, owner, attempt=attempt, now=now, in_turn=in_turn)
        if run is not None:
            self._heads.pop(key, None)
        return run

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """See storage.port.RunStore."""
        return await self._inner.delete_runs_ended_before(end_time, limit=limit)

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """See storage.port.LiveStore."""
        await self._inner.wait(key, after=after, timeout_seconds=timeout_seconds)

    async def clean_up(self, *, limit: int) -> int:
        """See storage.port.SessionStore."""
        return await self._inner.clean_up(limit=limit)

    async def list_owners(self, tier: Tier, *, limit: int, cursor: str | None = None) -> Page[SessionKey]:
        """See storage.port.CopyStore."""
        await self._settled(self._newest.values())
        return await self._inner.list_owners(tier, limit=limit, cursor=cursor)

    # Replicas

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """See storage.port.LiveStore. Waits for nothing: a store that is slow must not cost the lease."""
        await self._inner.renew_lease(replica, ttl_seconds=ttl_seconds)

    async def release_lease(self, replica: ReplicaId) -> None:
        """See storage.port.LiveStore. Others take the replica's runs from then on, so all is written before."""
        await self._settled(self._newest.values())
        await self._inner.release_lease(replica)

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._inner.list_orphans(limit=limit)

    async def list_due(self, now: datetime, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore. Nothing of a run that waits is queued."""
        return await self._inner.list_due(now, limit=limit)

    async def list_with_mail(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        return await self._inner.list_with_mail(owner, limit=limit)

    # The store itself

    async def check(self) -> None:
        """See storage.port.Store."""
        await self._inner.check()

    async def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until all that is queued now is durable; without a time for as long as it may be retried.

        Raises: UnavailableError when that takes longer, or when writes were given up meanwhile.
        """
        lost_before = self._lost_count
        timeout = self._settings.retry_seconds if timeout_seconds is None else timeout_seconds
        await self._settled(self._newest.values(), timeout)
        if lost := self._lost_count - lost_before:
            raise UnavailableError(f"{lost} accepted writes were lost")
        await self._inner.flush()

    async def close(self) -> None:
        """Write what is queued, as long as it may be retried, then close the store. Idempotent."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            await self.flush()
        except UnavailableError as error:
            _logger.warning("closing the store: %s", error)
        finally:
            for queue in self._queues:
                for item in await queue.close():
                    _log_lost(item, "the server stops")
                    self._count_lost(1)
                    self._forget(item)
            await self._inner.close()


def _continues(write: Append, head: _Head) -> bool:
    """Whether the write only adds to what this store wrote, so that nobody else need see it at once."""
    # Others look at the mail of a run, and at when one that waits is due.
    concerns_others = write.mail_version is not None or write.run.state is RunState.WAITING
    is_next = (write.after, write.run.state) == (head.last_sequence, head.state)
    return is_next and not concerns_others and head.failure is None


def _first(item: QueuedWrite) -> int:
    return item.write.after + 1


def _log_lost(item: QueuedWrite, why: str) -> None:
    _logger.error(
        "run %s: its events from %d on are lost: %s", item.write.run.key.request_id, _first(item), why
    )


def _lost(name: str) -> WritesLostError:
    return WritesLostError(f"events of run {name!r} could not be stored")
