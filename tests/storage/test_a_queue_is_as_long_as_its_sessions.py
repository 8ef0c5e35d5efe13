"""A queue holds at most one job a session, whatever is done to it in which order: so the sessions bound its length."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from storage.log import Effects, Lease, LogStore
from storage.queue import SessionQueue

SIDS = [f"sess-{n:04}" for n in range(4)]
NOW = timedelta(0)
NO_WAIT = timedelta(milliseconds=1)


async def step(dice: random.Random, queue: SessionQueue, log: LogStore, held: list[Lease]) -> None:
    """Do one of the things that processes do."""
    sid = dice.choice(SIDS)
    match dice.randrange(8):
        case 0 | 1:
            await queue.enqueue(sid)
        case 2:
            version = await log.length(sid)
            await log.append(sid, version, [b"{}"], Effects(enqueue=["ready"]))
        case 3:
            found = await queue.take(dice.choice("ab"), limit=2, block=NO_WAIT)
            started = [await queue.start(queue.lease(job)) for job in found]
            held += [one.lease for one in started if one]
        case 4:
            # The worker that has it is still at work; both end their jobs later.
            found = await queue.reclaim(dice.choice("ab"), lease=NOW, limit=1)
            started = [await queue.start(queue.lease(job)) for job in found]
            held += [one.lease for one in started if one]
        case 5 if held:
            await queue.done(held.pop(dice.randrange(len(held))))
        case 6 if held:
            wait = dice.choice([None, NOW, timedelta(hours=1)])
            await queue.retry(held.pop(dice.randrange(len(held))), wait=wait, failed=dice.random() < 0.5)
        case _:
            await queue.promote_due()
            await queue.repair(await queue.jobless())


@pytest.mark.parametrize("seed", range(6))
async def test_no_order_of_things_adds_a_second_job(redis: Redis, seed: int) -> None:
    dice, held = random.Random(seed), list[Lease]()
    queue, log = SessionQueue(redis, redis, "ready"), LogStore(redis)
    await queue.open()
    for _ in range(250):
        await step(dice, queue, log, held)
        jobs: Any = await redis.xrange(queue.keys_in(0).stream)
        rows = [row[b"s"] for _, row in jobs]
        assert len(rows) == len(set(rows)), rows
        assert await queue.depth() <= len(SIDS)
