"""All that a store holds, as text, by key."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

READS = {
    "string": lambda redis, key: redis.get(key),
    "hash": lambda redis, key: redis.hgetall(key),
    "list": lambda redis, key: redis.lrange(key, 0, -1),
    "set": lambda redis, key: redis.smembers(key),
    "zset": lambda redis, key: redis.zrange(key, 0, -1),
    "stream": lambda redis, key: redis.xrange(key),
}


async def contents(redis: Redis) -> dict[str, str]:
    """The contents of all keys that do not expire."""
    found: dict[str, str] = {}
    async for key in redis.scan_iter():
        kind: Any = await redis.type(key)
        if await redis.ttl(key) == -1:
            found[key.decode()] = str(await READS[kind.decode()](redis, key))
    return found


async def naming(redis: Redis, session_id: str) -> set[str]:
    """The keys that name a session, or have it in their contents."""
    return {key for key, value in (await contents(redis)).items() if session_id in key + value}
