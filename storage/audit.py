"""Rows of the audit that no log has: refusals outside of logs, and who has opened a call in full."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store, together
from storage.scripts import records

# How many refusals are kept of one actor, of how many actors, and how far apart two of the same attempt are.
MOST_OF_ONE, MOST_ACTORS, APART = 50, 500, timedelta(minutes=10)
# How long it is known who has opened a call, and how many such marks a session has.
OPENED, MOST_OPENED = timedelta(days=90), 5000


class RefusalRow(NamedTuple):
    """A stored refusal with its number; `at` is in ms since 1970 by the clock of the store."""

    number: int
    at: int
    row: bytes


class AuditStore:
    """Stores and reads such rows. Methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def refuse(self, actor: str, what: str, row: bytes) -> bool:
        """Store a refusal of `what`. Returns False where the same was stored a short time ago."""
        with reaching_store():
            return await records.add_refusal(
                self._redis,
                actor=actor,
                what=what,
                row=row,
                apart_ms=int(APART.total_seconds() * 1000),
                most_of_one=MOST_OF_ONE,
                most_actors=MOST_ACTORS,
            )

    async def refusals(self) -> AsyncIterator[RefusalRow]:
        """Yield the refusals, those of one actor after those of another."""
        cursor = 0
        while True:
            with reaching_store():
                found: Any = await self._redis.hscan(keys.refusals(), cursor, count=20)
            cursor, rows = int(found[0]), found[1]
            for stored in rows.values():
                for one in json.loads(stored):
                    yield RefusalRow(int(one["number"]), int(one["at"]), one["row"].encode())
            if not cursor:
                return

    async def mark_opened(self, session_id: str, mark: str) -> None:
        """Remember that somebody opened a call in full; `mark` says who and which."""
        name = keys.opened(session_id)
        with reaching_store():
            if await self._redis.scard(name) < MOST_OPENED:
                await together((self._redis.sadd(name, mark), self._redis.expire(name, OPENED)))

    async def opened(self, session_id: str) -> frozenset[str]:
        """The marks of a session."""
        with reaching_store():
            found: Any = await self._redis.smembers(keys.opened(session_id))
        return frozenset(mark.decode() for mark in found)
