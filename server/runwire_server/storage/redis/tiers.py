"""The state of users and apps, each one document, and the outboxes of sessions that have deltas for them.

A delta that an event or a run has for these tiers is in its session's outbox before it is in the tier, written by the
script that writes the event. It is applied at once by who wrote it, or else by the next who reads or writes the
session, or by the sweep over sessions that are DIRTY. A tier remembers which entries it has (lua/tier_write.lua), and
entries are applied in order, so that each counts once, whoever applies it and however often.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runwire_server.domain.content import JsonObject
from runwire_server.domain.errors import UnavailableError
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.state import Tier, merge_state
from runwire_server.storage.codec import decode_value, encode_value
from runwire_server.storage.redis import scripts
from runwire_server.storage.redis.database import Call
from runwire_server.storage.redis.keys import Index, from_micros, pack, to_micros
from runwire_server.storage.redis.site import Site

OWNED = (Tier.APP, Tier.USER)
INDEX_OF = {Tier.APP: Index.APPS, Tier.USER: Index.USERS}
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Document:
    """The state of a tier and its version; empty for none that was ever written."""

    state: dict[str, Any]
    version: str
    is_stored: bool


class Conflicts:
    """Rounds of a compare-and-set: waits a little longer before each one.

    Raises: UnavailableError when it takes longer than `seconds`.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._rounds = 0

    async def again(self) -> None:
        """Wait for the next round."""
        self._rounds += 1
        if asyncio.get_running_loop().time() > self._deadline:
            raise UnavailableError("too many writers at once")
        await asyncio.sleep(random.uniform(0.0, min(0.001 * 2**self._rounds, 0.02)))  # noqa: S311 -- jitter


class Turns:
    """Lets those of this process who would compare-and-set the same thing go one after the other."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, key: str) -> AsyncGenerator[None, None]:
        """Hold the turn."""
        lock, count = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = (lock, count + 1)
        try:
            async with lock:
                yield
        finally:
            _, count = self._locks[key]
            if count == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, count - 1)


class Tiers:
    """The state of users and apps."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turns = Turns()

    def read_call(self, key: SessionKey, tier: Tier) -> Call:
        """Return a call that reads a tier; document_of reads its answer."""
        return Call("HMGET", [self._site.keys.state(key, tier)], ["document", "version", "expire"])

    def document_of(self, answer: Sequence[str | None]) -> Document:
        """Return the document. Expired state is empty."""
        text, version, expire = answer
        is_over = text is None or (bool(expire) and from_micros(expire or 0) <= self._site.now())
        state = {} if is_over or text is None else decode_value(text)
        return Document(state, version or "", is_stored=text is not None)

    async def read(self, key: SessionKey, tier: Tier) -> Document:
        """Return a tier's document."""
        return self.document_of(await self._site.database.call(self.read_call(key, tier)))

    async def merge(
        self, key: SessionKey, tier: Tier, delta: JsonObject, now: datetime, *, entry: str = ""
    ) -> dict[str, Any]:
        """Merge a delta and return the result. An `entry` of an outbox is merged once."""
        async with self._turns.of(self._site.keys.state(key, tier)):
            conflicts = Conflicts(self._site.database.command_seconds)
            while True:
                found = await self.read(key, tier)
                merged = merge_state(found.state, delta)
                if await self._write(key, tier, found, merged, now, entry=entry):
                    return merged
                await conflicts.again()

    async def _write(
        self,
        key: SessionKey,
        tier: Tier,
        found: Document,
        state: JsonObject,
        now: datetime,
        *,
        entry: str,
    ) -> bool:
        site = self._site
        names = owner_names(key, tier)
        expire = site.retention.state_expiry(tier, now).time
        kept = (
            "" if expire is None else max((expire - site.now()) + _SLACK, _SLACK) // timedelta(milliseconds=1)
        )
        write = Call(
            scripts.TIER_WRITE,
            [site.keys.state(key, tier), site.keys.applied(key, tier)],
            [
                found.version,
                encode_value(state),
                secrets.token_hex(8),
                pack(*names),
                "" if expire is None else to_micros(expire),
                kept,
                entry,
            ],
        )
        before = site.due(expire, tier.value, *names)
        # Also after: the sweep may take it for expired, and out of the index, just before it is written.
        listed = [site.hint(INDEX_OF[tier], *names)] if not found.state or not found.is_stored else []
        answers = await site.database.in_order([*before, *listed], [write], listed)
        return bool(answers[len(before) + len(listed)])

    # Outboxes

    async def deliver(self, key: SessionKey, outbox: Sequence[str]) -> None:
        """Apply the entries of a session's outbox, in order, and take them out."""
        database, keys = self._site.database, self._site.keys
        root = keys.session(key)
        for text in outbox:
            entry = decode_value(text)
            for tier in OWNED:
                if delta := entry.get(tier.value):
                    await self.merge(key, tier, delta, from_micros(entry["at"]), entry=entry["id"])
            await database.call(Call("LREM", [f"{root}:o"], [1, text]))
            done = [
                Call(scripts.TIER_DONE, [keys.applied(key, tier)], [entry["id"]])
                for tier in OWNED
                if entry.get(tier.value)
            ]
            await database.in_order(done)

    async def deliver_all(self, key: SessionKey) -> None:
        """Apply what is in a session's outbox."""
        outbox = await self._site.database.call(
            Call("LRANGE", [f"{self._site.keys.session(key)}:o"], [0, -1])
        )
        await self.deliver(key, outbox)


def outbox_entry(parts: Mapping[Tier, JsonObject], now: datetime) -> str:
    """Return what a delta has for the tiers of user and app as an entry of an outbox; empty for nothing."""
    deltas = {tier.value: parts[tier] for tier in OWNED if tier in parts}
    if not deltas:
        return ""
    return encode_value({"id": secrets.token_hex(12), "at": to_micros(now), **deltas})


def owner_names(key: SessionKey, tier: Tier) -> tuple[str, ...]:
    """Return the names that the tier needs."""
    return (key.app_name,) if tier is Tier.APP else (key.app_name, key.user_id)
