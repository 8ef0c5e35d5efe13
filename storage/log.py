"""The logs of sessions: an atomic append with its effects, reads from a position, snapshots and indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from redis.asyncio import Redis

from storage import keys
from storage.connection import durable, reaching_store, together
from storage.errors import IdempotencyKeyKnown, LeaseLost, TooManyClaims, VersionConflict
from storage.keys import TimerKey
from storage.partitions import Partitions
from storage.scripts import jobs, records
from storage.scripts.append import ClaimRow, Operations, append
from storage.scripts.lua import NOTHING, Known

# Keys that one step of a scan looks at.
SCANNED = 1000
# A session and its score in an index.
Row = tuple[str, float]


CLAIM_TTL = timedelta(days=1)
MOST_CLAIMS = 20_000


@dataclass(frozen=True)
class Claim:
    """An idempotency key with the value to store under it; an append with a known key is refused.

    `sender` is whose key it is, of which a partition stores at most `MOST_CLAIMS`.
    """

    key: str
    value: bytes
    ttl: timedelta = CLAIM_TTL
    sender: str = ""


@dataclass(frozen=True)
class Lease:
    """The lease of a worker on one job of a queue; `entry` is the id of the job in its stream."""

    session_id: str
    entry: str
    token: str


@dataclass(frozen=True)
class NewLog:
    """A new session of the same partition, whose log begins in the same append."""

    session_id: str
    events: Sequence[bytes]
    effects: Effects


@dataclass(frozen=True)
class Effects:
    """Changes that are made together with an append. Scores and due times are in ms since 1970; None removes a row.

    `enqueue_others` are other sessions of the same partition, each with the queue to put it in. `lease` is that of the
    writer: where it is lost, nothing is appended; the writer's own appends do not mark its job as dirty; `release`
    releases it. `unhurried`: a job of the outbox that is due later is left to its time.
    """

    indexes: Mapping[str, float | None] = field(default_factory=dict)
    timers: Mapping[TimerKey, float | None] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    enqueue: Sequence[keys.QueueName] = ()
    unhurried: bool = False
    new_logs: Sequence[NewLog] = ()
    enqueue_others: Sequence[tuple[str, keys.QueueName]] = ()
    claim: Claim | None = None
    lease: Lease | None = None
    release: bool = False


@dataclass(frozen=True)
class AppendResult:
    version: int
    released: bool


@dataclass(frozen=True)
class StoredLog:
    """The events of a log after the first `start`, and a snapshot of the state after those, if one was read.

    `length` is the number of all events; it is less than `start` where the log was lost or replaced in part.
    """

    start: int
    snapshot: bytes | None
    events: list[bytes]
    length: int


class LogStore:
    """Reads and appends session logs. Methods without a session id read all partitions. Raises StoreUnavailable."""

    def __init__(self, redis: Redis, partitions: Partitions | None = None) -> None:
        self._redis = redis
        self.partitions = partitions or Partitions(redis)

    async def append(
        self,
        session_id: str,
        expected: int,
        events: Sequence[bytes],
        effects: Effects,
        *,
        mark: bytes = b"",
    ) -> AppendResult:
        """Append at version `expected` with all effects, or change nothing.

        `mark` is a text that the last of the expected events has: a primary may have been lost with it, and another
        event may be in its place.

        Raises VersionConflict, also where a session id of `new_logs` is in use; LeaseLost; IdempotencyKeyKnown with
        the value stored under the key; or TooManyClaims.
        """
        operations = Operations(keys.partition_of(session_id))
        _add_effects(operations, effects)
        if expected == 0 and operations.partition:
            await self.partitions.record(operations.partition)
        claim, lease = effects.claim, effects.lease
        with reaching_store():
            outcome, found, released = await append(
                durable(self._redis),
                session_id,
                expected=Known(expected, mark),
                events=events,
                token=lease.token if lease else "",
                claim=ClaimRow(**vars(claim), most=MOST_CLAIMS) if claim else None,
                new_logs=[new.session_id for new in effects.new_logs],
                operations=operations,
            )
        if isinstance(found, bytes):
            raise IdempotencyKeyKnown(found)
        if outcome == "conflict":
            raise VersionConflict(expected, found)
        if outcome == "lost":
            raise LeaseLost
        if outcome == "full":
            await self.partitions.forget(claim.key if claim else "")
            raise TooManyClaims(MOST_CLAIMS)
        return AppendResult(version=found, released=released)

    async def confirm(self, lease: Lease) -> bool:
        """Return whether a lease of the ready queue still belongs to its holder; if so, it is renewed."""
        queue = keys.queue(keys.partition_of(lease.session_id), "ready")
        with reaching_store():
            return await jobs.confirm(self._redis, queue, **vars(lease))

    async def confirm_written(self, session_id: str) -> None:
        """Wait until as many replicas as an append needs have all that was written before. Raises StoreUnavailable."""
        replicated = durable(self._redis)
        if replicated is not self._redis:
            with reaching_store():
                await replicated.set(keys.write_probe(keys.partition_of(session_id)), b"1", ex=60)

    async def claim_of(self, partition: int, key: str) -> bytes | None:
        """Return the value stored under an idempotency key in this partition; None where the key was not used."""
        with reaching_store():
            return cast(bytes | None, await self._redis.get(keys.claim(partition, key)))

    async def load(self, session_id: str, known: Known = NOTHING) -> StoredLog:
        """Return the events after the `known` ones, or after the snapshot when none is known."""
        with reaching_store():
            version, state, events, length = await records.load(self._redis, session_id, known=known)
        return StoredLog(int(version or known.version), state, events, length)

    async def read(self, session_id: str, start: int = 0, stop: int = -1) -> list[bytes]:
        """Return the stored events from position `start` (from 0) to `stop` inclusive."""
        with reaching_store():
            return cast(list[bytes], await self._redis.lrange(keys.log(session_id), start, stop))

    async def length(self, session_id: str) -> int:
        """Return the number of events of a session; 0 where there is no such session."""
        with reaching_store():
            return int(await self._redis.llen(keys.log(session_id)))

    async def lengths(self, session_ids: Sequence[str]) -> list[int]:
        """Return the numbers of events of the sessions, in order."""
        with reaching_store():
            return await together(self._redis.llen(keys.log(session_id)) for session_id in session_ids)

    async def last_events(self, session_ids: Sequence[str]) -> list[bytes]:
        """Return the last events of the sessions, in order; empty bytes where there is none."""
        with reaching_store():
            found = await together(self._redis.lindex(keys.log(sid), -1) for sid in session_ids)
            return [event or b"" for event in found]

    async def save_snapshot(self, session_id: str, known: Known, state: bytes) -> None:
        """Store the state after the `known` events. It is only a cache, which `drop_snapshot` removes."""
        row: Any = {"version": known.version, "mark": known.mark, "state": state}
        with reaching_store():
            await self._redis.hset(keys.snapshot(session_id), mapping=row)

    async def drop_snapshot(self, session_id: str) -> None:
        with reaching_store():
            await self._redis.delete(keys.snapshot(session_id))

    async def blob(self, partition: int, digest: str) -> bytes | None:
        with reaching_store():
            return cast(bytes | None, await self._redis.hget(keys.blobs(partition), digest))

    async def index(self, name: str, *, after: Row | None = None, limit: int = 20) -> list[Row]:
        """Return the sessions of an index with their scores, by descending score and then descending id.

        `after` is the last row of the page before. No row is skipped or repeated as long as the scores do not change.
        """
        wanted = limit
        while True:
            rows = await self._highest(name, "+inf" if after is None else after[1], wanted)
            found = [row for row in rows if after is None or (row[1], row[0]) < (after[1], after[0])]
            # Rows with the score of `after` may come before it, in which case more rows are read.
            if len(found) >= limit or len(rows) < wanted:
                return found[:limit]
            wanted *= 2

    async def score(self, name: str, session_id: str) -> float | None:
        """Return the score of a session in an index; None where it is not in it."""
        with reaching_store():
            found = await self._redis.zscore(keys.index(keys.partition_of(session_id), name), session_id)
        return None if found is None else float(found)

    async def unlisted(self, cursor: int) -> tuple[int, list[str]]:
        """Return sessions with a log that are not in the index `all`, of those found by a scan from `cursor` on.

        Returns also the cursor for the next ones, 0 at the end.
        """
        with reaching_store():
            found: Any = await self._redis.scan(cursor, match=keys.logs(), count=SCANNED)
            ids = [name.decode().rpartition(":")[2] for name in found[1]]
            scores = await together(
                self._redis.zscore(keys.index(keys.partition_of(sid), "all"), sid) for sid in ids
            )
        return int(found[0]), [sid for sid, score in zip(ids, scores, strict=True) if score is None]

    async def _highest(self, name: str, top: float | str, limit: int) -> list[Row]:
        """Return the highest rows with a score of at most `top`, merged from all partitions."""

        def command(redis: Redis, partition: int) -> Any:
            key = keys.index(partition, name)
            return redis.zrange(
                key, top, "-inf", desc=True, byscore=True, withscores=True, offset=0, num=limit
            )

        parts = await self.partitions.ask(command)
        rows = [(row[0].decode(), float(row[1])) for part in parts for row in part]
        return sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)[:limit]

    async def count(self, name: str) -> int:
        """Return the number of sessions in an index."""
        return sum(await self.partitions.ask(lambda redis, p: redis.zcard(keys.index(p, name))))

    async def missing(self, wanted: Mapping[str, Effects]) -> dict[str, Effects]:
        """Return the index rows and timers in `wanted` that are missing, by the sessions that miss one."""
        asked: list[Any] = []
        for session_id, effects in wanted.items():
            partition = keys.partition_of(session_id)
            asked += [self._redis.zscore(keys.index(partition, name), session_id) for name in effects.indexes]
            asked += [self._redis.zscore(keys.timers(partition), timer.encode()) for timer in effects.timers]
        with reaching_store():
            answers = iter(await together(asked))
        found: dict[str, Effects] = {}
        for session_id, effects in wanted.items():
            indexes = {name: score for name, score in effects.indexes.items() if next(answers) is None}
            timers = {timer: due for timer, due in effects.timers.items() if next(answers) is None}
            if indexes or timers:
                found[session_id] = Effects(indexes=indexes, timers=timers)
        return found


def _add_effects(operations: Operations, effects: Effects) -> None:
    for name, score in effects.indexes.items():
        if score is None:
            operations.unset_index(name)
        else:
            operations.set_index(name, score)
    for timer, due in effects.timers.items():
        if due is None:
            operations.unset_timer(timer)
        else:
            operations.set_timer(timer, due)
    for digest, content in effects.blobs.items():
        operations.keep_blob(digest, content)
    for queue in effects.enqueue:
        operations.enqueue(queue, hurried=not _waits(queue, effects))
    if effects.release and effects.lease:
        operations.release(keys.queue(operations.partition, "ready"), effects.lease.entry)
    for new in effects.new_logs:
        operations.switch_to(new.session_id)
        operations.begin_log(new.session_id, new.events)
        _add_effects(operations, new.effects)
    for session_id, queue in effects.enqueue_others:
        operations.switch_to(session_id)
        operations.enqueue(queue, hurried=not _waits(queue, effects))


def _waits(queue: keys.QueueName, effects: Effects) -> bool:
    return queue == "outbox" and effects.unhurried
