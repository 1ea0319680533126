"""Commands to Redis: bounded connections, a timeout for everything, and errors of the domain."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import (
    MaxConnectionsError,
    NoScriptError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
)

from runwire_server.domain.errors import NoRoomError, RunwireError, UnavailableError
from runwire_server.storage.redis.scripts import Script

_FAILURES = (RedisError, RedisClusterException, OSError, EOFError)
_NO_ROOM = ("OOM command not allowed", "max number of clients reached")


_READS = {"HMGET", "HGET", "XRANGE", "ZSCORE", "LRANGE", "EXISTS"}


class Call:
    """A command or a script, and what it is given. All its keys are in one slot."""

    __slots__ = ("_arguments", "_keys", "_what")

    def __init__(self, what: Script | str, keys: Sequence[str] = (), arguments: Sequence[Any] = ()) -> None:
        self._what = what
        self._keys = keys
        self._arguments = arguments

    @property
    def is_read(self) -> bool:
        """Whether it is a command that only reads."""
        return self._what in _READS

    def words(self, *, with_text: bool = False) -> tuple[Any, ...]:
        """Return it as Redis reads it. A script goes by its digest, or by its text."""
        if isinstance(self._what, str):
            return (self._what, *self._keys, *self._arguments)
        name, which = ("EVAL", self._what.text) if with_text else ("EVALSHA", self._what.digest)
        return (name, which, len(self._keys), *self._keys, *self._arguments)


class Database:
    """A client of one server or of a cluster. `close_client` closes it.

    Raises, wherever it waits: UnavailableError, also when an answer takes longer than `command_seconds`;
    NoRoomError. What was sent may have happened then: nothing is ever sent twice.
    """

    def __init__(
        self,
        client: "Redis | RedisCluster",
        close_client: Callable[[], Awaitable[None]],
        *,
        pool_size: int,
        command_seconds: float,
    ) -> None:
        self._client = client
        self._close_client = close_client
        self.command_seconds = command_seconds
        # Neither the pool of Sentinel nor that of Cluster can wait for a free connection, so that this does.
        self._free = asyncio.Semaphore(pool_size)

    async def call(self, call: Call) -> Any:
        """Send one command and return its answer."""
        return (await self.in_order([call]))[0]

    async def in_order(self, *stages: Sequence[Call]) -> list[Any]:
        """Send stages, each after the one before it, and return all answers in one list.

        One server gets them in one go: it works in the order of sending, and what it does not get any more is the
        end. On a cluster the commands of a stage go to several servers, so that each stage waits for its answers.
        """
        answers: list[Any] = []
        for stage in self._joined(stages):
            answers += await self._send(stage)
            for answer in answers:
                if isinstance(answer, RunwireError):
                    raise answer
        return answers

    async def each(self, *stages: Sequence[Call]) -> list[Any]:
        """As in_order, but what failed is returned in its place, and the stages after it are sent all the same."""
        answers: list[Any] = []
        for stage in self._joined(stages):
            try:
                answers += await self._send(stage)
            except RunwireError as error:
                answers += [error] * len(stage)
        return answers

    def _joined(self, stages: Sequence[Sequence[Call]]) -> Sequence[Sequence[Call]]:
        return [[call for stage in stages for call in stage]] if isinstance(self._client, Redis) else stages

    async def _send(self, calls: Sequence[Call]) -> list[Any]:
        if not calls:
            return []
        async with self._connection():
            answers = await self._pipeline([call.words() for call in calls])
            unknown = [isinstance(answer, NoScriptError) for answer in answers]
            if any(unknown):
                # The server was restarted or its scripts were flushed: they have done nothing. They are sent in their
                # order, and what was read behind them is read again; that hints were written before them is all
                # that counts otherwise.
                for place in range(unknown.index(True), len(calls)):
                    if unknown[place] or calls[place].is_read:
                        answers[place] = (await self._pipeline([calls[place].words(with_text=True)]))[0]
        return [_translated(answer) if isinstance(answer, Exception) else answer for answer in answers]

    async def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        if len(commands) == 1:
            try:
                return [await self._client.execute_command(*commands[0])]
            except NoScriptError as error:
                return [error]
        pipeline = (
            self._client.pipeline(transaction=False)
            if isinstance(self._client, Redis)
            else self._client.pipeline()
        )
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self.command_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise NoRoomError("no connection to Redis is free") from error
        try:
            async with asyncio.timeout(2 * self.command_seconds):
                yield
        except _FAILURES as error:
            raise _translated(error) from error
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._close_client()


def _translated(error: Exception) -> Exception:
    """Return the domain's error for one of the driver's."""
    if not isinstance(error, _FAILURES):
        return error
    text = str(error)
    made: RunwireError
    if isinstance(error, OutOfMemoryError | MaxConnectionsError) or any(part in text for part in _NO_ROOM):
        made = NoRoomError("Redis has no room or no connection left")
    else:
        made = UnavailableError(f"Redis cannot be used at the moment: {type(error).__name__}")
    made.__cause__ = error
    return made
