"""Timers: one sorted set a partition, due in milliseconds; a claim hides a row while it is being fired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys, scripts
from storage.connection import reaching_store


class TimerStore:
    """Rows are `<owner>|<name>`. An append that settles a timer removes its row; a claim only delays it.

    So a clock that dies between claim and fire loses nothing: the row is due again after the hold.
    """

    def __init__(self, redis: Redis, blocking: Redis, *, partition: int = 0) -> None:
        self._redis, self._blocking = redis, blocking
        self._key = keys.timers(partition)
        self._claim = redis.register_script(scripts.CLAIM_TIMERS)

    async def claim(self, now: datetime, *, hold: timedelta, limit: int = 200) -> list[str]:
        """Rows due at `now`, at most `limit`; nobody else gets them before `hold` is over."""
        until = _ms(now + hold)
        with reaching_store():
            rows: Any = await self._claim(keys=[self._key], args=[_ms(now), until, limit])
        return [row.decode() for row in rows]

    async def next_due(self, until: datetime) -> datetime | None:
        """When the first row is due, if that is before `until`."""
        with reaching_store():
            rows: Any = await self._redis.zrange(self._key, 0, 0, withscores=True)
        if not rows or rows[0][1] >= _ms(until):
            return None
        return datetime.fromtimestamp(rows[0][1] / 1000, until.tzinfo)

    async def set(self, row: str, due: datetime) -> None:
        with reaching_store():
            await self._redis.zadd(self._key, {row: _ms(due)})
            await self._redis.publish(keys.timer_channel(), str(_ms(due)))

    async def drop(self, row: str) -> None:
        with reaching_store():
            await self._redis.zrem(self._key, row)

    async def count(self) -> int:
        with reaching_store():
            return int(await self._redis.zcard(self._key))

    @asynccontextmanager
    async def news(self) -> AsyncIterator[AsyncIterator[datetime]]:
        """Due times of timers as they are set."""
        pubsub = self._blocking.pubsub(ignore_subscribe_messages=True)
        try:
            with reaching_store():
                await pubsub.subscribe(keys.timer_channel())
            yield _dues(pubsub)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


async def _dues(pubsub: Any) -> AsyncIterator[datetime]:
    while True:
        with reaching_store():
            message = await pubsub.get_message(timeout=20)
        if message is not None:
            yield datetime.fromtimestamp(float(message["data"]) / 1000).astimezone()


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
