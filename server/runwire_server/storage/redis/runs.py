"""Runs: making, reading, listing, cancelling and claiming them.

A run is made in three steps. The pointer in the slot of its request id is written first, with all of the run; then
the indexes; then the run in its session's slot. Whoever finds a pointer whose run has not been made finishes that or,
when it is old, gives it up (replicas.py); lua/run_create.lua tells exactly one caller that the run is new.
"""

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runwire_server.domain.errors import NotFoundError
from runwire_server.domain.events import Event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import RunMail
from runwire_server.domain.record import replace
from runwire_server.domain.runs import CancelMode, CancelRequest, Run, busy_session
from runwire_server.storage.codec import decode_event, decode_run, encode_input, encode_record, encode_run
from runwire_server.storage.cursor import make_cursor, parse_cursor
from runwire_server.storage.port import Page, RunFilter
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.conversation import RedisConversation
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import (
    Index,
    from_micros,
    hash_names,
    names_of,
    pack,
    to_micros,
    unpack,
)
from runwire_server.storage.redis.records import cancel_of, mail_words, run_of, time_word
from runwire_server.storage.redis.site import Site
from runwire_server.storage.redis.tiers import Conflicts

_ROW = ("record", "fingerprint", "input", "mode", "reason", "version", "mail", "due")
_PLACES_MAX = 10_000
_CHUNK = 200
# What lua/run_create.lua answers to who is refused.
_NO_SESSION, _BUSY = -1, -2
_MARK_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a run is. `run` is what it shall be, until it has been made, and `must_be_first` as in create_run."""

    token: str
    session: SessionKey
    run: Run | None
    must_be_first: bool


class RedisRuns(RedisConversation):
    """The part of the store that is about runs."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._places: OrderedDict[RunKey, SessionKey] = OrderedDict()

    # Making

    async def make_run(self, run: Run, *, must_be_first: bool) -> tuple[Run, bool]:
        """Make a run in a session that is there. See storage.port.RunStore.create_run."""
        keys = [self._site.keys.pointer(run.key), self._site.keys.mark(run.key)]
        names = pack(*names_of(run.session))
        while True:
            # A new token in every round: one that was refused never makes a run.
            words = [secrets.token_hex(12), names, encode_run(run), to_micros(run.create_time)]
            take = Call(scripts.POINTER_TAKE, keys, [*words, "1" if must_be_first else ""])
            is_mine, *fields = await self._database.call(take)
            pointer = _pointer(fields)
            if pointer.run is None:
                found = await self._row(run.key, pointer.session)
                if found is not None:
                    return run_of(found), False
                await self._free(run.key, pointer.token)
                continue
            if pointer.run.fingerprint != run.fingerprint:
                # Somebody else's request, who is at it just now. This one will be refused.
                return await self._stored(pointer) or pointer.run, False
            planned = pointer.run if is_mine else replace(pointer.run, owner=run.owner)
            # Who must be first does not get as new what somebody else made without looking for others.
            is_worker = bool(is_mine) or pointer.must_be_first or not must_be_first
            answer = await self._finish(replace(pointer, run=planned), is_worker=is_worker)
            if answer[0] >= 0:
                return run_of(answer[1:]), answer[0] == 1
            if pointer.session != run.session:
                continue
            if answer[0] == _NO_SESSION:
                raise NotFoundError("session", run.session.session_id)
            if answer[0] == _BUSY and must_be_first:
                raise busy_session(decode_run(answer[1]).key)

    async def _stored(self, pointer: Pointer) -> Run | None:
        row = await self._row(pointer.run.key, pointer.session) if pointer.run is not None else None
        return None if row is None else run_of(row)

    async def _finish(self, pointer: Pointer, *, is_worker: bool) -> list[Any]:
        """Make the run of a pointer, unless it is there. Return what lua/run_create.lua says.

        When that refuses, the pointer is gone, too.
        """
        site, run = self._site, pointer.run
        assert run is not None  # noqa: S101 -- callers look
        member = (*names_of(pointer.session), run.key.request_id)
        hints = [site.hint(Index.LIVE, *member), self._listed_run(run)]
        if run.cancel is not None:
            hints.append(site.hint(Index.CANCELS, *member))
        if run.mail.version:
            hints.append(site.hint(Index.MAIL, *member))
        hints += site.waiting(run)
        make = site.of_session(
            scripts.RUN_CREATE,
            pointer.session,
            run_id(run.key),
            pointer.token,
            "1" if is_worker else "0",
            encode_record(run),
            run.fingerprint,
            encode_input(run.input),
            run.cancel.mode.value if run.cancel else "",
            run.cancel.reason if run.cancel else "",
            *mail_words(run.mail),
            time_word(run.due_time),
            "1" if pointer.must_be_first else "0",
        )
        answer: list[Any] = (await self._database.in_order(hints, [make]))[-1]
        if answer[0] < 0:
            await self._free(run.key, pointer.token)
            return answer
        pair = [site.keys.pointer(run.key), site.keys.mark(run.key)]
        await self._database.call(Call(scripts.POINTER_STRIP, pair, [pointer.token]))
        return answer

    async def _free(self, key: RunKey, token: str) -> None:
        self._places.pop(key, None)
        await self._database.call(Call(scripts.POINTER_DROP, [self._site.keys.pointer(key)], [token]))

    def _listed_run(self, run: Run) -> Call:
        member = pack(run.session.user_id, run.session.session_id, run.key.request_id)
        return Call(scripts.HINT_ADD, [self._site.keys.app_runs(run.key.app_name)], [member])

    # Reading

    async def get_run(self, key: RunKey) -> Run:
        """See storage.port.RunStore."""
        return run_of((await self._require(key))[1])

    async def _require(self, key: RunKey) -> tuple[SessionKey, Sequence[Any]]:
        """Return a run's session and its row. Raises: NotFoundError."""
        session, row = await self._locate(key)
        if session is None or row is None:
            raise NotFoundError("run", key.request_id)
        return session, row

    async def _locate(self, key: RunKey) -> tuple[SessionKey | None, Sequence[Any] | None]:
        if (known := self._places.get(key)) is not None:
            self._places.move_to_end(key)
            # A run never moves, but its id can be used again when it has been deleted.
            if (row := await self._row(key, known)) is not None:
                return known, row
        pointer = await self._pointer(key)
        if pointer is None:
            return None, None
        return pointer.session, await self._row(key, pointer.session)

    async def _pointer(self, key: RunKey) -> Pointer | None:
        words = ["token", "names", "run", "mode", "reason", "first"]
        fields = await self._database.call(Call("HMGET", [self._site.keys.pointer(key)], words))
        return None if fields[0] is None else _pointer(fields)

    async def _row(self, key: RunKey, session: SessionKey) -> Sequence[Any] | None:
        row: Sequence[Any] = await self._database.call(self._row_call(key, session))
        if row[0] is None:
            self._places.pop(key, None)
            return None
        self._places[key] = session
        if len(self._places) > _PLACES_MAX:
            self._places.popitem(last=False)
        return row

    def _row_call(self, key: RunKey, session: SessionKey) -> Call:
        return Call("HMGET", [run_root(self._site, key, session)], _ROW)

    async def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None = None) -> Page[Run]:
        """See storage.port.RunStore."""
        index = self._site.keys.app_runs(wanted.app_name)
        high = "+inf" if cursor is None else f"({parse_cursor(cursor, int)[0]}"
        found: list[tuple[Run, int]] = []
        while len(found) <= limit:
            _, entries = await self._site.hints(index, high=high, limit=_CHUNK, newest_first=True)
            if not entries:
                break
            places = [(unpack(member), score) for member, score in entries]
            places = [item for item in places if _is_of(item[0], wanted)]
            calls = [
                self._row_call(RunKey(wanted.app_name, request), SessionKey(wanted.app_name, user, session))
                for (user, session, request), _ in places
            ]
            rows = await self._database.in_order(calls)
            runs = [
                (run_of(row), score)
                for row, (_, score) in zip(rows, places, strict=True)
                if row[0] is not None
            ]
            found += [(run, score) for run, score in runs if _is_wanted(run, wanted)]
            high = f"({entries[-1][1]}"
        following = make_cursor(found[limit - 1][1]) if len(found) > limit else None
        return Page(tuple(run for run, _ in found[:limit]), following)

    async def list_run_events(self, key: RunKey, *, after: int, limit: int) -> list[Event]:
        """See storage.port.RunStore."""
        session, _ = await self._require(key)
        if limit <= 0:
            return []
        log = f"{run_root(self._site, key, session)}:l"
        entries = await self._database.call(Call("XRANGE", [log], [f"({after}-0", "+", "COUNT", limit]))
        return [decode_event(body["k"], body["p"], body["v"]) for _, body in entries]

    # Cancelling and claiming

    async def request_cancel(
        self, key: RunKey, request: CancelRequest, *, now: datetime, remember_until: datetime
    ) -> tuple[Run | None, bool]:
        """See storage.port.RunStore."""
        conflicts = Conflicts(self._database.command_seconds)
        while True:
            session, row = await self._locate(key)
            answer: tuple[Run | None, bool] | None
            if row is not None and session is not None:
                answer = await self._cancel(key, session, run_of(row), request)
            else:
                answer = await self._cancel_early(key, request, now, remember_until)
            if answer is not None:
                return answer
            await conflicts.again()

    async def _cancel(
        self, key: RunKey, session: SessionKey, run: Run, request: CancelRequest
    ) -> tuple[Run, bool] | None:
        """Cancel a run that is there; None when it was not as read."""
        if run.state.is_terminal or not request.overrides(run.cancel):
            return run, False
        hint = self._site.hint(Index.CANCELS, *names_of(session), key.request_id)
        expected = run.cancel.mode.value if run.cancel else ""
        write = self._site.of_session(
            scripts.RUN_CANCEL, session, run_id(key), expected, request.mode.value, request.reason
        )
        _, is_done, row = await self._database.in_order([hint], [write], [self._row_call(key, session)])
        if not is_done:
            return None
        return (run_of(row) if row[0] is not None else replace(run, cancel=request)), True

    async def _cancel_early(
        self, key: RunKey, request: CancelRequest, now: datetime, remember_until: datetime
    ) -> tuple[None, bool] | None:
        """Remember a cancel; None when a run has come, or another cancel."""
        pointer = await self._pointer(key)
        if pointer is not None:
            if pointer.run is not None:
                await self._finish(pointer, is_worker=False)
            elif (await self._row(key, pointer.session)) is None:
                await self._free(key, pointer.token)
            return None
        keys = [self._site.keys.pointer(key), self._site.keys.mark(key)]
        mode, reason, until = await self._database.call(Call("HMGET", keys[1:], ["mode", "reason", "until"]))
        is_valid = mode is not None and from_micros(until) > now
        if not request.overrides(cancel_of(mode, reason) if is_valid else None):
            return None, False
        kept = max(remember_until - now, timedelta(0)) + _MARK_SLACK
        words = [
            mode or "",
            until or "",
            request.mode.value,
            request.reason,
            to_micros(remember_until),
            kept // timedelta(milliseconds=1),
        ]
        is_done = await self._database.call(Call(scripts.MARK_CANCEL, keys, words))
        return (None, True) if is_done == 1 else None

    async def set_mail(
        self, key: RunKey, mail: RunMail, *, version: int, due_time: datetime | None = None
    ) -> Run | None:
        """See storage.port.RunStore."""
        session, row = await self._require(key)
        run = run_of(row)
        if run.mail.version != version or run.state.is_terminal:
            return None
        hint = self._site.hint(Index.MAIL, *names_of(session), key.request_id)
        due = [] if due_time is None else [self._site.due_run(run, due_time)]
        words = [run_id(key), version, *mail_words(mail), time_word(due_time)]
        write = self._site.of_session(scripts.RUN_MAIL, session, *words)
        # When it is due is said before and after: who reads the index in between may find that it is not yet.
        reading = [self._row_call(key, session)]
        *_, answer, row = await self._database.in_order([hint, *due], [write], reading)
        await self._database.in_order(due)
        if answer == -1:
            raise NotFoundError("run", key.request_id)
        if answer == 0:
            return None
        return run_of(row) if row[0] is not None else replace(run, mail=mail)

    async def claim_run(
        self, key: RunKey, owner: ReplicaId, *, attempt: int, now: datetime, in_turn: bool = True
    ) -> Run | None:
        """See storage.port.RunStore."""
        conflicts = Conflicts(self._database.command_seconds)
        while True:
            session, row = await self._require(key)
            run = run_of(row)
            if run.attempt != attempt or run.state.is_terminal:
                return None
            run = run.claimed_by(owner, now)
            words = [run_id(key), row[5], encode_record(run), run.attempt, "1" if in_turn else "0"]
            claim = self._site.of_session(scripts.RUN_CLAIM, session, *words)
            answer, found = await self._database.in_order([claim], [self._row_call(key, session)])
            if answer == -1:
                return None
            if answer == 1:
                # With what others wrote meanwhile.
                stored = run if found[0] is None else run_of(found)
                return replace(run, cancel=stored.cancel, mail=stored.mail, due_time=stored.due_time)
            await conflicts.again()


def run_id(key: RunKey) -> str:
    """Return a run's name within its session's slot."""
    return hash_names(key.app_name, key.request_id)


def run_root(site: Site, key: RunKey, session: SessionKey) -> str:
    """Return the key of a run's record."""
    return f"{site.keys.session(session)}:r:{run_id(key)}"


def _pointer(fields: Sequence[Any]) -> Pointer:
    token, names, text, mode, reason, first = fields
    run = decode_run(text) if text else None
    if run is not None and mode:
        run = replace(run, cancel=CancelRequest(CancelMode(mode), reason or ""))
    return Pointer(token, SessionKey(*unpack(names)), run, first == "1")


def _is_of(names: Sequence[str], wanted: RunFilter) -> bool:
    return wanted.user_id in {"", names[0]} and wanted.session_id in {"", names[1]}


def _is_wanted(run: Run, wanted: RunFilter) -> bool:
    return wanted.agent_name in {"", run.agent_name} and (not wanted.states or run.state in wanted.states)
