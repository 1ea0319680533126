"""The store over Redis: all its parts, one on top of the other."""

from collections.abc import Callable

from runwire_server.domain.retention import Retention
from runwire_server.storage.redis.database import Database
from runwire_server.storage.redis.replicas import RedisReplicas
from runwire_server.storage.redis.site import Site


class RedisStore(RedisReplicas):
    """See storage.port.Store. `prefix` begins every key."""

    kind = "redis"

    def __init__(
        self, database: Database, prefix: str, retention: Retention, clock: Callable[[], float] | None
    ) -> None:
        super().__init__(Site(database, prefix, retention, clock))
