"""A queue of sessions with leases: each session is in it at most once, and dirty ones come again.

States of a session in the hash beside the stream: `queued`, `b:<token>` (busy), `d:<token>` (busy, and
something was appended meanwhile), `later` (waits for its time in the sorted set).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import keys, scripts
from storage.connection import reaching_store
from storage.errors import StoreUnavailable
from storage.log import Lease, Stored


@dataclass(frozen=True)
class Started:
    """A job taken: `tries` counts earlier ones that failed or were lost; `log` is read once marked busy."""

    lease: Lease
    tries: int
    log: Stored


class SessionQueue:
    """One queue of one partition, read by a consumer group. Raises StoreUnavailable."""

    def __init__(self, redis: Redis, blocking: Redis, name: keys.QueueName, *, partition: int = 0) -> None:
        self._redis, self._blocking = redis, blocking
        self.name, self.partition = name, partition
        self.stream = keys.queue(partition, name)
        self._start = redis.register_script(scripts.START)
        self._done = redis.register_script(scripts.DONE)
        self._retry = redis.register_script(scripts.RETRY)
        self._pump = redis.register_script(scripts.PUMP)
        self._park = redis.register_script(scripts.PARK)
        self._enqueue = redis.register_script(scripts.ENQUEUE)

    async def open(self) -> None:
        """Make the consumer group if there is none."""
        with reaching_store():
            try:
                await self._redis.xgroup_create(self.stream, keys.GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    @asynccontextmanager
    async def _group(self) -> AsyncIterator[None]:
        """Turns errors round; a store that came back empty gets its consumer group again."""
        try:
            with reaching_store():
                yield
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self.open()
            raise StoreUnavailable("its queue was lost and is made again") from error

    async def enqueue(self, session_id: str) -> None:
        with reaching_store():
            await self._enqueue(keys=[self.stream], args=[session_id, keys.dirty_channel(self.partition)])

    async def take(self, consumer: str, *, limit: int, block: timedelta) -> list[tuple[str, str]]:
        """New jobs as (entry, session id); waits up to `block` for the first one."""
        async with self._group():
            answer: Any = await self._blocking.xreadgroup(
                keys.GROUP,
                consumer,
                {self.stream: ">"},
                count=limit,
                block=int(block.total_seconds() * 1000),
            )
        return _entries(answer)

    async def reclaim(self, consumer: str, *, lease: timedelta, limit: int) -> list[tuple[str, str]]:
        """Jobs whose worker has not renewed them for `lease`, now ours."""
        async with self._group():
            answer: Any = await self._redis.xautoclaim(
                self.stream, keys.GROUP, consumer, int(lease.total_seconds() * 1000), "0-0", count=limit
            )
        return [(entry.decode(), row[b"s"].decode()) for entry, row in answer[1] if row]

    async def renew(self, consumer: str, entries: Sequence[str]) -> None:
        """Say that this worker is still at these jobs."""
        if entries:
            async with self._group():
                await self._redis.xclaim(self.stream, keys.GROUP, consumer, 0, list(entries), justid=True)

    async def start(self, entry: str, session_id: str, *, known: int = 0) -> Started | None:
        """Mark a taken job busy and read its log after `known` events; None where the job is gone."""
        lease = Lease(session_id, entry, secrets.token_hex(6))
        with reaching_store():
            answer = await self._start(
                keys=[self.stream, keys.log(session_id), keys.snapshot(session_id)],
                args=[session_id, entry, lease.token, known],
            )
        if answer[0] == -1:
            return None
        return Started(lease, answer[0], Stored(int(answer[1] or known), *answer[2:]))

    async def done(self, lease: Lease) -> None:
        """Give the job up; if something was appended meanwhile, or it is no longer ours, it is queued again."""
        with reaching_store():
            await self._done(keys=[self.stream], args=[lease.session_id, lease.entry, lease.token])

    async def retry(self, lease: Lease, *, at: datetime | None, failed: bool) -> int:
        """Queue the job again at `at` (None: at once). Returns the failed tries so far, -1 if not ours."""
        due = "" if at is None else int(at.timestamp() * 1000)
        with reaching_store():
            return int(
                await self._retry(
                    keys=[self.stream],
                    args=[lease.session_id, lease.entry, lease.token, due, int(failed)],
                )
            )

    async def pump(self, now: datetime, *, limit: int = 100) -> int:
        """Queue what was to come later and is due at `now`; returns how many."""
        with reaching_store():
            return int(await self._pump(keys=[self.stream], args=[int(now.timestamp() * 1000), limit]))

    async def park(self, lease: Lease, why: str) -> None:
        """Take a job that fails again and again out, to be looked at by a person."""
        with reaching_store():
            await self._park(keys=[self.stream], args=[lease.session_id, lease.entry, lease.token, why])

    async def parked(self) -> dict[str, str]:
        """Session ids taken out, each with the reason."""
        with reaching_store():
            rows: Any = await self._redis.hgetall(f"{self.stream}:parked")
        return {sid.decode(): why.decode() for sid, why in rows.items()}

    async def unpark(self, session_id: str) -> None:
        with reaching_store():
            await self._redis.hdel(f"{self.stream}:parked", session_id)

    async def holds(self, session_id: str) -> bool:
        """Whether the session is queued, under way or to come later."""
        with reaching_store():
            return bool(await self._redis.hexists(f"{self.stream}:state", session_id))

    async def tidy(self, idle: timedelta) -> None:
        """Forget consumers of workers that are long gone and hold nothing."""
        with reaching_store():
            consumers: Any = await self._redis.xinfo_consumers(self.stream, keys.GROUP)
            for row in consumers:
                if not row["pending"] and row["idle"] > idle.total_seconds() * 1000:
                    await self._redis.xgroup_delconsumer(self.stream, keys.GROUP, row["name"])

    async def depth(self) -> int:
        """Jobs queued or under way."""
        with reaching_store():
            return int(await self._redis.xlen(self.stream))

    async def leave(self, consumer: str) -> None:
        """Remove a consumer that holds nothing."""
        async with self._group():
            pending: Any = await self._redis.xpending_range(
                self.stream, keys.GROUP, "-", "+", 1, consumername=consumer
            )
            if not pending:
                await self._redis.xgroup_delconsumer(self.stream, keys.GROUP, consumer)

    @asynccontextmanager
    async def dirty(self) -> AsyncIterator[AsyncIterator[str]]:
        """Ids of busy sessions at the moment something is appended to them by somebody else."""
        pubsub = self._blocking.pubsub(ignore_subscribe_messages=True)
        try:
            with reaching_store():
                await pubsub.subscribe(keys.dirty_channel(self.partition))
            yield _messages(pubsub)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


async def _messages(pubsub: Any) -> AsyncIterator[str]:
    while True:
        with reaching_store():
            message = await pubsub.get_message(timeout=20)
        if message is not None:
            yield message["data"].decode()


def _entries(answer: Any) -> list[tuple[str, str]]:
    if not answer:
        return []
    rows: list[tuple[str, str]] = []
    streams = answer.items() if isinstance(answer, dict) else answer
    for _, batch in streams:
        flat = batch[0] if isinstance(answer, dict) else batch
        rows += [(entry.decode(), row[b"s"].decode()) for entry, row in flat]
    return rows
