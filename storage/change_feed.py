"""Which sessions change, as they change: every append publishes the id of its session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from storage import keys
from storage.connection import subscribe


class ChangeFeed:
    """Sessions of all partitions. Nothing is kept for those who are away: after a gap, read again."""

    def __init__(self, blocking: Redis) -> None:
        self._blocking = blocking

    @asynccontextmanager
    async def subscribe(self, *, pause: float = 0) -> AsyncIterator[AsyncIterator[set[str]]]:
        """Ids of sessions from now on; with `pause`, those of so many seconds at a time. Raises StoreUnavailable."""
        async with subscribe(self._blocking, keys.changed_pattern(), pause=pause) as messages:
            yield ({session_id.decode() for session_id in found} async for found in messages)
