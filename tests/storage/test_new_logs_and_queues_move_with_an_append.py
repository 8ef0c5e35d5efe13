"""A session begins with the append of the one that launches it, and its end wakes that one: together or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from storage import keys
from storage.errors import IdempotencyKeyKnown, LeaseLost, VersionConflict
from storage.keys import TimerKey
from storage.log import Claim, Effects, Lease, LogStore, NewLog
from storage.queue import Job, SessionQueue

PARENT, CHILD, OTHER = "abcd-efgh", "chil-d001", "chil-d002"
SOON = timedelta(milliseconds=50)


@pytest.fixture
async def store(redis: Redis) -> LogStore:
    return LogStore(redis)


@pytest.fixture
async def queue(redis: Redis) -> SessionQueue:
    queue = SessionQueue(redis, redis, "ready")
    await queue.open()
    return queue


def new_log(session_id: str = CHILD, *events: bytes, **effects: Any) -> NewLog:
    given = {"indexes": {"all": 7.0, "running": 7.0}, "enqueue": ["ready"], **effects}
    return NewLog(session_id, events or (b'{"launched":1}',), Effects(**given))


async def everything(redis: Redis) -> dict[Any, Any]:
    """All that the store holds."""
    return {key: await redis.dump(key) for key in await redis.keys("*")}


async def heard(feed: PubSub, *session_ids: str) -> bool:
    """Whether each of these is told of, in any order."""
    missing = {sid.encode() for sid in session_ids}
    async with asyncio.timeout(60):
        async for message in feed.listen():
            missing.discard(message["data"])
            if not missing:
                return True
    return False


async def taken(queue: SessionQueue) -> list[str]:
    """The sessions whose jobs are there to be taken."""
    return [sid for _, sid in await queue.take("c1", limit=10, block=SOON)]


async def busy(queue: SessionQueue, session_id: str) -> Lease:
    """A worker is at this session."""
    await queue.enqueue(session_id)
    [(entry, sid)] = await queue.take("c1", limit=10, block=SOON)
    started = await queue.start(queue.lease(Job(entry, sid)))
    assert started is not None
    assert sid == session_id
    return started.lease


# Births


async def test_what_is_born_is_all_there(redis: Redis, store: LogStore, queue: SessionQueue) -> None:
    effects = Effects(
        indexes={"all": 1.0},
        blobs={"d1": b"persona"},
        new_logs=[
            new_log(CHILD, b"1", b"2", timers={TimerKey(CHILD, "t1"): 99.0}),
            new_log(OTHER, blobs={"d2": b"other"}),
        ],
    )
    assert (await store.append(PARENT, 0, [b"launched", b"has launched"], effects)).version == 2
    assert await store.read(PARENT) == [b"launched", b"has launched"]
    assert await store.read(CHILD) == [b"1", b"2"]
    assert await store.read(OTHER) == [b'{"launched":1}']
    assert await store.index("all") == [(OTHER, 7.0), (CHILD, 7.0), (PARENT, 1.0)]
    assert {sid for sid, _ in await store.index("running")} == {CHILD, OTHER}
    assert [await store.blob(0, digest) for digest in ("d1", "d2")] == [b"persona", b"other"]
    assert await redis.zscore(keys.timers(0), f"{CHILD}|t1") == 99.0
    assert await taken(queue) == [CHILD, OTHER]
    assert (await store.append(CHILD, 2, [b"3"], Effects())).version == 3


async def test_those_who_listen_hear_of_what_is_born(redis: Redis, store: LogStore) -> None:
    async with redis.pubsub() as feed:
        await feed.subscribe(keys.changed_channel(0))
        await store.append(PARENT, 0, [b"1"], Effects(new_logs=[new_log(), new_log(OTHER)]))
        assert await heard(feed, PARENT, CHILD, OTHER)


async def test_it_is_born_into_the_partition_of_its_parent(redis: Redis, store: LogStore) -> None:
    await store.append("abcd-efgh-7", 0, [b"1"], Effects(new_logs=[new_log("chil-d001-7")]))
    assert await store.read("chil-d001-7") == [b'{"launched":1}']
    assert await store.index("running") == [("chil-d001-7", 7.0)]
    assert await redis.zcard(keys.index(7, "running")) == await redis.xlen(keys.queue(7, "ready").stream) == 1
    assert await redis.exists(keys.index(0, "running"), keys.queue(0, "ready").stream) == 0


@pytest.mark.parametrize("known", [0, 1])
async def test_at_another_version_nothing_is_born(redis: Redis, store: LogStore, known: int) -> None:
    await store.append(PARENT, 0, [b"1", b"2"], Effects())
    before = await everything(redis)
    effects = Effects(
        new_logs=[new_log(blobs={"d": b"x"})],
        enqueue_others=[(OTHER, "ready")],
        claim=Claim("key", b"value"),
        indexes={"all": 9.0},
    )
    with pytest.raises(VersionConflict):
        await store.append(PARENT, known, [b"3"], effects)
    assert await everything(redis) == before
    await store.append(PARENT, 2, [b"3"], effects)
    assert await store.read(CHILD) == [b'{"launched":1}']


async def test_with_an_id_that_is_taken_nothing_is_born(redis: Redis, store: LogStore) -> None:
    await store.append(PARENT, 0, [b"1"], Effects())
    await store.append(OTHER, 0, [b"mine"], Effects())
    before = await everything(redis)
    effects = Effects(new_logs=[new_log(CHILD), new_log(OTHER)], claim=Claim("key", b"value"))
    with pytest.raises(VersionConflict):
        await store.append(PARENT, 1, [b"2"], effects)
    assert await everything(redis) == before
    again = Effects(new_logs=[new_log(CHILD), new_log("chil-d003")], claim=Claim("key", b"value"))
    assert (await store.append(PARENT, 1, [b"2"], again)).version == 2


async def test_without_the_lease_nothing_is_born(redis: Redis, store: LogStore, queue: SessionQueue) -> None:
    await store.append(PARENT, 0, [b"1"], Effects())
    old = await busy(queue, PARENT)
    [(entry, sid)] = await queue.reclaim("other", lease=timedelta(), limit=10)
    new = await queue.start(queue.lease(Job(entry, sid)))
    assert new is not None
    before = await everything(redis)
    with pytest.raises(LeaseLost):
        await store.append(
            PARENT, 1, [b"2"], Effects(new_logs=[new_log()], enqueue_others=[(OTHER, "ready")], lease=old)
        )
    assert await everything(redis) == before
    await store.append(PARENT, 1, [b"2"], Effects(new_logs=[new_log()], lease=new.lease))
    assert await store.read(CHILD) == [b'{"launched":1}']


async def test_a_request_that_is_known_gives_birth_once(redis: Redis, store: LogStore) -> None:
    effects = Effects(new_logs=[new_log()], claim=Claim("key", b"first"))
    await store.append(PARENT, 0, [b"1"], effects)
    before = await everything(redis)
    with pytest.raises(IdempotencyKeyKnown):
        await store.append(
            PARENT, 1, [b"2"], Effects(new_logs=[new_log(OTHER)], claim=Claim("key", b"second"))
        )
    assert await everything(redis) == before


async def test_of_many_who_launch_at_one_version_one_does(store: LogStore) -> None:
    await store.append(PARENT, 0, [b"1"], Effects())
    ids = [f"chil-d{n:03}" for n in range(20)]
    results = await asyncio.gather(
        *(store.append(PARENT, 1, [sid.encode()], Effects(new_logs=[new_log(sid)])) for sid in ids),
        return_exceptions=True,
    )
    assert sum(isinstance(r, VersionConflict) for r in results) == 19
    [_, winner] = await store.read(PARENT)
    assert [sid for sid in ids if await store.read(sid)] == [winner.decode()]


async def test_of_many_who_give_the_same_id_one_does(store: LogStore) -> None:
    parents = [f"abcd-{n:04}" for n in range(10)]
    results = await asyncio.gather(
        *(store.append(sid, 0, [b"1"], Effects(new_logs=[new_log(CHILD, sid.encode())])) for sid in parents),
        return_exceptions=True,
    )
    assert sum(isinstance(r, VersionConflict) for r in results) == 9
    there = [sid for sid in parents if await store.read(sid)]
    assert await store.read(CHILD) == [sid.encode() for sid in there]


async def test_the_lease_goes_with_the_append_that_gives_birth(store: LogStore, queue: SessionQueue) -> None:
    lease = await busy(queue, PARENT)
    effects = Effects(new_logs=[new_log()], lease=lease, release=True, enqueue=["ready"])
    assert (await store.append(PARENT, 0, [b"1"], effects)).released
    assert await taken(queue) == [CHILD]


# Wakes


async def ends(store: LogStore, session_id: str = CHILD, **effects: Any) -> None:
    """A sub-agent ends, which is for its parent to know."""
    version = len(await store.read(session_id))
    await store.append(
        session_id, version, [b"ended"], Effects(enqueue_others=[(PARENT, "ready")], **effects)
    )


async def test_an_idle_session_is_queued_once(store: LogStore, queue: SessionQueue) -> None:
    await ends(store)
    await ends(store, OTHER)
    assert await taken(queue) == [PARENT]
    assert await store.read(PARENT) == []


async def test_a_busy_session_is_marked_and_looked_at_again(
    redis: Redis, store: LogStore, queue: SessionQueue
) -> None:
    lease = await busy(queue, PARENT)
    async with redis.pubsub() as feed:
        await feed.subscribe(keys.dirty_channel(0, "ready"))
        await ends(store)
        assert await heard(feed, PARENT), "its worker is told at once"
    assert await taken(queue) == []
    # What was marked cannot be given up unseen.
    own = Effects(lease=lease, release=True)
    assert not (await store.append(PARENT, 0, [b"1"], own)).released
    await queue.done(lease)
    assert await taken(queue) == [PARENT]


async def test_an_own_append_is_heard_by_the_worker_that_shows_it_alone(
    redis: Redis, store: LogStore, queue: SessionQueue
) -> None:
    outbox = SessionQueue(redis, redis, "outbox")
    await outbox.open()
    lease = await busy(queue, PARENT)
    await busy(outbox, PARENT)
    async with queue.dirty() as to_work, outbox.dirty() as to_show:
        own = Effects(lease=lease, enqueue=["ready", "outbox"])
        await store.append(PARENT, 0, [b"1"], own)
        assert await anext(to_show) == PARENT
        await store.append(PARENT, 1, [b"2"], Effects(enqueue=["ready"]))
        assert await anext(to_work) == PARENT
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(to_work), 0.2)


async def test_by_a_worker_of_its_own_only_the_other_is_marked(store: LogStore, queue: SessionQueue) -> None:
    parent, child = await busy(queue, PARENT), await busy(queue, CHILD)
    await ends(store, lease=child, enqueue=["ready"])
    await queue.done(child)
    assert await taken(queue) == []
    await queue.done(parent)
    assert await taken(queue) == [PARENT]


async def test_a_session_that_was_to_come_later_comes_now(store: LogStore, queue: SessionQueue) -> None:
    lease = await busy(queue, PARENT)
    await queue.retry(lease, wait=timedelta(hours=1), failed=True)
    await ends(store)
    assert await taken(queue) == [PARENT]


async def test_what_was_appended_before_a_job_is_put_off_does_not_wait_with_it(
    store: LogStore, queue: SessionQueue
) -> None:
    lease = await busy(queue, PARENT)
    await ends(store)
    await queue.retry(lease, wait=timedelta(hours=1), failed=True)
    assert await taken(queue) == [PARENT]


async def test_other_queues_are_woken_too(redis: Redis, store: LogStore, queue: SessionQueue) -> None:
    outbox = SessionQueue(redis, redis, "outbox")
    await outbox.open()
    effects = Effects(
        enqueue_others=[(PARENT, "outbox"), (OTHER, "outbox"), (OTHER, "ready")],
        new_logs=[new_log("chil-d003", enqueue_others=[(PARENT, "outbox")])],
    )
    await store.append(CHILD, 0, [b"1"], effects)
    assert sorted(await taken(outbox)) == sorted([PARENT, OTHER])
    assert sorted(await taken(queue)) == sorted([OTHER, "chil-d003"])


async def test_a_conflict_wakes_nobody(redis: Redis, store: LogStore) -> None:
    await store.append(CHILD, 0, [b"1"], Effects())
    before = await everything(redis)
    with pytest.raises(VersionConflict):
        await store.append(CHILD, 0, [b"ended"], Effects(enqueue_others=[(PARENT, "ready")]))
    assert await everything(redis) == before


async def test_a_job_that_is_due_later_waits_for_its_time_unless_it_is_hurried(
    redis: Redis, store: LogStore
) -> None:
    outbox = SessionQueue(redis, redis, "outbox")
    await outbox.open()
    lease = await busy(outbox, PARENT)
    await outbox.retry(lease, wait=timedelta(hours=1), failed=False)
    slow = Effects(enqueue=["outbox"], unhurried=True)
    await store.append(PARENT, 0, [b"1"], slow)
    # One of a sub-agent that its board shows.
    await store.append(CHILD, 0, [b"1"], Effects(enqueue_others=[(PARENT, "outbox")], unhurried=True))
    assert await taken(outbox) == []
    # One that is not there is made.
    await store.append(OTHER, 0, [b"1"], slow)
    assert await taken(outbox) == [OTHER]
    await store.append(PARENT, 1, [b"2"], Effects(enqueue=["outbox"]))
    assert await taken(outbox) == [PARENT]
