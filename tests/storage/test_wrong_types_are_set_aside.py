"""A key that holds another type of value than Flagman's is reported and set aside, and work goes on."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.keys import QueueKeys
from storage.log import Effects, LogStore
from storage.projections import ProjectionStore
from storage.queue import SessionQueue

SID = "abcd-efgh"
PARTS = [field.name for field in fields(QueueKeys) if field.name != "dirty"]


@pytest.mark.parametrize("part", PARTS)
async def test_a_queue_goes_on(redis: Redis, part: str, caplog: pytest.LogCaptureFixture) -> None:
    queue = SessionQueue(redis, redis, "outbox")
    await LogStore(redis).append(SID, 0, [b"1"], Effects())
    name = getattr(queue.keys_in(0), part)
    await redis.set(name, "rubbish")
    await queue.open()
    assert await redis.get(keys.damaged(name)) == b"rubbish"
    assert f"{name} holds a string" in caplog.text
    await queue.enqueue(SID)
    [job] = await queue.take("w1", limit=1, block=timedelta(seconds=1))
    started = await queue.start(queue.lease(job))
    assert started is not None
    await queue.retry(started.lease, wait=None, failed=True, trouble="a reason")
    assert await queue.troubles() == {SID: "a reason"}
    [job] = await queue.take("w1", limit=1, block=timedelta(seconds=1))
    started = await queue.start(queue.lease(job))
    assert started is not None
    await queue.done(started.lease)
    assert not await queue.holds(SID)


async def test_messages_are_recorded_anew(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    rows, name = ProjectionStore(redis), keys.projection(SID)
    await redis.rpush(name, "rubbish")
    assert await rows.rows(SID) == {}
    assert await redis.exists(keys.damaged(name))
    assert f"{name} holds a list" in caplog.text
    assert await rows.reserve(SID, "card", b"row")
    assert await rows.rows(SID) == {"card": b"row"}
