"""Every partition is read, whichever number a process was started with, and each gets its turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.change_feed import ChangeFeed
from storage.errors import StoreUnavailable
from storage.keys import TimerKey, partition_of
from storage.log import Effects, LogStore, NewLog, Row
from storage.partitions import Partitions
from storage.queue import Job, SessionQueue
from storage.scripts import jobs
from storage.timers import TimerStore
from supervisor.repository import Sessions
from supervisor.runtime import sweeper
from tests.support.slack import wait_for

FOUR = [f"abcd-efgh{suffix}" for suffix in ("", "-1", "-2", "-3")]
AT_ONCE = timedelta(milliseconds=50)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DUE = NOW.timestamp() * 1000


async def launch(store: LogStore, session_id: str, score: float = 1.0) -> None:
    effects = Effects(
        indexes={"all": score, "running": score},
        timers={TimerKey(session_id, "t1"): DUE},
        enqueue=["ready", "outbox"],
    )
    await store.append(session_id, 0, [b"launched"], effects)


async def opened(redis: Redis, partitions: Partitions) -> SessionQueue:
    queue = SessionQueue(redis, redis, "ready", partitions)
    await queue.open()
    return queue


async def taken(queue: SessionQueue, limit: int = 100, consumer: str = "c1") -> list[str]:
    return [job.session_id for job in await queue.take(consumer, limit=limit, block=AT_ONCE)]


# Ids


@pytest.mark.parametrize(
    "session_id",
    [
        *("abcd", "abcd-", "-efgh", "abcd-efgh-", "schedule"),
        *(f"abcd-efgh-{end}" for end in ("0", "07", "x", "٣", "256", "99999999", "1-2")),
    ],
)
def test_other_forms_name_no_partition(session_id: str) -> None:
    with pytest.raises(ValueError):
        partition_of(session_id)


def test_an_id_names_its_partition_and_a_timer_lives_there() -> None:
    assert [partition_of(session_id) for session_id in [*FOUR, "abcd-efgh-255"]] == [0, 1, 2, 3, 255]
    for timer in (
        TimerKey("abcd-efgh-3", "t1"),
        TimerKey("abcd-efgh-3", "p1.2"),
        TimerKey("schedule", "a|b"),
    ):
        assert TimerKey.parse(timer.encode()) == timer
    assert [TimerKey(owner, "t1").partition for owner in (*FOUR, "schedule")] == [0, 1, 2, 3, 0]


# Growth


async def test_what_a_process_with_more_partitions_began_is_found_by_one_with_fewer(redis: Redis) -> None:
    few, many = LogStore(redis, Partitions(redis, 1)), LogStore(redis, Partitions(redis, 4))
    queue, timers = await opened(redis, few.partitions), TimerStore(redis, redis, few.partitions)
    assert await few.index("all") == []
    for score, session_id in enumerate(FOUR):
        await launch(many, session_id, float(score))
        newest = FOUR[score::-1]
        assert [row[0] for row in await few.index("all")] == newest
        assert await few.count("running") == await queue.depth() == await timers.count() == score + 1
    assert await timers.next_due(NOW + timedelta(seconds=1)) == NOW
    assert Counter(await timers.claim(NOW, hold=timedelta(seconds=5))) == Counter(
        TimerKey(session_id, "t1") for session_id in FOUR
    )
    assert sorted(await taken(queue)) == FOUR


async def test_a_worker_that_waits_finds_a_partition_that_begins(redis: Redis) -> None:
    queue = await opened(redis, Partitions(redis, 1))
    await launch(LogStore(redis, Partitions(redis, 4)), FOUR[3])
    # What a worker does all the time.
    await queue.promote_due()
    assert await taken(queue) == [FOUR[3]]


async def test_a_restored_session_brings_its_partition_with_it(redis: Redis) -> None:
    store = LogStore(redis, Partitions(redis, 1))
    await launch(store, "abcd-efgh-9")
    fresh = LogStore(redis)
    assert await fresh.index("all") == [("abcd-efgh-9", 1.0)]
    assert await fresh.partitions.all() == range(10)
    # A smaller number recorded later takes nothing away.
    await fresh.partitions.record(2)
    assert await Partitions(redis).all() == range(10)


async def test_troubled_sessions_of_all_partitions_are_listed_until_they_are_done(redis: Redis) -> None:
    store = LogStore(redis)
    queue = await opened(redis, store.partitions)
    for session_id in FOUR:
        await launch(store, session_id)
    await queue.promote_due()
    for job in await queue.take("c1", limit=100, block=AT_ONCE):
        started = await queue.start(queue.lease(job))
        assert started is not None
        await queue.retry(started.lease, wait=None, failed=False, trouble="damaged")
    fresh = SessionQueue(redis, redis, "ready")
    assert await fresh.troubles() == dict.fromkeys(FOUR, "damaged")
    for job in await fresh.take("c1", limit=100, block=AT_ONCE):
        started = await fresh.start(fresh.lease(job))
        assert started is not None
        await fresh.done(started.lease)
    assert (await fresh.troubles(), await fresh.depth()) == ({}, 0)


async def test_the_next_timer_is_the_first_of_any_partition(redis: Redis) -> None:
    timers = TimerStore(redis, redis, Partitions(redis, 4))
    until = NOW + timedelta(hours=1)
    assert await timers.next_due(until) is None
    for minutes, session_id in ((40, FOUR[2]), (50, FOUR[0]), (30, FOUR[3]), (90, FOUR[1])):
        await timers.set(TimerKey(session_id, "t1"), NOW + timedelta(minutes=minutes))
    assert await timers.next_due(until) == NOW + timedelta(minutes=30)
    await timers.drop(TimerKey(FOUR[3], "t1"))
    assert await timers.next_due(until) == NOW + timedelta(minutes=40)
    assert await timers.next_due(NOW + timedelta(minutes=40)) is None


# Where a new session begins


async def test_new_sessions_are_spread_over_all_partitions(redis: Redis) -> None:
    partitions = Partitions(redis, 4)
    assert {await partitions.place() for _ in range(400)} == {0, 1, 2, 3}
    keyed = {await partitions.place(f"key {n}", ttl=timedelta(minutes=1)) for n in range(100)}
    assert keyed == {0, 1, 2, 3}


async def test_of_processes_with_different_numbers_one_decides_where_a_key_goes(redis: Redis) -> None:
    for key in ("a", "b", "c"):
        places = [Partitions(redis, n).place(key, ttl=timedelta(minutes=1)) for n in range(1, 30)]
        assert len(set(await asyncio.gather(*places))) == 1
        again = await Partitions(redis, 99).place(key, here=98, ttl=timedelta(minutes=1))
        assert again == await Partitions(redis, 1).place(key, ttl=timedelta(minutes=1))


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_over_partitions_skip_and_repeat_none(redis: Redis, limit: int) -> None:
    store = LogStore(redis, Partitions(redis, 4))
    # Many of one score, and one partition with more than the others.
    rows: list[Row] = [
        (f"{n:04}-efgh{'' if n % 7 > 3 or n % 7 == 0 else f'-{n % 7}'}", float(n // 9)) for n in range(60)
    ]
    for session_id, score in rows:
        await store.append(session_id, 0, [b"1"], Effects(indexes={"all": score}))
    expected = sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)
    found: list[Row] = []
    while page := await store.index("all", after=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += page
        # One that is launched meanwhile is newer than what is still to come.
        await store.append(f"new-{len(found)}-2", 0, [b"1"], Effects(indexes={"all": 99.0}))
    assert found == expected


# The queue


async def test_a_busy_partition_starves_no_other(redis: Redis) -> None:
    store = LogStore(redis, Partitions(redis, 4))
    queue = await opened(redis, store.partitions)
    for n in range(40):
        await launch(store, f"busy-{n:04}")
    for session_id in FOUR[1:]:
        await launch(store, session_id)
    in_turn = [await taken(queue, limit=1) for _ in range(4)]
    assert sorted(partition_of(session_id) for [session_id] in in_turn) == [0, 1, 2, 3]
    for session_id in FOUR[1:]:
        await launch(store, f"next{session_id[4:]}")
    at_once = await taken(queue, limit=8)
    assert Counter(map(partition_of, at_once)) == {0: 2, 1: 1, 2: 1, 3: 1}


async def test_no_more_is_taken_than_there_is_room_for(redis: Redis) -> None:
    queue = await opened(redis, Partitions(redis, 4))
    waiting = asyncio.create_task(queue.take("c1", limit=1, block=timedelta(seconds=10)))

    async def blocked() -> bool:
        return any(
            client["cmd"] == "xreadgroup" and "b" in client["flags"] for client in await redis.client_list()
        )

    await wait_for(blocked)
    async with redis.pipeline(transaction=True) as pipe:
        for session_id in FOUR:
            names = queue.keys_in(partition_of(session_id))
            pipe.hset(names.state, session_id, "queued")
            pipe.xadd(names.stream, {"s": session_id})
        await pipe.execute()
    first = [job.session_id for job in await waiting]
    assert len(first) == 1
    # The others are there for a worker that has room.
    others = await taken(queue, consumer="c2")
    assert sorted(first + others) == FOUR


async def test_a_job_that_was_begun_is_not_handed_back(redis: Redis) -> None:
    queue = await opened(redis, Partitions(redis, 4))
    await queue.enqueue(FOUR[3])
    [job] = await queue.take("c1", limit=8, block=AT_ONCE)
    started = await queue.start(queue.lease(job))
    assert started is not None
    await jobs.hand_back(redis, queue.keys_in(3), session_id=job.session_id, entry=job.entry)
    assert await taken(queue) == []
    await queue.done(started.lease)
    assert await queue.depth() == 0


async def test_jobs_with_one_entry_id_in_two_partitions_are_two(redis: Redis) -> None:
    queue = await opened(redis, Partitions(redis, 4))
    for session_id in (FOUR[1], FOUR[2]):
        names = queue.keys_in(partition_of(session_id))
        await redis.hset(names.state, session_id, "queued")
        await redis.xadd(names.stream, {"s": session_id}, id="7-7")
    found = await queue.take("c1", limit=8, block=AT_ONCE)
    assert sorted(found) == [Job("7-7", FOUR[1]), Job("7-7", FOUR[2])]
    await queue.renew("c1", found, lease=timedelta(seconds=6))
    for job in found:
        started = await queue.start(queue.lease(job))
        assert started is not None
        await queue.done(started.lease)
    assert await queue.depth() == 0


async def test_jobs_of_a_worker_that_died_come_again_from_every_partition(redis: Redis) -> None:
    store = LogStore(redis, Partitions(redis, 4))
    queue = await opened(redis, store.partitions)
    for session_id in FOUR:
        await launch(store, session_id)
    assert len(await taken(queue, consumer="dead")) == 4
    again = [await queue.reclaim("alive", lease=timedelta(), limit=1) for _ in range(4)]
    assert sorted(job.session_id for [job] in again) == FOUR
    await queue.remove_consumer("dead")
    await queue.remove_consumer("alive")
    for partition in range(4):
        consumers = await redis.xinfo_consumers(queue.keys_in(partition).stream, keys.GROUP)
        assert [row["name"] for row in consumers] == [b"alive"]


async def test_a_lost_store_gets_the_groups_of_all_partitions_again(redis: Redis) -> None:
    store = LogStore(redis, Partitions(redis, 4))
    queue = await opened(redis, store.partitions)
    await redis.flushall()
    with pytest.raises(StoreUnavailable):
        await taken(queue)
    for session_id in FOUR:
        await launch(store, session_id)
    assert sorted(await taken(queue)) == FOUR


# What is heard


async def test_one_subscription_hears_of_every_partition(redis: Redis) -> None:
    store = LogStore(redis)
    heard: set[str] = set()
    async with ChangeFeed(redis).subscribe() as changes, asyncio.timeout(60):
        await launch(store, FOUR[0])
        new = NewLog("chil-d001-3", [b"1"], Effects())
        await store.append(FOUR[3], 0, [b"1"], Effects(new_logs=[new]))
        async for found in changes:
            heard |= found
            if heard == {FOUR[0], FOUR[3], "chil-d001-3"}:
                break


async def test_a_worker_hears_that_its_session_is_dirty_in_any_partition(redis: Redis) -> None:
    queue = await opened(redis, Partitions(redis, 4))
    for session_id in FOUR:
        await queue.enqueue(session_id)
    for job in await queue.take("c1", limit=8, block=AT_ONCE):
        await queue.start(queue.lease(job))
    heard: list[str] = []
    async with queue.dirty() as changed, asyncio.timeout(60):
        for session_id in FOUR:
            await queue.enqueue(session_id)
        async for session_id in changed:
            heard.append(session_id)
            if len(heard) == 4:
                break
    assert heard == FOUR


# The sweep


async def test_the_sweep_finds_what_was_forgotten_in_any_partition(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "PAGE", 3)
    store = LogStore(redis, Partitions(redis, 4))
    queue = await opened(redis, store.partitions)
    forgotten = [f"gone-{n:04}{suffix}" for n in range(4) for suffix in ("", "-1", "-2", "-3")]
    for session_id in forgotten:
        await store.append(session_id, 0, [b"1"], Effects(indexes={"running": DUE}))
    for session_id in FOUR:
        await launch(store, session_id, DUE)
    later = NOW + sweeper.QUIET + timedelta(seconds=1)
    outbox = SessionQueue(redis, redis, "outbox", store.partitions)
    await outbox.open()
    net = sweeper.Sweeper(Sessions(store), store, queue, outbox)
    assert await net.sweep(NOW + sweeper.QUIET) == 0
    assert await net.sweep(later) == len(forgotten)
    assert await queue.absent([*forgotten, *FOUR]) == []
    assert await net.sweep(later) == 0
