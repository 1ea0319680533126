"""Redis through redis-py with hiredis: plain commands in a pipeline, in the places of the store's own layout."""

from collections.abc import Sequence
from typing import Any, Self

from redis.asyncio import Redis

from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import is_user_event
from runwire_server.storage.codec import encode_event, encode_record
from runwire_server.storage.port import Append
from runwire_server.storage.redis.keys import Keys, to_micros
from runwire_server.storage.redis.runs import run_id
from runwire_server.storage.url import StoreUrl

RedisBatch = list[tuple[Any, ...]]


class RedisBare:
    """One connection. There is nothing to read before writing: the script that the store uses does that itself."""

    ways: Sequence[str] = ("writes",)

    def __init__(self, client: "Redis", prefix: str, version: str) -> None:
        self._client, self._keys, self._version = client, Keys(prefix), version

    @classmethod
    async def open(cls, url: StoreUrl) -> Self:
        """Connect."""
        host, port = url.host
        client = Redis(host=host, port=port, db=int(url.path or 0), decode_responses=True)
        info = await client.info("server")
        return cls(client, url.options.key_prefix, str(info["redis_version"]))

    def version(self) -> str:
        """See Bare."""
        return self._version

    async def learn(self, appends: Sequence[Append]) -> None:
        """See Bare. Keys are made of names."""

    def encoded(self, appends: Sequence[Append]) -> RedisBatch:
        """See Bare. The commands that lua/run_append.lua runs on the server, without those that only read."""
        commands: RedisBatch = []
        for append in appends:
            run = append.run
            root = self._keys.session(run.session)
            record, generation = f"{root}:r:{run_id(run.key)}", f"{root}:g:1"
            for event in append.events:
                text = encode_event(event)
                words = ("k", text.kind, "p", text.payload, "v", text.envelope)
                commands.append(("XADD", f"{record}:l", f"{event.sequence}-0", *words))
            ends = ("last", run.last_sequence, "ended", "0", "end", "")
            commands.append(("HSET", record, "record", encode_record(run), *ends))
            commands.append(("HINCRBY", record, "version", 1))
            last = append.after
            for event in append.session_events:
                last += 1
                text, micros = encode_event(event), to_micros(event.create_time)
                body = ("t", micros, "i", event.id, "k", text.kind, "p", text.payload, "v", text.envelope)
                commands.append(("XADD", f"{generation}:e", f"{last}-0", *body))
                commands.append(("HSETNX", f"{generation}:i", event.id, last))
                if is_user_event(event):
                    commands.append(("ZADD", f"{generation}:u", last, last))
            at = to_micros(run.last_event_time or run.create_time)
            commands.append(("HSET", generation, "last", last, "update", at))
            index = self._keys.user_sessions(run.session.app_name, run.session.user_id)
            commands.append(("ZADD", index, "GT", at, run.session.session_id))
        return commands

    async def write(self, batch: RedisBatch, way: str) -> None:
        """See Bare."""
        pipeline = self._client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)
        await pipeline.execute()

    async def newest(self, session: SessionKey, limit: int) -> list[tuple[int, str, str, str]]:
        """See Bare."""
        key = f"{self._keys.session(session)}:g:1:e"
        found: Any = await self._client.xrevrange(key, count=limit)
        return [(int(entry[:-2]), body["k"], body["p"], body["v"]) for entry, body in found]

    async def ping(self) -> None:
        """See Bare."""
        await self._client.ping()

    async def close(self) -> None:
        """See Bare."""
        await self._client.aclose()
