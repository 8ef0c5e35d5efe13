"""A job that fails again and again is set aside with its reason; one that gets through begins to count anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.queue import SessionQueue, Started
from supervisor.runtime.worker import MAX_TRIES, Done, Signals, Worker
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

    async def __call__(self, started: Started, signals: Signals) -> Done:
        session_id = started.lease.session_id
        self.tries[session_id] += 1
        if self._fails(session_id, self.tries[session_id]):
            raise RuntimeError("not today")
        return Done()


@asynccontextmanager
async def working(queue: SessionQueue, handler: Handler, lease: timedelta = FAR) -> AsyncIterator[None]:
    worker = Worker(queue, handler, lambda _: 0, lease=lease)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


async def hurry(queue: SessionQueue) -> None:
    """The next try comes now and not after its wait."""
    await queue.promote_due(datetime.now(UTC) + FAR)


async def parked(queue: SessionQueue) -> dict[str, str]:
    await hurry(queue)
    return await queue.parked()


async def idle(queue: SessionQueue) -> bool:
    await hurry(queue)
    return await queue.absent([SID]) == [SID]


async def test_after_the_last_try_it_is_parked_with_its_reason_and_others_go_on(
    queue: SessionQueue, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Handler(lambda session_id, _: session_id == SID)
    async with working(queue, handler):
        await queue.enqueue(SID)
        found = await wait_for(lambda: parked(queue), timeout=20)
        await queue.enqueue(OTHER)
        await wait_for(lambda: handler.tries[OTHER], timeout=20)
    assert found == {SID: f"failed {MAX_TRIES} times"}
    assert handler.tries[SID] == MAX_TRIES
    assert await queue.absent([SID]) == [SID]
    assert f"{SID} is parked after {MAX_TRIES} tries" in caplog.text


async def test_a_try_that_gets_through_begins_the_count_anew(queue: SessionQueue) -> None:
    handler = Handler(lambda _, n: n % MAX_TRIES != 0)
    async with working(queue, handler):
        for round_ in (1, 2):
            await queue.enqueue(SID)
            await wait_for(lambda: idle(queue), timeout=20)
            assert handler.tries[SID] == round_ * MAX_TRIES
    assert await queue.parked() == {}


async def test_a_job_that_takes_its_workers_along_is_parked_without_one_more_try(
    queue: SessionQueue, redis: Redis
) -> None:
    await queue.enqueue(SID)
    [job] = await queue.take("dies", limit=1, block=SHORT)
    for tries in range(MAX_TRIES):
        started = await queue.start(*job)
        assert started is not None
        assert started.tries == tries
    handler = Handler(lambda *_: False)
    async with working(queue, handler, lease=SHORT):
        found = await wait_for(lambda: parked(queue), timeout=20)
    assert found == {SID: f"failed {MAX_TRIES} times"}
    assert handler.tries[SID] == 0
    assert not await redis.exists(keys.queue(0, "ready").tries)
