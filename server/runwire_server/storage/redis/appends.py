"""Appends: many runs' in one pipeline, each with a script call and an answer of its own."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import (
    FencedError,
    NotFoundError,
    RunwireError,
    StaleMailError,
    UnavailableError,
)
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.record import replace
from runwire_server.domain.runs import Run
from runwire_server.domain.state import Tier, merge_state, split_delta
from runwire_server.storage.codec import StoredEvent, encode_event, encode_record, encode_value
from runwire_server.storage.group_commit import GroupCommit
from runwire_server.storage.port import Append
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import RUN_INDEXES, Index, names_of, pack, to_micros
from runwire_server.storage.redis.records import mail_words, place_words, session_of, time_word, version_of
from runwire_server.storage.redis.runs import RedisRuns, run_id
from runwire_server.storage.redis.site import Site
from runwire_server.storage.redis.tiers import Conflicts, outbox_entry


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An append as words: those before the session's state, the outbox's entry, the mail, and the events."""

    write: Append
    opening: list[Any]
    own_delta: JsonObject | None
    outbox: str
    mail: list[Any]
    events: list[Any]

    @property
    def is_to_session(self) -> bool:
        return bool(self.write.session_events or self.write.state_delta)


class _States:
    """The states of sessions as a batch will have left them, so that its appends do not conflict with each other."""

    def __init__(self) -> None:
        self._known: dict[SessionKey, tuple[JsonObject, str]] = {}

    def learn(self, key: SessionKey, answer: Sequence[Any]) -> None:
        """Take what session_read.lua gives."""
        is_there = len(answer) > 1
        self._known[key] = (session_of(key, answer[1]).state, version_of(answer[1])) if is_there else ({}, "")

    def merge(self, key: SessionKey, delta: JsonObject) -> tuple[str, str, str]:
        """Return the version expected, and the next state and version. Without a session both versions are empty."""
        state, version = self._known[key]
        if not version:
            return "", "", ""
        merged, following = merge_state(state, delta), secrets.token_hex(8)
        self._known[key] = (merged, following)
        return version, encode_value(merged), following


class RedisAppends(RedisRuns):
    """The part of the store that writes the logs of runs."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._appends: GroupCommit[_Prepared, None] = GroupCommit(self._write_all)

    async def create_run(
        self, run: Run, *, must_be_first: bool = False, claim: bool = False, opening: Append | None = None
    ) -> tuple[Run, bool]:
        """See storage.port.RunStore."""
        if opening is None:
            return await self.make_run(run, must_be_first=must_be_first)
        await self.create_session(run.session, {}, run.create_time)
        made, is_new = await self.make_run(run, must_be_first=must_be_first)
        if made.session != run.session:
            # Also when it is new: this finished what somebody else had begun, in another session.
            await self.delete_session(run.session, purge=True)
            return made, is_new
        claimed = await self.claim_run(run.key, run.owner, attempt=0, now=run.create_time) if is_new else None
        if claimed is None:
            return made, is_new
        await self.append(opening)
        return replace(opening.run, cancel=claimed.cancel), True

    async def append(self, write: Append) -> None:
        """See storage.port.RunStore."""
        await self._appends.submit(_prepare(write, self._site.retention.event_limit))

    async def _write_all(self, batch: Sequence[_Prepared]) -> list[Exception | None]:
        conflicts = Conflicts(self._database.command_seconds)
        results: list[Exception | None] = [None] * len(batch)
        waiting = list(range(len(batch)))
        while waiting:
            answers = await self._write_once([batch[place] for place in waiting])
            left: list[int] = []
            for place, answer in zip(waiting, answers, strict=True):
                if answer == "conflict":
                    left.append(place)
                else:
                    results[place] = _refusal(batch[place].write, answer)
            waiting = left
            try:
                if waiting:
                    await conflicts.again()
            except UnavailableError as error:
                # Only for those that are still waiting: the others are stored.
                for place in waiting:
                    results[place] = UnavailableError(*error.args)
                return results
        return results

    async def _write_once(self, batch: Sequence[_Prepared]) -> list[Any]:
        site = self._site
        states = _States()
        owners = list({p.write.run.session for p in batch if p.own_delta is not None})
        read = await self._database.in_order([site.of_session(scripts.SESSION_READ, key) for key in owners])
        for key, answer in zip(owners, read, strict=True):
            states.learn(key, answer)
        moved = [self._moved_by(p.write) for p in batch if p.is_to_session]
        dirty = [p.write.run.session for p in batch if p.outbox]
        hints = [site.hint(Index.DIRTY, *names_of(key)) for key in dirty]
        moved += self._hints_of(batch)
        appends = [self._append_call(p, states) for p in batch]
        answers = await self._database.each([*hints, *moved], appends, moved)
        results = answers[len(hints) + len(moved) :][: len(batch)]
        accepted = [p for p, answer in zip(batch, results, strict=True) if answer == "ok"]
        await self._after(accepted, dict(zip(dirty, answers, strict=False)))
        return results

    def _moved_by(self, write: Append) -> Call:
        return self._site.moved(write.run.session, _date(write))

    def _hints_of(self, batch: Sequence[_Prepared]) -> list[Call]:
        calls: list[Call] = []
        for write in (p.write for p in batch):
            calls += self._site.waiting(write.run)
            if write.mail_version is not None:
                names = (*names_of(write.run.session), write.run.key.request_id)
                calls.append(self._site.hint(Index.MAIL, *names))
        return calls

    def _append_call(self, prepared: _Prepared, states: _States) -> Call:
        run = prepared.write.run
        if prepared.own_delta is None:
            change = ["0", "", "", ""]
        else:
            change = ["1", *states.merge(run.session, prepared.own_delta)]
        words = [*prepared.opening, *change, prepared.outbox, *prepared.mail, *prepared.events]
        return self._site.of_session(scripts.RUN_APPEND, run.session, *words)

    async def _after(self, accepted: Sequence[_Prepared], scores: dict[SessionKey, Any]) -> None:
        """Clean what is settled. When this fails the sweep does it: the appends are durable."""
        site = self._site
        calls: list[Call] = []
        for run in (p.write.run for p in accepted if p.write.run.state.is_terminal):
            member = pack(*names_of(run.session), run.key.request_id)
            if run.end_time is not None:
                ended = [to_micros(run.end_time), member]
                calls.append(Call("ZADD", [site.keys.index(Index.ENDED)], ended))
            calls += [Call("ZREM", [site.keys.index(index)], [member]) for index in RUN_INDEXES]
        try:
            await self._database.in_order(calls)
            for key in dict.fromkeys(p.write.run.session for p in accepted if p.outbox):
                await self._tiers.deliver_all(key)
                if isinstance(score := scores.get(key), str):
                    await self._is_clean(key, score)
        except RunwireError:
            return

    async def flush(self) -> None:
        """See storage.port.Store."""

    async def close(self) -> None:
        """See storage.port.Store."""
        await self._appends.close()
        await self._database.close()


def _prepare(write: Append, event_limit: int) -> _Prepared:
    """Encode an append before it joins others, so that one that cannot be encoded fails alone.

    Raises: ValueError for what JSON cannot hold.
    """
    run = write.run
    parts = split_delta(write.state_delta or {})
    at = _date(write)
    # Most events of a session are the run's events too: each is sent once.
    stored: dict[int, tuple[int, StoredEvent]] = {}
    for event in (*write.events, *write.session_events):
        if id(event) not in stored:
            stored[id(event)] = (len(stored) + 1, encode_event(event))
    events: list[Any] = [len(stored)]
    for _, text in stored.values():
        events += [text.kind, text.payload, text.envelope]
    events.append(len(write.events))
    for event in write.session_events:
        events += [stored[id(event)][0], *place_words(event)]
    opening = [
        run_id(run.key),
        run.attempt,
        write.after,
        encode_record(run),
        run.last_sequence,
        "1" if run.state.is_terminal else "0",
        time_word(run.end_time),
        to_micros(at),
        event_limit,
        "1" if write.session_events or write.state_delta else "0",
    ]
    mail = ["", "", ""] if write.mail_version is None else [write.mail_version, *mail_words(run.mail)]
    mail.insert(0, time_word(run.due_time))
    return _Prepared(write, opening, parts.get(Tier.SESSION), outbox_entry(parts, at), mail, events)


def _date(write: Append) -> datetime:
    return write.run.last_event_time or write.run.create_time


def _refusal(write: Append, answer: Any) -> Exception | None:
    if isinstance(answer, Exception):
        # One of its own for each: one that several tasks raise would collect the tracebacks of all.
        made = type(answer)(*answer.args)
        made.__cause__ = answer.__cause__
        return made
    if answer == "missing":
        return NotFoundError("run", write.run.key.request_id)
    if answer == "stale":
        return StaleMailError(f"the mail of run {write.run.key.request_id!r} has changed")
    if answer == "fenced":
        return FencedError(f"run {write.run.key.request_id!r} is written by another attempt")
    return None
