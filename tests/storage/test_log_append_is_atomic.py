"""An append moves the log and everything that follows from it together, or nothing."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.errors import IdempotencyKeyKnown, LeaseLost, StoreUnavailable, VersionConflict
from storage.keys import partition_of
from storage.log import Claim, Effects, LogStore
from storage.partitions import Partitions
from storage.queue import Job, SessionQueue
from storage.scripts.lua import Known
from tests.support.queues import make_due
from tests.support.slack import wait_for

SID = "abcd-efgh"


@pytest.fixture(autouse=True, params=["", "-3"], ids=["partition-0", "partition-3"])
def _partition(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in the first partition and in another one."""
    monkeypatch.setattr(sys.modules[__name__], "SID", f"{SID}{request.param}")


async def test_of_many_writers_at_one_version_one_wins(redis: Redis) -> None:
    store = LogStore(redis)
    results = await asyncio.gather(
        *(store.append(SID, 0, [b'{"n":%d}' % n], Effects(indexes={f"w{n}": 1})) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(not isinstance(r, BaseException) for r in results) == 1
    assert sum(isinstance(r, VersionConflict) for r in results) == 19
    assert len(await store.read(SID)) == 1
    counts = [await store.count(f"w{n}") for n in range(20)]
    assert sum(counts) == 1


async def test_a_known_idempotency_key_changes_nothing_and_gives_what_was_remembered(redis: Redis) -> None:
    store, other = LogStore(redis), f"zzzz-zzzz{SID[9:]}"
    claim = Claim("k1", SID.encode())
    await store.append(SID, 0, [b"{}"], Effects(claim=claim))
    with pytest.raises(IdempotencyKeyKnown) as known:
        await store.append(other, 0, [b"{}"], Effects(claim=Claim("k1", other.encode())))
    assert known.value.value == SID.encode()
    assert await store.read(other) == []


async def test_a_lost_race_claims_no_idempotency_key(redis: Redis) -> None:
    store = LogStore(redis)
    await store.append(SID, 0, [b"{}"], Effects())
    with pytest.raises(VersionConflict):
        await store.append(SID, 0, [b"{}"], Effects(claim=Claim("k2", b"x")))
    await store.append(SID, 1, [b"{}"], Effects(claim=Claim("k2", b"x")))


async def test_load_starts_from_the_snapshot(redis: Redis) -> None:
    store = LogStore(redis)
    await store.append(SID, 0, [b"1", b"2", b"3"], Effects())
    await store.save_snapshot(SID, Known(2), b"folded")
    stored = await store.load(SID)
    assert (stored.start, stored.snapshot, stored.events) == (2, b"folded", [b"3"])
    assert (await store.load(SID, known=Known(1))).events == [b"2", b"3"]


@pytest.fixture
async def queue(redis: Redis) -> SessionQueue:
    queue = SessionQueue(redis, redis, "ready", Partitions(redis, 4))
    await queue.open()
    return queue


async def _take(queue: SessionQueue, consumer: str = "c1") -> list[Job]:
    return await queue.take(consumer, limit=10, block=timedelta(milliseconds=50))


async def test_a_session_is_queued_once_and_comes_again_when_dirty(redis: Redis, queue: SessionQueue) -> None:
    store = LogStore(redis)
    await store.append(SID, 0, [b"1"], Effects(enqueue=["ready"]))
    await store.append(SID, 1, [b"2"], Effects(enqueue=["ready"]))
    [(entry, sid)] = await _take(queue)
    started = await queue.start(queue.lease(Job(entry, sid)))
    assert started is not None
    assert started.log.events == [b"1", b"2"]
    await store.append(SID, 2, [b"3"], Effects(enqueue=["ready"]))
    assert await _take(queue) == []
    await queue.done(started.lease)
    [(again, _)] = await _take(queue)
    second = await queue.start(queue.lease(Job(again, sid)), known=Known(2))
    assert second is not None
    assert second.log.events == [b"3"]
    await queue.done(second.lease)
    assert await queue.depth() == 0
    assert await redis.hlen(queue.keys_in(partition_of(SID)).state) == 0


async def test_the_last_append_can_give_the_job_up(redis: Redis, queue: SessionQueue) -> None:
    store = LogStore(redis)
    await store.append(SID, 0, [b"1"], Effects(enqueue=["ready"]))
    [(entry, sid)] = await _take(queue)
    started = await queue.start(queue.lease(Job(entry, sid)))
    assert started is not None
    own = Effects(enqueue=["ready"], lease=started.lease, release=True)
    assert (await store.append(SID, 1, [b"2"], own)).released
    assert await queue.depth() == 0


async def test_a_job_whose_worker_died_is_redelivered_and_the_old_lease_is_void(
    redis: Redis, queue: SessionQueue
) -> None:
    await LogStore(redis).append(SID, 0, [b"launched"], Effects(enqueue=["ready"]))
    [(entry, sid)] = await _take(queue, "dead")
    old = await queue.start(queue.lease(Job(entry, sid)))
    assert old is not None
    await asyncio.sleep(0.06)
    assert await queue.reclaim("alive", lease=timedelta(seconds=5), limit=10) == []
    [(entry, sid)] = await queue.reclaim("alive", lease=timedelta(milliseconds=50), limit=10)
    new = await queue.start(queue.lease(Job(entry, sid)))
    assert new is not None
    assert new.tries == 1
    await queue.done(old.lease)
    assert await queue.depth() == 1
    await queue.done(new.lease)
    # What the old one did last may be older than what the new one did: the session is looked at once more.
    [(entry, sid)] = await _take(queue, "alive")
    again = await queue.start(queue.lease(Job(entry, sid)))
    assert again is not None
    await redis.delete(keys.log(SID))
    await queue.done(new.lease)
    await queue.done(again.lease)
    # What is gone is not queued by a worker that is late.
    assert await queue.depth() == 0


async def test_a_writer_whose_lease_is_lost_appends_nothing(redis: Redis, queue: SessionQueue) -> None:
    log = LogStore(redis)
    await log.append(SID, 0, [b"launched"], Effects(enqueue=["ready"]))
    [(entry, sid)] = await _take(queue, "stalled")
    old = await queue.start(queue.lease(Job(entry, sid)))
    assert old is not None
    [(entry, sid)] = await queue.reclaim("alive", lease=timedelta(), limit=10)
    new = await queue.start(queue.lease(Job(entry, sid)))
    assert new is not None
    with pytest.raises(LeaseLost):
        await log.append(SID, 1, [b"stale"], Effects(lease=old.lease))
    await log.append(SID, 1, [b"fresh"], Effects(lease=new.lease))
    assert await log.read(SID) == [b"launched", b"fresh"]


async def test_a_queue_whose_store_came_back_empty_is_made_again(redis: Redis, queue: SessionQueue) -> None:
    await redis.flushdb()
    with pytest.raises(StoreUnavailable):
        await _take(queue)
    await queue.enqueue(SID)
    assert [sid for _, sid in await _take(queue)] == [SID]


async def test_a_renewed_job_is_not_redelivered(queue: SessionQueue) -> None:
    await queue.enqueue(SID)
    [job] = await _take(queue, "slow")
    for _ in range(3):
        await asyncio.sleep(0.04)
        await queue.renew("slow", [job], lease=timedelta(seconds=6))
    assert await queue.reclaim("other", lease=timedelta(milliseconds=60), limit=10) == []


async def test_a_job_whose_entry_is_lost_is_jobless_once_no_worker_is_at_it(
    redis: Redis, queue: SessionQueue
) -> None:
    await queue.enqueue(SID)
    [(entry, sid)] = await _take(queue)
    job = Job(entry, sid)
    assert await queue.start(queue.lease(job)) is not None
    names = queue.keys_in(partition_of(SID))
    await redis.delete(names.stream)
    await queue.open()
    await queue.renew("alive", [job], lease=timedelta(hours=1))
    assert await queue.jobless() == {}
    # Its worker dies: nobody says so any more, and the last sign of it ends.
    await redis.delete(keys.busy(names.stream, SID))
    assert list(await queue.jobless()) == [SID]
    await queue.renew("alive", [job], lease=timedelta(milliseconds=1))

    async def gone() -> bool:
        return list(await queue.jobless()) == [SID]

    await wait_for(gone)


async def test_later_means_later_unless_something_happens(redis: Redis, queue: SessionQueue) -> None:
    await queue.enqueue(SID)
    [(entry, sid)] = await _take(queue)
    started = await queue.start(queue.lease(Job(entry, sid)))
    assert started is not None
    hour = timedelta(hours=1)
    assert await queue.retry(started.lease, wait=hour, failed=True) == 1
    assert await queue.promote_due() == 0
    assert await _take(queue) == []
    await make_due(redis, queue, partition_of(SID))
    assert await queue.promote_due() == 1
    [(entry, sid)] = await _take(queue)
    started = await queue.start(queue.lease(Job(entry, sid)))
    assert started is not None
    assert started.tries == 1
    await queue.retry(started.lease, wait=hour, failed=False)
    await queue.enqueue(SID)
    assert len(await _take(queue)) == 1
    await make_due(redis, queue, partition_of(SID))
    assert await queue.promote_due() == 0


async def test_a_troubled_job_is_listed_until_it_is_given_up(redis: Redis, queue: SessionQueue) -> None:
    await queue.enqueue(SID)
    [(entry, sid)] = await _take(queue)
    started = await queue.start(queue.lease(Job(entry, sid)))
    assert started is not None
    await queue.retry(started.lease, wait=None, failed=True, trouble="damaged")
    assert await queue.troubles() == {SID: "damaged"}
    [job] = await queue.take("c1", limit=1, block=timedelta(seconds=1))
    started = await queue.start(queue.lease(job))
    assert started is not None
    await LogStore(redis).append(SID, 0, [b"paused"], Effects(lease=started.lease, release=True))
    assert (await queue.troubles(), await queue.depth()) == ({}, 0)
