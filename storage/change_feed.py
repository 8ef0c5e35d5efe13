"""The feed of changes: each append publishes the id of its session. Beside it, what running calls print meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store, subscribe
from storage.scripts import records


class ChangeFeed:
    """The changes of all partitions. Changes without a subscription are lost: after a gap, read the sessions again."""

    def __init__(self, blocking: Redis) -> None:
        self._blocking = blocking

    @asynccontextmanager
    async def subscribe(self, *, pause: float = 0) -> AsyncIterator[AsyncIterator[set[str]]]:
        """Yield sets of ids of sessions that change, collected for `pause` seconds each. Raises StoreUnavailable."""
        async with subscribe(self._blocking, keys.changed_pattern(), pause=pause) as messages:
            yield ({session_id.decode() for session_id in found} async for found in messages)


class RunningStore:
    """Rows of opaque bytes by running call, which are no part of the log and expire. Raises StoreUnavailable."""

    def __init__(self, redis: Redis, blocking: Redis) -> None:
        self._redis, self._blocking = redis, blocking

    async def put(self, session_id: str, call_id: str, row: bytes, ttl: timedelta) -> None:
        """Replace the row of a call, keep those of its session for `ttl`, and tell the subscribers."""
        with reaching_store():
            await records.put_running(self._redis, session_id, call_id, row, ttl=ttl)

    async def remove(self, session_id: str, call_id: str) -> None:
        with reaching_store():
            await self._redis.hdel(keys.running(session_id), call_id)

    async def of(self, session_id: str) -> dict[str, bytes]:
        """Return the rows of a session by call."""
        with reaching_store():
            rows: Any = await self._redis.hgetall(keys.running(session_id))
        return {call_id.decode(): row for call_id, row in rows.items()}

    @asynccontextmanager
    async def subscribe(self, *, pause: float = 0) -> AsyncIterator[AsyncIterator[set[str]]]:
        """Yield sets of ids of sessions whose rows were replaced, collected for `pause` seconds each."""
        async with subscribe(self._blocking, keys.running_pattern(), pause=pause) as messages:
            yield ({session_id.decode() for session_id in found} async for found in messages)
