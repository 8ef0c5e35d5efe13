"""Keeps signals for a while, each id once, so that a session that begins to wait later finds them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store
from storage.scripts import records

MOST = 100


class Mailbox:
    """Opaque items by signal name, the newest last. Of more than `MOST`, the oldest are removed."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(
        self, signal: str, delivery_id: str, item: bytes, *, ttl: timedelta, seen_for: timedelta
    ) -> bool:
        """Keep an item for `ttl` unless its id came within `seen_for`. Returns whether it was kept."""
        seconds = {"ttl": int(ttl.total_seconds()), "seen_for": int(seen_for.total_seconds())}
        with reaching_store():
            return await records.keep(self._redis, signal, delivery_id, item=item, most=MOST, **seconds)

    async def items(self, signal: str) -> list[bytes]:
        with reaching_store():
            rows: Any = await self._redis.lrange(keys.mailbox(signal), 0, -1)
        return list(rows)

    async def remove(self, signal: str, item: bytes) -> bool:
        """Remove an item. Returns False where it was removed before."""
        with reaching_store():
            return bool(await self._redis.lrem(keys.mailbox(signal), 1, item))  # type: ignore[arg-type]
