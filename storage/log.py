"""The log of each session and what moves with it: one atomic append, reads from a position, snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from redis.asyncio import Redis

from storage import keys, scripts
from storage.connection import reaching_store
from storage.errors import IdempotencyKeyKnown, LeaseLost, VersionConflict


@dataclass(frozen=True)
class Claim:
    """An idempotency key with the value to remember; a key that is known already stops the append."""

    key: str
    value: bytes
    ttl: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Lease:
    """What a worker holds while it works on one job of a queue."""

    session_id: str
    entry: str
    token: str


@dataclass(frozen=True)
class Birth:
    """Another session of the same partition, whose log begins in the same step."""

    session_id: str
    events: Sequence[bytes]
    effects: Effects


@dataclass(frozen=True)
class Effects:
    """What moves with an append. Scores of indexes and timers are milliseconds; None removes the row.

    `wakes` are queues in which other sessions of the same partition are put.
    `lease` is the writer's own: without it nothing is appended, its queue is not marked dirty by its own appends,
    and `release` gives it up.
    """

    indexes: Mapping[str, float | None] = field(default_factory=dict)
    timers: Mapping[str, float | None] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    enqueue: Sequence[keys.QueueName] = ()
    births: Sequence[Birth] = ()
    wakes: Sequence[tuple[str, keys.QueueName]] = ()
    claim: Claim | None = None
    lease: Lease | None = None
    release: bool = False


@dataclass(frozen=True)
class Appended:
    version: int
    released: bool


@dataclass(frozen=True)
class Stored:
    """A log from a position: the events after the first `start`; a snapshot of those, if one was read.

    `length` is how many events there are in all: fewer than `start` where the log is another one by now.
    """

    start: int
    snapshot: bytes | None
    events: list[bytes]
    length: int


class LogStore:
    """Reads and appends session logs. Raises StoreUnavailable when the server cannot be reached."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._append = redis.register_script(scripts.APPEND)
        self._load = redis.register_script(scripts.LOAD)

    async def append(
        self, session_id: str, expected: int, events: Sequence[bytes], effects: Effects
    ) -> Appended:
        """Append at version `expected` with all effects, or change nothing.

        A session id of `births` that is taken already is a conflict too. Raises VersionConflict, LeaseLost, or
        IdempotencyKeyKnown with the value remembered under the key.
        """
        tag = keys.tag(keys.partition_of(session_id))
        claim, lease = effects.claim, effects.lease
        arguments: list[Any] = [session_id, expected]
        arguments += [claim.key, claim.value, int(claim.ttl.total_seconds())] if claim else ["", "", 0]
        arguments += [lease.token if lease else "", len(events), *events]
        arguments += [len(effects.births), *(birth.session_id for birth in effects.births)]
        arguments += _operations(effects)
        with reaching_store():
            outcome, value, released = await self._append(keys=[keys.log(session_id), tag], args=arguments)
        if outcome == b"conflict":
            raise VersionConflict(expected, value)
        if outcome == b"lost":
            raise LeaseLost
        if outcome == b"known":
            raise IdempotencyKeyKnown(value)
        return Appended(version=value, released=bool(released))

    async def load(self, session_id: str, known: int = 0) -> Stored:
        """The events after the first `known`, or after the snapshot when `known` is 0."""
        with reaching_store():
            answer = await self._load(keys=[keys.log(session_id), keys.snapshot(session_id)], args=[known])
        version, state, events, length = answer
        return Stored(int(version or known), state, events, length)

    async def read(self, session_id: str, start: int = 0, stop: int = -1) -> list[bytes]:
        """The stored events from position `start` (from 0) to `stop` inclusive."""
        with reaching_store():
            return cast(list[bytes], await self._redis.lrange(keys.log(session_id), start, stop))

    async def length(self, session_id: str) -> int:
        """How many events there are; 0 where there is no such session."""
        with reaching_store():
            return int(await self._redis.llen(keys.log(session_id)))

    async def lengths(self, *, start: int, limit: int, partition: int = 0) -> list[tuple[str, int]]:
        """Sessions from place `start` on, the newest first, each with how many events it has."""
        with reaching_store():
            rows: Any = await self._redis.zrange(
                keys.index(partition, "all"), start, start + limit - 1, desc=True
            )
            ids = [row.decode() for row in rows]
            pipe = self._redis.pipeline(transaction=False)
            for session_id in ids:
                pipe.llen(keys.log(session_id))
            return list(zip(ids, await pipe.execute(), strict=True))

    async def last_events(self, session_ids: Sequence[str]) -> list[bytes]:
        """The last event of each, empty where there is none."""
        with reaching_store():
            pipe = self._redis.pipeline(transaction=False)
            for session_id in session_ids:
                pipe.lindex(keys.log(session_id), -1)
            return [event or b"" for event in await pipe.execute()]

    async def save_snapshot(self, session_id: str, version: int, state: bytes) -> None:
        """Keep a fold up to `version`; only a cache, dropped with `drop_snapshot` when it cannot be read."""
        with reaching_store():
            await self._redis.hset(keys.snapshot(session_id), mapping={"version": version, "state": state})

    async def drop_snapshot(self, session_id: str) -> None:
        with reaching_store():
            await self._redis.delete(keys.snapshot(session_id))

    async def blob(self, partition: int, digest: str) -> bytes | None:
        with reaching_store():
            return cast(bytes | None, await self._redis.hget(keys.blobs(partition), digest))

    async def index(
        self, name: str, *, partition: int = 0, before: float | None = None, limit: int = 20
    ) -> list[tuple[str, float]]:
        """Sessions of an index with their scores, highest first, strictly below `before`."""
        top: Any = "+inf" if before is None else f"({before}"
        with reaching_store():
            rows: Any = await self._redis.zrange(
                keys.index(partition, name),
                top,
                "-inf",
                desc=True,
                byscore=True,
                withscores=True,
                offset=0,
                num=limit,
            )
        return [(row[0].decode(), float(row[1])) for row in rows]

    async def count(self, name: str, *, partition: int = 0) -> int:
        with reaching_store():
            return int(await self._redis.zcard(keys.index(partition, name)))


def _operations(effects: Effects) -> list[Any]:
    flat: list[Any] = []
    for name, score in effects.indexes.items():
        flat += ["unindex", name] if score is None else ["index", name, score]
    for name, due in effects.timers.items():
        flat += ["untimer", name] if due is None else ["timer", name, due]
    for digest, content in effects.blobs.items():
        flat += ["blob", digest, content]
    for queue in effects.enqueue:
        flat += ["enqueue", queue]
    if effects.release and effects.lease:
        flat += ["release", effects.lease.entry]
    for birth in effects.births:
        flat += ["for", birth.session_id]
        for event in birth.events:
            flat += ["push", event]
        flat += _operations(birth.effects)
    for session_id, queue in effects.wakes:
        flat += ["for", session_id, "enqueue", queue]
    return flat
