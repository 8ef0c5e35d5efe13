"""Rows of scheduled launches as opaque bytes by id."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store
from storage.scripts import records


class ScheduleStore:
    """Stores the rows of schedules. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, schedule_id: str, row: bytes) -> None:
        """Store a row, whatever is there."""
        with reaching_store():
            await self._redis.hset(keys.schedules(), schedule_id, row)

    async def replace(self, schedule_id: str, before: bytes, row: bytes) -> bool:
        """Store a row in place of the row `before`. Returns False where another one, or none, is there now."""
        with reaching_store():
            return await records.replace_schedule(self._redis, schedule_id, before=before, row=row)

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
