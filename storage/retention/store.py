"""What is to be collected, what was, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store
from storage.keys import TimerKey
from storage.log import SCANNED, Row
from storage.partitions import Partitions
from storage.retention import scripts
from storage.retention.scripts import ARCHIVED, Outcome

# How many archived sessions are known of each partition: some 18 MB of the store.
MOST_ARCHIVED = 100_000
# A process that is not heard of for so long has lost its turn.
TURN = timedelta(minutes=2)
_KEPT = timedelta(days=2)


class RetentionStore:
    """Methods without a session id are about all partitions. They raise StoreUnavailable."""

    def __init__(self, redis: Redis, partitions: Partitions, *, most: int = MOST_ARCHIVED) -> None:
        self._redis, self._partitions, self._most = redis, partitions, most

    async def oldest(self, before: datetime, *, after: Row | None = None, limit: int) -> list[Row]:
        """Return the sessions that ended before a time, the first ones first; `after` is the last of those before."""
        wanted, top = limit, f"({_ms(before)}"
        while True:
            low, number = "-inf" if after is None else after[1], wanted

            def command(redis: Redis, partition: int, low: Any = low, number: int = number) -> Any:
                key = keys.index(partition, "ended")
                return redis.zrange(key, low, top, byscore=True, withscores=True, offset=0, num=number)

            parts = await self._partitions.ask(command)
            found = [(row[0].decode(), float(row[1])) for part in parts for row in part]
            rows = sorted(found, key=_by_time)[:wanted]
            following = [row for row in rows if after is None or _by_time(row) > _by_time(after)]
            # Rows with the score of `after` may come before it, in which case more rows are read.
            if len(following) >= limit or len(rows) < wanted:
                return following[:limit]
            wanted *= 2

    async def collect(
        self,
        session_id: str,
        version: int,
        ended: datetime,
        *,
        indexes: Sequence[str],
        timers: Sequence[TimerKey],
        places: Sequence[str],
    ) -> Outcome:
        """Remove a session at `version` and note it as archived; `unbind` has to follow for its places."""
        with reaching_store():
            return await scripts.collect(
                self._redis,
                session_id,
                expected=version,
                ended_ms=_ms(ended),
                most=self._most,
                indexes=indexes,
                timers=timers,
                places=[f"{session_id} {place}" for place in places],
            )

    async def unbind(self) -> None:
        """Remove the bindings of the places of all collected sessions."""
        for partition in await self._partitions.all():
            key = keys.unbound_places(partition)
            with reaching_store():
                rows: Any = await self._redis.smembers(key)
                for row in rows:
                    session_id, _, place = row.decode().partition(" ")
                    await scripts.unbind(self._redis, place, session_id)
                    await self._redis.srem(key, row)

    async def archived(self, session_ids: Sequence[str]) -> list[str]:
        """Return those of the sessions that are noted as archived and have no log."""
        asked: list[Any] = []
        for session_id in session_ids:
            asked.append(self._redis.zscore(keys.index(keys.partition_of(session_id), ARCHIVED), session_id))
            asked.append(self._redis.exists(keys.log(session_id)))
        with reaching_store():
            answers = await asyncio.gather(*asked)
        pairs = zip(session_ids, answers[::2], answers[1::2], strict=True)
        return [session_id for session_id, noted, there in pairs if noted is not None and not there]

    # Blobs

    async def sizes(self) -> list[int]:
        """Return the number of sessions of each partition."""
        return await self._partitions.ask(lambda redis, p: redis.zcard(keys.index(p, "all")))

    async def blobs(self) -> list[list[str]]:
        """Return the digests of the blobs of each partition."""
        found = await self._partitions.ask(lambda redis, p: redis.hkeys(keys.blobs(p)))
        return [[digest.decode() for digest in part] for part in found]

    async def first_events(self) -> AsyncIterator[list[tuple[str, bytes]]]:
        """Yield pages of all sessions with a log, with the first event of each."""
        cursor = 0
        while True:
            with reaching_store():
                found: Any = await self._redis.scan(cursor, match=keys.logs(), count=SCANNED)
                page = await self._first([name.decode().rpartition(":")[2] for name in found[1]])
            yield page
            if not (cursor := int(found[0])):
                return

    async def _first(self, session_ids: Sequence[str]) -> list[tuple[str, bytes]]:
        asked: list[Any] = [self._redis.lindex(keys.log(session_id), 0) for session_id in session_ids]
        events = await asyncio.gather(*asked)
        return [(sid, event) for sid, event in zip(session_ids, events, strict=True) if event]

    async def forget_blobs(self, partition: int, digests: Sequence[str], *, sessions: int) -> bool:
        """Remove blobs of a partition unless a session began since there were so many. Returns whether it did."""
        with reaching_store():
            return await scripts.forget_blobs(self._redis, partition, digests, sessions=sessions)

    # Turns

    async def take_turn(self, token: str) -> bool:
        """Take the turn to collect for `TURN`, or prolong it. Returns False where another process has it."""
        with reaching_store():
            return await scripts.take_turn(self._redis, token, ttl_ms=int(TURN.total_seconds() * 1000))

    async def end_turn(self, token: str) -> None:
        with reaching_store():
            await scripts.end_turn(self._redis, token)

    async def last_day(self) -> str:
        """Return the day on which all was collected last; empty where that is not known."""
        with reaching_store():
            found: Any = await self._redis.get(keys.collection_day())
        return found.decode() if found else ""

    async def note_day(self, day: str) -> None:
        with reaching_store():
            await self._redis.set(keys.collection_day(), day, ex=_KEPT)


def _by_time(row: Row) -> tuple[float, str]:
    return row[1], row[0]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
