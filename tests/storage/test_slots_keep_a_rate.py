"""Slots of a rate: a burst, then one an interval; who waits has a turn, and urgent ones go first."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.projections import ProjectionStore

# Longer than a test takes.
INTERVAL = timedelta(minutes=10)
NEARLY = timedelta(minutes=2)


async def take(rows: ProjectionStore, member: str, *, burst: int = 1, urgent: bool = False) -> timedelta:
    return await rows.take_slot("s", member, interval=INTERVAL, burst=burst, rank=0 if urgent else 1)


async def pass_time(redis: Redis, by: timedelta) -> None:
    """All that is recorded lies further back."""
    milliseconds = int(by.total_seconds() * 1000)
    if (used := await redis.get(keys.slots("s"))) is not None:
        await redis.set(keys.slots("s"), int(used) - milliseconds)
    for rank in (0, 1):
        waiting: Any = await redis.zrange(keys.slot_queue("s", rank), 0, -1)
        for member in waiting:
            await redis.zincrby(keys.slot_queue("s", rank), -milliseconds, member)


async def test_a_burst_is_taken_at_once_and_the_next_ones_have_turns(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    assert [await take(rows, f"m{n}", burst=3) for n in range(3)] == [timedelta(0)] * 3
    for turn in (1, 2, 3):
        wait = await take(rows, f"w{turn}", burst=3)
        assert turn * INTERVAL - NEARLY < wait <= turn * INTERVAL


async def test_of_many_at_once_only_the_burst_gets_slots(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    waits = await asyncio.gather(*(take(rows, f"m{n}", burst=5) for n in range(40)))
    assert waits.count(timedelta(0)) == 5
    turns = sorted(wait for wait in waits if wait)
    assert all(INTERVAL - NEARLY < b - a < INTERVAL + NEARLY for a, b in pairwise(turns))


async def test_a_member_keeps_its_turn_and_uses_it(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    await take(rows, "first")
    await take(rows, "a")
    before = await take(rows, "b")
    assert before - NEARLY < await take(rows, "b") <= before
    await pass_time(redis, INTERVAL)
    assert await take(rows, "b") > timedelta(0)
    assert await take(rows, "a") == timedelta(0)
    await pass_time(redis, INTERVAL)
    assert await take(rows, "b") == timedelta(0)
    # Its turn was used: the next time it stands behind all others.
    assert await take(rows, "b") > INTERVAL - NEARLY


async def test_urgent_ones_have_slots_left_and_a_row_of_their_own(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    for n in range(20):
        await take(rows, f"card{n}", burst=2)
    assert await take(rows, "ask1", burst=4, urgent=True) == timedelta(0)
    assert await take(rows, "ask2", burst=4, urgent=True) == timedelta(0)
    # The third waits for one interval, not for those of the eighteen before it.
    assert await take(rows, "ask3", burst=4, urgent=True) <= INTERVAL


async def test_turns_that_nobody_uses_are_forgotten(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    await take(rows, "first")
    for n in range(5):
        await take(rows, f"gone{n}")
    await pass_time(redis, 7 * INTERVAL)
    assert await take(rows, "next") == timedelta(0)
    assert await take(rows, "after") <= INTERVAL
    assert await redis.zcard(keys.slot_queue("s", 1)) == 1


async def test_ranks_with_a_smaller_burst_get_nothing_before_the_others(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    for n in range(3):
        assert not await rows.take_slot("s", f"first{n}", interval=INTERVAL, burst=4, rank=0)
    assert await rows.take_slot("s", "last", interval=INTERVAL, burst=1, rank=2, waits=False)
    assert not await rows.take_slot("s", "first3", interval=INTERVAL, burst=4, rank=0)
    # Who does not wait has no turn to keep, and takes a slot as soon as there is one.
    assert await redis.zcard(keys.slot_queue("s", 2)) == 0
    await pass_time(redis, 4 * INTERVAL)
    assert not await rows.take_slot("s", "last", interval=INTERVAL, burst=1, rank=2, waits=False)
