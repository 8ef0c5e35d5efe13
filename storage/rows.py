"""Rows as opaque bytes by id, each table under a key of its own: schedules, delegations, the digest."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from storage.connection import durable, reaching_store
from storage.scripts import records


class RowStore:
    """Stores the rows of the table under `key`. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis, self._key = redis, key

    async def put(self, row_id: str, row: bytes) -> None:
        """Store a row, whatever is there."""
        with reaching_store():
            await durable(self._redis).hset(self._key, row_id, row)

    async def add(self, row_id: str, row: bytes) -> bool:
        """Store a row where there is none. Returns False where there is one, which stays."""
        with reaching_store():
            return bool(await durable(self._redis).hsetnx(self._key, row_id, row))

    async def replace(self, row_id: str, before: bytes, row: bytes) -> bool:
        """Store a row in place of the row `before`. Returns False where another one, or none, is there now."""
        with reaching_store():
            redis = durable(self._redis)
            return await records.replace_row(redis, self._key, row_id, before=before, row=row)

    async def get(self, row_id: str) -> bytes | None:
        with reaching_store():
            row: Any = await self._redis.hget(self._key, row_id)
        return row  # type: ignore[no-any-return]

    async def delete(self, row_id: str) -> bool:
        with reaching_store():
            return bool(await durable(self._redis).hdel(self._key, row_id))

    async def all(self) -> dict[str, bytes]:
        with reaching_store():
            rows: Any = await self._redis.hgetall(self._key)
        return {key.decode(): row for key, row in rows.items()}
