"""Signals as they came, kept for a while, each id once; who waits later finds what came before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys, scripts
from storage.connection import reaching_store

MOST = 100


class Mailbox:
    """Opaque bytes by signal name, newest last; the oldest go when there are more than a hundred."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._keep = redis.register_script(scripts.KEEP)

    async def keep(
        self, signal: str, delivery_id: str, item: bytes, *, ttl: timedelta, seen_for: timedelta
    ) -> bool:
        """Keep an item unless its id came before; True the first time."""
        box = keys.mailbox(signal)
        args: list[Any] = [item, int(ttl.total_seconds()), int(seen_for.total_seconds()), MOST]
        with reaching_store():
            return bool(await self._keep(keys=[box, f"{box}:seen:{delivery_id}"], args=args))

    async def items(self, signal: str) -> list[bytes]:
        with reaching_store():
            rows: Any = await self._redis.lrange(keys.mailbox(signal), 0, -1)
        return list(rows)

    async def remove(self, signal: str, item: bytes) -> bool:
        """True for the one who took it out."""
        with reaching_store():
            return bool(await self._redis.lrem(keys.mailbox(signal), 1, item))  # type: ignore[arg-type]
