"""What replicas need to know of each other, and what is swept when one of them has died."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import NOBODY, Run, RunState
from runwire_server.domain.state import Tier
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.appends import RedisAppends
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import (
    RUN_INDEXES,
    Index,
    names_of,
    pack,
    span_micros,
    to_micros,
    unpack,
)
from runwire_server.storage.redis.records import run_of, session_of
from runwire_server.storage.redis.runs import run_id, run_root
from runwire_server.storage.redis.site import STALE_MICROS

_POLL_SECONDS = 0.1
_CHUNK = 200
_DIRTY_MAX = 100
# Most sessions are clean again before anybody looks.
_BUSY_MICROS = 5_000_000


class RedisReplicas(RedisAppends):
    """The part of the store that is about replicas, retention and sweeping."""

    # Leases

    async def renew_lease(self, replica: ReplicaId, *, ttl_seconds: float) -> None:
        """See storage.port.LiveStore."""
        words = [self._lease_clock(), replica, int(ttl_seconds * 1_000_000)]
        await self._database.call(Call(scripts.LEASE_RENEW, [self._site.keys.leases], words))

    async def release_lease(self, replica: ReplicaId) -> None:
        """See storage.port.LiveStore."""
        await self._database.call(Call("ZREM", [self._site.keys.leases], [replica]))

    def _lease_clock(self) -> str:
        return str(self._site.now_micros()) if self._site.has_clock else ""

    # Runs

    async def list_orphans(self, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore. Also finishes what dead writers left."""
        await self._sweep_dirty()
        leases = Call(scripts.LEASE_LIST, [self._site.keys.leases], [self._lease_clock()])
        alive = set(await self._database.call(leases))
        found: list[Run] = []
        index, after = self._site.keys.index(Index.LIVE), "-inf"
        while len(found) < limit:
            time, entries = await self._site.hints(index, low=after, limit=_CHUNK)
            runs = await self._runs_of([member for member, _ in entries])
            await self._repair_due(runs)
            for (member, score), run in zip(entries, runs, strict=True):
                if run is None:
                    if score < time - STALE_MICROS:
                        await self._give_up(member, score)
                elif run.state.is_terminal:
                    await self._settle(member, run)
                elif run.owner not in {NOBODY, *alive}:
                    found.append(run)
            if len(entries) < _CHUNK:
                break
            after = f"({entries[-1][1]}"
        return found[:limit]

    async def _repair_due(self, runs: Sequence[Run | None]) -> None:
        """Say again when runs are due that wait: who wrote that may have died before it was said for good."""
        site = self._site
        waiting = {
            pack(*names_of(run.session), run.key.request_id): (run, run.due_time)
            for run in runs
            if run is not None and run.state is RunState.WAITING and run.due_time is not None
        }
        if not waiting:
            return
        scores = await self._database.call(Call("ZMSCORE", [site.keys.index(Index.WAITING)], list(waiting)))
        late = [
            site.due_run(run, due_time)
            for (run, due_time), score in zip(waiting.values(), scores, strict=True)
            if score is None or float(score) > to_micros(due_time)
        ]
        await self._database.in_order(late)

    async def list_due(self, now: datetime, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore. Also puts right what the index has wrong."""
        cancelled = await self._marked(
            Index.CANCELS, limit, lambda run: run.state is RunState.WAITING and run.cancel is not None
        )
        found = {run.key: run for run in cancelled}
        site, left, kept = self._site, limit, 0
        index, high = site.keys.index(Index.WAITING), str(to_micros(now))
        while left > 0:
            _, entries = await site.hints(index, high=high, limit=_CHUNK, offset=kept)
            runs = await self._runs_of([member for member, _ in entries])
            wrong: list[Call] = []
            for (member, score), run in zip(entries, runs, strict=True):
                if run is None or run.state is not RunState.WAITING or run.due_time is None:
                    wrong.append(site.drop_hint(index, member, score))
                elif run.due_time > now:
                    moved = [member, score, to_micros(run.due_time)]
                    wrong.append(Call(scripts.HINT_MOVE, [index], moved))
                else:
                    found[run.key] = run
                    left -= 1
            # One that was said again meanwhile stays for the next time.
            kept += len(entries) - sum(await self._database.in_order(wrong))
            if len(entries) < _CHUNK:
                break
        return sorted(found.values(), key=lambda run: run.due_time or now)[:limit]

    async def list_with_mail(self, owner: ReplicaId, *, limit: int) -> list[Run]:
        """See storage.port.LiveStore."""
        cancelled = await self._marked(
            Index.CANCELS, limit, lambda run: run.owner == owner and run.cancel is not None
        )
        written_to = await self._marked(
            Index.MAIL, limit, lambda run: run.owner == owner and run.mail.version > 0
        )
        return list({run.key: run for run in (*cancelled, *written_to)}.values())[:limit]

    async def _marked(self, which: Index, limit: int, is_wanted: Callable[[Run], bool]) -> list[Run]:
        """Return runs of an index that have not ended and are wanted, those first that came into it first."""
        found: list[Run] = []
        index, after = self._site.keys.index(which), "-inf"
        while len(found) < limit:
            time, entries = await self._site.hints(index, low=after, limit=_CHUNK)
            runs = await self._runs_of([member for member, _ in entries])
            for (member, score), run in zip(entries, runs, strict=True):
                if run is None or run.state.is_terminal:
                    # Not at once: the run may be about to be made, or what is said of it to be written.
                    if score < time - STALE_MICROS:
                        await self._database.call(self._site.drop_hint(index, member, score))
                elif is_wanted(run):
                    found.append(run)
            if len(entries) < _CHUNK:
                break
            after = f"({entries[-1][1]}"
        return found[:limit]

    async def _runs_of(self, members: Sequence[str]) -> list[Run | None]:
        """Return the runs that members of an index name."""
        calls = [self._row_call(*_places(member)) for member in members]
        return [None if row[0] is None else run_of(row) for row in await self._database.in_order(calls)]

    async def _settle(self, member: str, run: Run) -> None:
        """Move a run that has ended to where retention finds it: its writer died before it could."""
        site = self._site
        ended = [to_micros(run.end_time or run.create_time), member]
        await self._database.in_order(
            [Call("ZADD", [site.keys.index(Index.ENDED)], ended)],
            [Call("ZREM", [site.keys.index(index)], [member]) for index in RUN_INDEXES],
        )

    async def _give_up(self, member: str, score: int) -> None:
        """End a creation that nobody finished, of which nobody has been told."""
        key, session = _places(member)
        pointer = await self._pointer(key)
        if pointer is not None and pointer.session == session:
            # The token is refused first: whoever stalled in the middle makes no run without a pointer.
            refuse = self._site.of_session(scripts.RUN_REFUSE, session, run_id(key), pointer.token)
            if not await self._database.call(refuse):
                return
            await self._free(key, pointer.token)
        await self._unlist(key, session, score)

    async def _unlist(self, key: RunKey, session: SessionKey, live_score: int | None) -> None:
        """Take a run that is gone out of the indexes, unless one of its name was made again."""
        site = self._site
        app_member = pack(session.user_id, session.session_id, key.request_id)
        app_index = site.keys.app_runs(key.app_name)
        score = await self._database.call(Call("ZSCORE", [app_index], [app_member]))
        if await self._pointer(key) is not None:
            return
        drops = [] if score is None else [site.drop_hint(app_index, app_member, int(float(score)))]
        if live_score is not None:
            member = pack(*names_of(session), key.request_id)
            drops.append(site.drop_hint(site.keys.index(Index.LIVE), member, live_score))
        await self._database.in_order(drops)

    async def delete_runs_ended_before(self, end_time: datetime, *, limit: int) -> int:
        """See storage.port.RunStore."""
        index, before = self._site.keys.index(Index.ENDED), to_micros(end_time)
        count = 0
        while count < limit:
            _, entries = await self._site.hints(index, high=f"({before}", limit=min(limit - count, _CHUNK))
            if not entries:
                break
            for member, score in entries:
                if await self._delete_run(member, before):
                    count += 1
                await self._database.call(self._site.drop_hint(index, member, score))
        return count

    async def _delete_run(self, member: str, before: int) -> bool:
        """Delete a run that has ended. Its pointer no longer says how to make it; it goes last."""
        site = self._site
        key, session = _places(member)
        pointer = await self._pointer(key)
        pair = [site.keys.pointer(key), site.keys.mark(key)]
        if pointer is not None and pointer.session == session and pointer.run is not None:
            await self._database.call(Call(scripts.POINTER_STRIP, pair, [pointer.token]))
        delete = site.of_session(scripts.RUN_DELETE, session, run_id(key), before)
        is_deleted = await self._database.call(delete)
        if is_deleted < 0:
            return False
        if pointer is not None and pointer.session == session:
            await self._free(key, pointer.token)
        await self._unlist(key, session, None)
        return bool(is_deleted)

    async def wait(self, key: RunKey, *, after: int, timeout_seconds: float) -> None:
        """See storage.port.LiveStore. The writer may be another process, so this looks again and again."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        session, row = await self._locate(key)
        if session is None or row is None:
            return
        look = Call("HGET", [run_root(self._site, key, session)], ["last"])
        while (last := await self._database.call(look)) is not None and int(last) <= after:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _POLL_SECONDS))

    # Sweeping

    async def clean_up(self, *, limit: int) -> int:
        """See storage.port.SessionStore."""
        await self._sweep_dirty()
        index, count = self._site.keys.index(Index.DUE), 0
        while count < limit:
            high = str(self._site.now_micros())
            _, entries = await self._site.hints(index, high=high, limit=min(limit, _CHUNK))
            if not entries:
                break
            for member, score in entries:
                if count >= limit:
                    break
                tier, *names = unpack(member)
                key = SessionKey(*[*names, "", ""][:3])
                if tier == Tier.SESSION.value:
                    swept, again = await self._sweep_session(key, limit - count)
                else:
                    swept, again = await self._sweep_tier(key, Tier(tier))
                count += swept
                await self._come_again(index, member, score, again)
        return count

    async def _come_again(self, index: str, member: str, score: int, again: str) -> None:
        if not again:
            call = self._site.drop_hint(index, member, score)
        else:
            call = Call(scripts.HINT_MOVE, [index], [member, score, again])
        await self._database.call(call)

    async def _sweep_session(self, key: SessionKey, limit: int) -> tuple[int, str]:
        kept = span_micros(self._site.retention.deleted_ttl)
        sweep = self._site.of_session(scripts.SESSION_SWEEP, key, kept, limit)
        count, again, is_live = await self._database.call(sweep)
        if not is_live:
            await self._forget(key)
        return count, again

    async def _sweep_tier(self, key: SessionKey, tier: Tier) -> tuple[int, str]:
        state = self._site.keys.state(key, tier)
        count, again = await self._database.call(Call(scripts.TIER_SWEEP, [state], [self._site.now_micros()]))
        return count, again

    async def _sweep_dirty(self) -> None:
        """Finish what writers of several steps left who died: outboxes, and entries in lists."""
        site = self._site
        index = site.keys.index(Index.DIRTY)
        time, entries = await site.hints(index, limit=_DIRTY_MAX)
        for member, score in entries:
            if score > time - _BUSY_MICROS:
                break
            key = SessionKey(*unpack(member))
            await self._tiers.deliver_all(key)
            answer = await self._database.call(site.of_session(scripts.SESSION_READ, key))
            if len(answer) > 1:
                session = session_of(key, answer[1])
                due = site.due(session.expiry.time, Tier.SESSION.value, *names_of(key))
                await self._database.in_order([*site.listed(key, session.update_time), *due])
            if score < time - STALE_MICROS:
                await self._database.call(site.drop_hint(index, member, score))

    async def check(self) -> None:
        """See storage.port.Store."""
        await self._database.call(Call("EXISTS", [self._site.keys.leases]))


def _places(member: str) -> tuple[RunKey, SessionKey]:
    app_name, user_id, session_id, request_id = unpack(member)
    return RunKey(app_name, request_id), SessionKey(app_name, user_id, session_id)
