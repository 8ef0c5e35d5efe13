"""The number of partitions, and the choice of the partition for a new session."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import durable, reaching_store
from storage.scripts import records

_MEMBER = "count"


class Partitions:
    """As many partitions as `wanted`, or as the store has had, whichever is more. Raises StoreUnavailable.

    The number is stored before the first log of a partition begins, so that a process that was started with a smaller
    number finds the partitions of other processes.
    """

    def __init__(self, redis: Redis, wanted: int = 1) -> None:
        self._redis, self._count = redis, wanted

    @property
    def known(self) -> range:
        """The partitions as of the last answer of the store."""
        return range(self._count)

    async def all(self) -> range:
        """Return the present partitions, read from the store."""
        await self.ask()
        return self.known

    async def ask(self, command: Callable[[Redis, int], Any] | None = None) -> list[Any]:
        """Return the answers of all partitions in order, in one round trip; `command` gives that of one to await."""
        while True:
            asked = self._count
            questions = [command(self._redis, partition) for partition in range(asked)] if command else []
            with reaching_store():
                recorded, *answers = await asyncio.gather(
                    self._redis.zscore(keys.partitions(), _MEMBER), *questions
                )
            self._count = max(asked, int(recorded or 0))
            if self._count == asked:
                return answers

    async def record(self, partition: int) -> None:
        """Make a partition known to all processes; called before anything is stored in it."""
        with reaching_store():
            await durable(self._redis).zadd(keys.partitions(), {_MEMBER: partition + 1}, gt=True)
        self._count = max(self._count, partition + 1)

    async def place(self, claim: str = "", *, here: int | None = None, ttl: timedelta = timedelta()) -> int:
        """Return the partition for a new session: a random one, or the one for its idempotency key `claim`.

        All requests with a key within `ttl` of the last one get the same partition, even if there are more partitions
        by then. The first of these requests determines it and may ask for the partition `here`.
        """
        if not claim:
            return random.randrange(self._count)  # noqa: S311  only spreads the load
        chosen = zlib.crc32(claim.encode()) % self._count if here is None else here
        name = keys.placement(claim)
        with reaching_store():
            return await records.decide_place(durable(self._redis), name, chosen, ttl=ttl)

    async def forget(self, claim: str) -> None:
        """Forget the partition for a request with this idempotency key, which was refused."""
        with reaching_store():
            await self._redis.delete(keys.placement(claim))
