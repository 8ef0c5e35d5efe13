"""Queues whose time is not waited for."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from storage.queue import SessionQueue


async def make_due(redis: Redis, queue: SessionQueue, partition: int = 0) -> None:
    """Every job of a partition that is to come later is due."""
    later: str = queue.keys_in(partition).later
    waiting: Any = await redis.zrange(later, 0, -1)
    for session_id in waiting:
        await redis.zadd(later, {session_id: 0}, xx=True)
