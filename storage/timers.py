"""Timers: one sorted set for each partition, with due times in ms since 1970; a claim delays a row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from storage import keys
from storage.connection import durable, reaching_store, subscribe, together
from storage.keys import TimerKey
from storage.partitions import Partitions
from storage.scripts import records


class TimerStore:
    """The timers of all partitions. Methods raise StoreUnavailable.

    A claim only delays a row; the append that fires the timer removes it. So a row is due again if a clock dies between
    the two.
    """

    def __init__(self, redis: Redis, blocking: Redis, partitions: Partitions | None = None) -> None:
        self._redis, self._blocking = redis, blocking
        self._partitions = partitions or Partitions(redis)

    async def claim(self, now: datetime, *, hold: timedelta, limit: int = 200) -> list[TimerKey]:
        """Claim the timers due at `now`, at most `limit` of each partition; no other clock gets them during `hold`."""
        until = _ms(now + hold)
        claims = [
            records.claim_timers(self._redis, p, now_ms=_ms(now), hidden_until_ms=until, limit=limit)
            for p in await self._partitions.all()
        ]
        with reaching_store():
            found = await asyncio.gather(*claims)
        return [TimerKey.parse(row.decode()) for rows in found for row in rows]

    async def next_due(self, until: datetime) -> datetime | None:
        """Return the due time of the first timer if it is before `until`, else None."""
        found = await self._partitions.ask(
            lambda redis, p: redis.zrange(keys.timers(p), 0, 0, withscores=True)
        )
        first = min((rows[0][1] for rows in found if rows), default=None)
        if first is None or first >= _ms(until):
            return None
        return datetime.fromtimestamp(first / 1000, until.tzinfo)

    async def set(self, timer: TimerKey, due: datetime) -> None:
        with reaching_store():
            await durable(self._redis).zadd(keys.timers(timer.partition), {timer.encode(): _ms(due)})
            await self._redis.publish(keys.timer_channel(), str(_ms(due)))

    async def missing(self, timers: Sequence[TimerKey]) -> list[TimerKey]:
        """Return those of these timers that are not set."""
        with reaching_store():
            due = await together(
                self._redis.zscore(keys.timers(timer.partition), timer.encode()) for timer in timers
            )
        return [timer for timer, at in zip(timers, due, strict=True) if at is None]

    async def drop(self, timer: TimerKey) -> None:
        with reaching_store():
            await self._redis.zrem(keys.timers(timer.partition), timer.encode())

    async def count(self) -> int:
        return sum(await self._partitions.ask(lambda redis, p: redis.zcard(keys.timers(p))))

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[datetime]]:
        """Yield the due times of timers, each when the timer is set."""
        async with subscribe(self._blocking, keys.timer_channel()) as messages:
            yield (_time(due) async for found in messages for due in found)


def _time(due_ms: bytes) -> datetime:
    return datetime.fromtimestamp(float(due_ms) / 1000, UTC)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
