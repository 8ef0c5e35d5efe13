"""Rows of API keys as opaque bytes by id, whose names they are, and the time of the last use of each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import durable, reaching_store


class ApiKeyStore:
    """Stores the rows of API keys. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, key_id: str, row: bytes) -> None:
        with reaching_store():
            await durable(self._redis).hset(keys.api_keys(), key_id, row)

    async def get(self, key_id: str) -> bytes | None:
        with reaching_store():
            row: Any = await self._redis.hget(keys.api_keys(), key_id)
        return row  # type: ignore[no-any-return]

    async def claim_name(self, name: str, owner: str) -> None:
        """Record for good whose name of keys it is; the first who claims it stays the owner."""
        with reaching_store():
            await durable(self._redis).hsetnx(keys.api_key_names(), name, owner)

    async def name_owner(self, name: str) -> str | None:
        """Whose name of keys it is; None for one that no key had."""
        with reaching_store():
            found: Any = await self._redis.hget(keys.api_key_names(), name)
        return found.decode() if isinstance(found, bytes) else found

    async def delete(self, key_id: str) -> bool:
        with reaching_store():
            gone = bool(await durable(self._redis).hdel(keys.api_keys(), key_id))
            await self._redis.hdel(keys.api_keys_used(), key_id)
            return gone

    async def all(self) -> dict[str, bytes]:
        with reaching_store():
            rows: Any = await self._redis.hgetall(keys.api_keys())
        return {key.decode(): row for key, row in rows.items()}

    async def used(self, key_id: str, at: datetime) -> None:
        with reaching_store():
            await self._redis.hset(keys.api_keys_used(), key_id, str(int(at.timestamp())))

    async def last_used(self) -> dict[str, datetime]:
        with reaching_store():
            rows: Any = await self._redis.hgetall(keys.api_keys_used())
        return {key.decode(): datetime.fromtimestamp(int(at), UTC) for key, at in rows.items()}
