"""What the tests of the Redis adapter share: a store that dies after so many commands, and a look at the keys."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from runwire_server.domain.errors import UnavailableError
from runwire_server.storage.redis.database import Call, Database
from runwire_server.storage.redis.keys import Index
from runwire_server.storage.redis.store import RedisStore

MINUTE_MICROS = 61_000_000


class DyingDatabase(Database):
    """Sends `left` commands, one at a time, and nothing more: as when the process is killed between two of them."""

    left: int

    async def _send(self, calls: Sequence[Call]) -> list[Any]:
        answers: list[Any] = []
        for call in calls:
            if self.left == 0:
                raise UnavailableError("killed")
            self.left -= 1
            answers += await super()._send([call])
        return answers


def doom(store: RedisStore, commands: int) -> None:
    """Let the store die after so many commands."""
    database = store._database
    database.__class__ = DyingDatabase
    assert isinstance(database, DyingDatabase)
    database.left = commands


async def age(store: RedisStore) -> None:
    """Make everything that is under way a minute old."""
    client = store._database._client
    assert isinstance(client, Redis)
    for index in (Index.DIRTY, Index.LIVE, Index.CANCELS):
        key = store._site.keys.index(index)
        for member in await client.zrange(key, 0, -1):
            await client.zincrby(key, -MINUTE_MICROS, member)


async def members(store: RedisStore, key: str) -> list[str]:
    """Return the members of an index."""
    found: list[str] = await store._database.call(Call("ZRANGE", [key], [0, -1]))
    return found
