"""A queue of sessions with leases: each session is in it once at most, and dirty ones are queued again."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import keys
from storage.connection import reaching_store, subscribe, together
from storage.damage import set_aside
from storage.errors import StoreUnavailable
from storage.keys import QueueKeys
from storage.log import Lease, StoredLog
from storage.partitions import Partitions
from storage.scripts import jobs
from storage.scripts.lua import NOTHING, Known


class Job(NamedTuple):
    """A queued session; `entry` is the id of the job in the stream of the session's partition."""

    entry: str
    session_id: str


@dataclass(frozen=True)
class StartedJob:
    """A job that is marked as busy: `tries` counts the earlier tries that failed or were lost."""

    lease: Lease
    tries: int
    log: StoredLog


class SessionQueue:
    """One queue over all partitions, read by a consumer group. Raises StoreUnavailable."""

    def __init__(
        self, redis: Redis, blocking: Redis, name: keys.QueueName, partitions: Partitions | None = None
    ) -> None:
        self._redis, self._blocking, self.name = redis, blocking, name
        self._partitions = partitions or Partitions(redis)
        self._opened: set[int] = set()
        self._takes, self._reclaims = itertools.count(), itertools.count()

    def keys_in(self, partition: int) -> QueueKeys:
        return keys.queue(partition, self.name)

    def _of(self, session_id: str) -> QueueKeys:
        return self.keys_in(keys.partition_of(session_id))

    async def open(self) -> None:
        """Create the consumer groups of the partitions that have none; keys of a wrong type are set aside."""
        self._opened.clear()
        await self._partitions.all()
        await self._open_known()

    async def _open_known(self) -> None:
        """Create the consumer groups of the known partitions that were not opened yet."""
        for partition in set(self._partitions.known) - self._opened:
            _, stream, *others = vars(self.keys_in(partition)).values()
            await set_aside(self._redis, dict(zip([stream, *others], keys.QUEUE_TYPES, strict=True)))
            try:
                with reaching_store():
                    await self._redis.xgroup_create(stream, keys.GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
            self._opened.add(partition)

    @asynccontextmanager
    async def _group(self) -> AsyncIterator[list[str]]:
        """Yield the streams of all partitions. Where the store has lost a consumer group, all are created again.

        Raises StoreUnavailable then, too.
        """
        await self._open_known()
        try:
            with reaching_store():
                yield [self.keys_in(partition).stream for partition in self._partitions.known]
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self.open()
            raise StoreUnavailable("its queue was lost and is made again") from error

    async def enqueue(self, session_id: str) -> None:
        with reaching_store():
            await jobs.enqueue(self._redis, self._of(session_id), session_id)

    async def take(self, consumer: str, *, limit: int, block: timedelta) -> list[Job]:
        """Take at most `limit` new jobs, spread over the partitions; waits up to `block` for the first one."""
        async with self._group() as streams:
            if limit >= len(streams):
                return await self._read(consumer, streams, limit // len(streams), block)
            found: list[Job] = []
            for stream in _rotate(streams, self._takes):
                if len(found) < limit:
                    found += await self._read(consumer, [stream], limit - len(found), None)
            if found:
                return found
            # The read returns one job for each partition; surplus ones are returned for other workers.
            found = await self._read(consumer, streams, 1, block)
            for job in found[limit:]:
                queue = self._of(job.session_id)
                await jobs.hand_back(self._redis, queue, session_id=job.session_id, entry=job.entry)
            return found[:limit]

    async def _read(
        self, consumer: str, streams: list[str], count: int, block: timedelta | None
    ) -> list[Job]:
        """Read at most `count` new jobs of each stream."""
        answer: Any = await self._blocking.xreadgroup(
            keys.GROUP,
            consumer,
            dict.fromkeys(streams, ">"),
            count=count,
            block=None if block is None else int(block.total_seconds() * 1000),
        )
        # The answer has a list of batches for each stream, with one batch in it.
        return [job for batches in (answer or {}).values() for batch in batches for job in _jobs(batch)]

    async def reclaim(self, consumer: str, *, lease: timedelta, limit: int) -> list[Job]:
        """Take over jobs that their worker has not renewed for `lease`, at most `limit`."""
        found: list[Job] = []
        async with self._group() as streams:
            for stream in _rotate(streams, self._reclaims):
                if len(found) < limit:
                    answer: Any = await self._redis.xautoclaim(
                        stream,
                        keys.GROUP,
                        consumer,
                        int(lease.total_seconds() * 1000),
                        "0-0",
                        count=limit - len(found),
                    )
                    found += _jobs(answer[1])
        return found

    async def renew(self, consumer: str, held: Iterable[Job], *, lease: timedelta) -> None:
        """Renew the leases of these jobs. For a job whose entry is lost, store for `lease` that a worker is at it."""
        milliseconds = int(lease.total_seconds() * 1000)
        streams: dict[str, dict[bytes, str]] = {}
        for job in held:
            streams.setdefault(self._of(job.session_id).stream, {})[job.entry.encode()] = job.session_id
        async with self._group():
            for stream, jobs_ in streams.items():
                found: Any = await self._redis.xclaim(stream, keys.GROUP, consumer, 0, [*jobs_], justid=True)
                for entry in jobs_.keys() - set(found):
                    await self._redis.set(keys.busy(stream, jobs_[entry]), b"1", px=milliseconds)

    @staticmethod
    def lease(job: Job) -> Lease:
        """Return a new lease for a taken job, which `start` makes valid."""
        return Lease(job.session_id, job.entry, secrets.token_hex(6))

    async def start(self, lease: Lease, *, known: Known = NOTHING) -> StartedJob | None:
        """Mark a taken job as busy and read its log after the `known` events. Returns None where the job is gone."""
        with reaching_store():
            answer = await jobs.start(self._redis, self._of(lease.session_id), **vars(lease), known=known)
        if answer is None:
            return None
        tries, version, snapshot, events, length = answer
        return StartedJob(lease, tries, StoredLog(int(version or known.version), snapshot, events, length))

    async def done(self, lease: Lease) -> None:
        """End the job. If another writer appended since, or the lease was lost, the session is queued again."""
        with reaching_store():
            await jobs.done(self._redis, self._of(lease.session_id), **vars(lease))

    async def retry(self, lease: Lease, *, wait: timedelta | None, failed: bool, trouble: str = "") -> int:
        """Queue the job again after `wait` (None: at once). Returns the failed tries so far, -1 if the lease was lost.

        `trouble` is listed by `troubles` until the job is done.
        """
        wait_ms = None if wait is None else int(wait.total_seconds() * 1000)
        with reaching_store():
            return await jobs.retry(
                self._redis,
                self._of(lease.session_id),
                **vars(lease),
                wait_ms=wait_ms,
                failed=failed,
                trouble=trouble,
            )

    async def promote_due(self, *, limit: int = 100) -> int:
        """Queue the delayed jobs that are due, at most `limit` of each partition. Returns how many."""
        partitions = await self._partitions.all()
        with reaching_store():
            moved = await asyncio.gather(
                *(jobs.promote_due(self._redis, self.keys_in(p), limit=limit) for p in partitions)
            )
        return sum(moved)

    async def troubles(self) -> dict[str, str]:
        """Return the sessions whose job cannot be done yet, each with the reason; they are retried without end."""
        found = await self._partitions.ask(lambda redis, p: redis.hgetall(self.keys_in(p).troubles))
        return {sid.decode(): why.decode() for rows in found for sid, why in rows.items()}

    async def jobless(self) -> dict[str, str]:
        """Return the sessions that have a state, no job, and no worker, each with its state."""
        found: dict[str, str] = {}
        for partition in await self._partitions.all():
            names = self.keys_in(partition)
            # The states are read first, so that a job queued in between is found in the stream.
            with reaching_store():
                states: Any = await self._redis.hgetall(names.state)
                jobs_: Any = await self._redis.xrange(names.stream)
                later: Any = await self._redis.zrange(names.later, 0, -1)
            held = {row[b"s"] for _, row in jobs_}, set(later)
            for sid, state in states.items():
                if sid in held[state == b"later"]:
                    continue
                with reaching_store():
                    busy = await self._redis.exists(keys.busy(names.stream, sid.decode()))
                if not busy:
                    found[sid.decode()] = state.decode()
        return found

    async def repair(self, seen: Mapping[str, str]) -> int:
        """Queue sessions that `jobless` returned, where they still have that state and no job. Returns how many."""
        repaired = 0
        for partition in {keys.partition_of(session_id) for session_id in seen}:
            rows = {sid: state for sid, state in seen.items() if keys.partition_of(sid) == partition}
            with reaching_store():
                repaired += await jobs.repair(self._redis, self.keys_in(partition), rows)
        return repaired

    async def holds(self, session_id: str) -> bool:
        """Return whether the session is queued, busy or delayed."""
        with reaching_store():
            return bool(await self._redis.hexists(self._of(session_id).state, session_id))

    async def absent(self, session_ids: Sequence[str]) -> list[str]:
        """Return those of these sessions that are neither queued nor busy nor delayed."""
        with reaching_store():
            held = await together(self._redis.hexists(self._of(sid).state, sid) for sid in session_ids)
        return [session_id for session_id, holds in zip(session_ids, held, strict=True) if not holds]

    async def prune_consumers(self, idle: timedelta) -> None:
        """Remove consumers that have no job and were idle for longer than `idle`."""
        async with self._group() as streams:
            for stream in streams:
                consumers: Any = await self._redis.xinfo_consumers(stream, keys.GROUP)
                for row in consumers:
                    if not row["pending"] and row["idle"] > idle.total_seconds() * 1000:
                        await self._redis.xgroup_delconsumer(stream, keys.GROUP, row["name"])

    async def depth(self) -> int:
        """Return the number of jobs that are queued or busy."""
        return sum(await self._partitions.ask(lambda redis, p: redis.xlen(self.keys_in(p).stream)))

    async def remove_consumer(self, consumer: str) -> None:
        """Remove a consumer from the streams in which it has no job."""
        async with self._group() as streams:
            for stream in streams:
                pending: Any = await self._redis.xpending_range(
                    stream, keys.GROUP, "-", "+", 1, consumername=consumer
                )
                if not pending:
                    await self._redis.xgroup_delconsumer(stream, keys.GROUP, consumer)

    @asynccontextmanager
    async def dirty(self) -> AsyncIterator[AsyncIterator[str]]:
        """Yield the ids of busy sessions, each when another writer appends to it."""
        async with subscribe(self._blocking, keys.dirty_pattern(self.name)) as messages:
            yield (session_id.decode() async for found in messages for session_id in found)


def _rotate(streams: list[str], turns: Iterator[int]) -> list[str]:
    """Return all streams, each time beginning with the next one."""
    first = next(turns) % len(streams)
    return streams[first:] + streams[:first]


def _jobs(rows: Iterable[Any]) -> list[Job]:
    return [Job(entry.decode(), row[b"s"].decode()) for entry, row in rows if row]
