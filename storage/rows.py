"""Rows as opaque bytes by id, each table under a key of its own, and values that expire and are taken once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
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


class ExpiringStore:
    """Stores values for a while, each under the key that `key_of` gives its id. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis, key_of: Callable[[str], str]) -> None:
        self._redis, self._key_of = redis, key_of

    async def put(self, value_id: str, value: bytes, ttl: timedelta) -> None:
        with reaching_store():
            await durable(self._redis).set(self._key_of(value_id), value, px=int(ttl.total_seconds() * 1000))

    async def get(self, value_id: str) -> bytes | None:
        with reaching_store():
            value: Any = await self._redis.get(self._key_of(value_id))
        return value  # type: ignore[no-any-return]

    async def take(self, value_id: str) -> bytes | None:
        """Return a value and remove it; one of several that ask at once gets it."""
        with reaching_store():
            value: Any = await durable(self._redis).getdel(self._key_of(value_id))
        return value  # type: ignore[no-any-return]
