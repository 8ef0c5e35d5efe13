"""The feed of changes: each append publishes the id of its session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from storage import keys
from storage.connection import subscribe


class ChangeFeed:
    """The changes of all partitions. Changes without a subscription are lost: after a gap, read the sessions again."""

    def __init__(self, blocking: Redis) -> None:
        self._blocking = blocking

    @asynccontextmanager
    async def subscribe(self, *, pause: float = 0) -> AsyncIterator[AsyncIterator[set[str]]]:
        """Yield sets of ids of sessions that change, collected for `pause` seconds each. Raises StoreUnavailable."""
        async with subscribe(self._blocking, keys.changed_pattern(), pause=pause) as messages:
            yield ({session_id.decode() for session_id in found} async for found in messages)
