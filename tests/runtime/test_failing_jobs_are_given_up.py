"""A job that fails again and again is given up with its reason, or tried at growing distance; success counts anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.connection import connect
from storage.errors import StoreUnavailable
from storage.queue import SessionQueue, StartedJob
from storage.scripts.lua import NOTHING
from supervisor.core.errors import LogUnreadable
from supervisor.runtime.worker import MAX_TRIES, Done, Signals, Worker
from tests.support.queues import make_due
from tests.support.redis_proxy import RedisProxy
from tests.support.slack import wait_for

SID, OTHER = "abcd-efgh", "wxyz-efgh"
FAR, SHORT = timedelta(days=1), timedelta(milliseconds=40)


@pytest.fixture
async def queue(redis: Redis) -> SessionQueue:
    made = SessionQueue(redis, redis, "ready")
    await made.open()
    return made


class Handler:
    """Counts the tries of each session and fails where `fails` says so of their number."""

    def __init__(self, fails: Callable[[str, int], bool]) -> None:
        self._fails = fails
        self.tries: dict[str, int] = {SID: 0, OTHER: 0}

    async def __call__(self, started: StartedJob, signals: Signals) -> Done:
        session_id = started.lease.session_id
        self.tries[session_id] += 1
        if self._fails(session_id, self.tries[session_id]):
            raise RuntimeError("not today")
        return Done()


@asynccontextmanager
async def working(
    queue: SessionQueue, handler: Handler, give_up: GiveUp | None = None, lease: timedelta = FAR
) -> AsyncIterator[None]:
    worker = Worker(queue, handler, lambda _: NOTHING, give_up=give_up, lease=lease)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


async def hurry(queue: SessionQueue) -> None:
    """The next try comes now and not after its wait."""
    await make_due(queue._redis, queue)


class GiveUp:
    """Says why each session was given up; with `in_vain` it cannot be."""

    def __init__(self, *, in_vain: bool = False) -> None:
        self._in_vain = in_vain
        self.reasons: dict[str, str] = {}

    async def __call__(self, started: StartedJob, why: str) -> Done | None:
        self.reasons[started.lease.session_id] = why
        return None if self._in_vain else Done()


async def until(queue: SessionQueue, predicate: Callable[[], Any]) -> None:
    async def hurried() -> bool:
        await hurry(queue)
        return bool(predicate())

    await wait_for(hurried)


async def idle(queue: SessionQueue) -> bool:
    await hurry(queue)
    return await queue.absent([SID]) == [SID]


async def test_after_the_last_try_it_is_given_up_with_its_reason_and_others_go_on(
    queue: SessionQueue,
) -> None:
    handler, give_up = Handler(lambda session_id, _: session_id == SID), GiveUp()
    async with working(queue, handler, give_up):
        await queue.enqueue(SID)
        await until(queue, lambda: give_up.reasons)
        await queue.enqueue(OTHER)
        await wait_for(lambda: handler.tries[OTHER])
        await wait_for(lambda: idle(queue))
    assert give_up.reasons == {SID: f"it failed {MAX_TRIES} times, the last time with RuntimeError"}
    assert handler.tries[SID] == MAX_TRIES
    assert await queue.troubles() == {}


@pytest.mark.parametrize("give_up", [None, GiveUp(in_vain=True)], ids=["no-way", "in-vain"])
async def test_what_cannot_be_given_up_is_tried_again_and_listed(
    queue: SessionQueue, give_up: GiveUp | None
) -> None:
    handler = Handler(lambda _, tries: tries <= 2 * MAX_TRIES)
    async with working(queue, handler, give_up):
        await queue.enqueue(SID)
        await until(queue, lambda: handler.tries[SID] > MAX_TRIES + 1)
        assert "it failed" in (await queue.troubles())[SID]
        await wait_for(lambda: idle(queue))
    assert handler.tries[SID] == 2 * MAX_TRIES + 1
    assert await queue.troubles() == {}


async def test_a_try_that_gets_through_begins_the_count_anew(queue: SessionQueue) -> None:
    handler, give_up = Handler(lambda _, n: n % MAX_TRIES != 0), GiveUp()
    async with working(queue, handler, give_up):
        for round_ in (1, 2):
            await queue.enqueue(SID)
            await wait_for(lambda: idle(queue))
            assert handler.tries[SID] == round_ * MAX_TRIES
    assert give_up.reasons == {}


async def test_a_job_that_takes_its_workers_along_is_given_up_without_one_more_try(
    queue: SessionQueue, redis: Redis
) -> None:
    await queue.enqueue(SID)
    [job] = await queue.take("dies", limit=1, block=SHORT)
    for tries in range(MAX_TRIES):
        started = await queue.start(queue.lease(job))
        assert started is not None
        assert started.tries == tries
    handler, give_up = Handler(lambda *_: False), GiveUp()
    async with working(queue, handler, give_up, lease=SHORT):
        await until(queue, lambda: give_up.reasons)
        await wait_for(lambda: idle(queue))
    assert give_up.reasons == {SID: f"the worker at it ended {MAX_TRIES} times"}
    assert handler.tries[SID] == 0
    assert not await redis.exists(keys.queue(0, "ready").tries)


async def test_a_lease_that_a_living_worker_lost_is_no_failed_try(queue: SessionQueue) -> None:
    await queue.enqueue(SID)
    [job] = await queue.take("slow", limit=1, block=SHORT)
    slow = queue.lease(job)
    await queue.start(slow)
    for _ in range(2 * MAX_TRIES):
        other = queue.lease(job)
        started = await queue.start(other)
        assert started is not None
        assert started.tries == 1
        assert await queue.retry(slow, wait=None, failed=False) == -1
        slow = other


async def test_trouble_of_the_store_is_no_failed_try(redis: Redis, valkey_url: str) -> None:
    async with RedisProxy(valkey_url) as proxy:
        client = connect(proxy.url)
        queue = SessionQueue(client, client, "ready")
        await queue.open()
        tries = list[int]()

        async def handle(started: StartedJob, signals: Signals) -> Done:
            tries.append(started.tries)
            if len(tries) <= 2 * MAX_TRIES:
                raise StoreUnavailable("cut off")
            return Done()

        worker = Worker(queue, handle, lambda _: NOTHING, lease=timedelta(seconds=1))
        task = asyncio.create_task(worker.run())
        await queue.enqueue(SID)
        await wait_for(lambda: len(tries) == 2)
        proxy.down = True
        await asyncio.sleep(0.2)
        proxy.down = False
        await wait_for(lambda: len(tries) > 2 * MAX_TRIES)
        worker.stop()
        await task
        await client.aclose()
    assert set(tries) == {0}


async def test_what_cannot_be_read_waits_for_a_worker_that_can(queue: SessionQueue) -> None:
    async def older(started: StartedJob, signals: Signals) -> Done:
        raise LogUnreadable(started.lease.session_id, "event 3 is of an unknown type.")

    worker = Worker(queue, older, lambda _: NOTHING, lease=FAR)
    task = asyncio.create_task(worker.run())
    await queue.enqueue(SID)
    troubles = await wait_for(queue.troubles)
    assert "unknown type" in troubles[SID]
    worker.stop()
    await task
    newer = Handler(lambda *_: False)
    async with working(queue, newer):
        await until(queue, lambda: newer.tries[SID])
        await wait_for(lambda: idle(queue))
    assert await queue.troubles() == {}
