"""Rows of scheduled launches as opaque bytes by id."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store


class ScheduleStore:
    """Stores the rows of schedules. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, schedule_id: str, row: bytes, *, new: bool = False) -> bool:
        """Store a row; with `new` only where there is none. Returns whether it was stored."""
        with reaching_store():
            if new:
                return bool(await self._redis.hsetnx(keys.schedules(), schedule_id, row))
            await self._redis.hset(keys.schedules(), schedule_id, row)
            return True

    async def get(self, schedule_id: str) -> bytes | None:
        with reaching_store():
            row: Any = await self._redis.hget(keys.schedules(), schedule_id)
        return row  # type: ignore[no-any-return]

    async def delete(self, schedule_id: str) -> bool:
        with reaching_store():
            return bool(await self._redis.hdel(keys.schedules(), schedule_id))

    async def all(self) -> dict[str, bytes]:
        with reaching_store():
            rows: Any = await self._redis.hgetall(keys.schedules())
        return {key.decode(): row for key, row in rows.items()}
