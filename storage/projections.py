"""Rows about shown messages by session, sessions by place, delivery ids, and rate limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import keys
from storage.connection import durable, reaching_store
from storage.damage import set_aside
from storage.scripts import rates, records


class ProjectionStore:
    """Rows of opaque text by message key. Raises StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def rows(self, session_id: str) -> dict[str, bytes]:
        """Return all rows of a session; none where the key holds no rows, which is then set aside."""
        key = keys.projection(session_id)
        try:
            with reaching_store():
                rows: Any = await self._redis.hgetall(key)
        except ResponseError:
            if not await set_aside(self._redis, {key: "hash"}):
                raise
            return {}
        return {key.decode(): row for key, row in rows.items()}

    async def column(self, session_ids: Sequence[str], key: str) -> dict[str, bytes]:
        """Return the rows under one key, of those sessions that have it."""
        if not session_ids:
            return {}
        asked: Any = [self._redis.hget(keys.projection(session_id), key) for session_id in session_ids]
        with reaching_store():
            found = await asyncio.gather(*asked)
        return {session_id: row for session_id, row in zip(session_ids, found, strict=True) if row}

    async def reserve(self, session_id: str, key: str, row: bytes) -> bool:
        """Store a row under `key` before its message is shown. Returns False where there is a row already."""
        with reaching_store():
            return bool(await durable(self._redis).hsetnx(keys.projection(session_id), key, row))

    async def record(self, session_id: str, key: str, row: bytes) -> None:
        with reaching_store():
            await self._redis.hset(keys.projection(session_id), key, row)

    async def record_first(self, session_id: str, key: str, intent: bytes, row: bytes) -> bytes | None:
        """Replace the row `intent` by `row`. Where there is another row by now, it stays and is returned."""
        with reaching_store():
            return await records.record_first(self._redis, session_id, key=key, intent=intent, row=row)

    async def bind_place(self, place: str, session_id: str) -> None:
        with reaching_store():
            await self._redis.set(keys.place(place), session_id)

    async def session_at(self, place: str) -> str | None:
        with reaching_store():
            value = await self._redis.get(keys.place(place))
        return value.decode() if isinstance(value, bytes) else value

    async def delivered(self, delivery_id: str) -> bool:
        """Return whether `deliver` was called with this id."""
        with reaching_store():
            return bool(await self._redis.exists(keys.delivery(delivery_id)))

    async def deliver(self, delivery_id: str, ttl: timedelta) -> None:
        """Store for `ttl` that the delivery with this id was carried out."""
        with reaching_store():
            await durable(self._redis).set(
                keys.delivery(delivery_id), b"1", px=int(ttl.total_seconds() * 1000)
            )

    async def open_home(self, person: str, at: float, *, since: float) -> None:
        """Store that a person opened their home tab at a time, and forget those who have not since `since`."""
        with reaching_store():
            await self._redis.zadd(keys.home_tabs(), {person: at})
            await self._redis.zremrangebyscore(keys.home_tabs(), "-inf", f"({since}")

    async def homes(self, *, since: float, most: int) -> list[str]:
        """Return the people who opened their home tab since a time, the latest first."""
        with reaching_store():
            found: Any = await self._redis.zrevrangebyscore(
                keys.home_tabs(), "+inf", since, start=0, num=most
            )
        return [person.decode() for person in found]

    async def choose(self, person: str, persona: str, ttl: timedelta) -> None:
        """Store for `ttl` which persona a person chose last."""
        with reaching_store():
            await self._redis.set(keys.last_choice(person), persona, px=int(ttl.total_seconds() * 1000))

    async def last_choice(self, person: str) -> str:
        """Return the persona that a person chose last; empty where none is known."""
        with reaching_store():
            value: Any = await self._redis.get(keys.last_choice(person))
        return value.decode() if value else ""

    async def offer(self, offer_id: str, task: bytes, ttl: timedelta) -> None:
        """Store for `ttl` a task that was offered."""
        with reaching_store():
            await self._redis.set(keys.offer(offer_id), task, px=int(ttl.total_seconds() * 1000))

    async def offered(self, offer_id: str) -> bytes | None:
        """Return a task that was offered; None where it is not stored any more."""
        with reaching_store():
            task: Any = await self._redis.get(keys.offer(offer_id))
        return task  # type: ignore[no-any-return]

    async def note_lack(self, feature: str, ttl: timedelta) -> None:
        """Store for `ttl` that the workspace does not have a feature."""
        with reaching_store():
            await self._redis.set(keys.lacking(feature), b"1", px=int(ttl.total_seconds() * 1000))

    async def lacks(self, feature: str) -> bool:
        """Return whether the workspace was found not to have a feature."""
        with reaching_store():
            return bool(await self._redis.exists(keys.lacking(feature)))

    async def set_rate_limit(self, scope: str, wait: timedelta) -> None:
        """Store that nothing is sent to `scope` for the time `wait`."""
        with reaching_store():
            await self._redis.set(keys.rate_limit(scope), b"1", px=int(wait.total_seconds() * 1000))

    async def rate_limited_for(self, scope: str) -> timedelta | None:
        """Return how long nothing is sent to `scope`; None where nothing limits it."""
        with reaching_store():
            left = await self._redis.pttl(keys.rate_limit(scope))
        return timedelta(milliseconds=left) if left > 0 else None

    async def take_slot(
        self, scope: str, member: str, *, interval: timedelta, burst: int, rank: int, waits: bool = True
    ) -> timedelta:
        """Take a slot of a rate; zero when it is taken, else how long to wait before asking again.

        A rate is one slot an `interval`, and `burst` slots that were not used before. Members that wait have their
        turns one interval apart, those of each `rank` in a row of their own. A rank with a smaller burst takes no slot
        while those with a larger one use all that there are. A member that does not wait gets no turn.
        """
        milliseconds = int(interval.total_seconds() * 1000)
        with reaching_store():
            wait = await rates.take_slot(
                self._redis, scope, member, interval_ms=milliseconds, burst=burst, rank=rank, waits=waits
            )
        return timedelta(milliseconds=wait)
