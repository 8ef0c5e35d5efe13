"""Marks of what people were told, so that several processes tell it once, and marks that count once."""

from __future__ import annotations

from datetime import timedelta

from redis.asyncio import Redis

from storage import keys
from storage.connection import durable, reaching_store

# Long enough for all processes to come to the same, and no longer than a mistake that was mended is remembered.
KEPT = timedelta(minutes=10)


class MarkStore:
    """Sets and removes marks. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def set(self, mark: str, kept: timedelta = KEPT) -> bool:
        """Set a mark for a while. Returns False where it was set before."""
        with reaching_store():
            return bool(await self._redis.set(keys.told(mark), b"1", nx=True, ex=kept))

    async def remove(self, mark: str) -> None:
        with reaching_store():
            await self._redis.delete(keys.told(mark))


class OnceStore:
    """Issues marks, each of which counts once and for a time. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, mark: str, ttl: timedelta) -> None:
        """Store a mark for `ttl`."""
        with reaching_store():
            await durable(self._redis).set(keys.issued(mark), b"1", px=int(ttl.total_seconds() * 1000))

    async def consume(self, mark: str) -> bool:
        """Remove a mark. Returns False where it was not issued, was consumed, or is too old."""
        with reaching_store():
            return bool(await durable(self._redis).delete(keys.issued(mark)))
