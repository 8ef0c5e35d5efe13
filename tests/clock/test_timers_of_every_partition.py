"""Timers and schedules of every partition fire once, by clocks that were started with different numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.clock import Clock
from bot.compose import Core, core, now
from storage.keys import partition_of
from supervisor.core.conditions import At
from supervisor.core.errors import IdempotencyConflict
from supervisor.core.events import Actor, Resumed, TimerFired
from tests.support.barriers import hold
from tests.support.flagman import settings
from tests.support.slack import wait_for

ADA = Actor(id="api:ada", name="ada")


@pytest.fixture
async def two(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[tuple[Core, Core]]:
    """One process with one partition, which knows of no other yet, and one with four."""
    async with AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(
                core(settings("http://127.0.0.1:9/api/", valkey_url, tmp_path, partitions=count))
            )
            for count in (1, 4)
        ]
        yield made[0], made[1]


async def everywhere(parts: Core) -> list[str]:
    """Sessions until every partition has one."""
    found: list[str] = []
    while {partition_of(session_id) for session_id in found} != {0, 1, 2, 3}:
        found.append((await parts.supervisor.launch("sre", "wait", ADA)).id)
    return found


async def test_each_timer_fires_once_with_two_clocks(two: tuple[Core, Core]) -> None:
    few, many = two
    async with Clock(few), Clock(many):
        ids = await everywhere(many)
        soon = now() + timedelta(milliseconds=500)
        for session_id in ids:
            await many.supervisor.pause(session_id, ADA, conditions=[At(type="at", due=soon)])
            await many.supervisor.remind(session_id, soon, ADA, text="look")

        async def all_fired() -> bool:
            return await many.timers().count() == 0

        await wait_for(all_fired)
    for session_id in ids:
        events = await many.sessions.events(session_id)
        assert [sum(isinstance(e, kind) for e in events) for kind in (Resumed, TimerFired)] == [1, 1]


async def test_a_clock_with_fewer_partitions_fires_those_of_the_others(two: tuple[Core, Core]) -> None:
    few, many = two
    async with Clock(few):
        ids = await everywhere(many)
        for session_id in ids:
            await many.supervisor.remind(session_id, now(), ADA, text="look")

        async def all_fired() -> bool:
            return await few.timers().count() == 0

        await wait_for(all_fired)
    for session_id in ids:
        events = await many.sessions.events(session_id)
        assert sum(isinstance(e, TimerFired) for e in events) == 1


async def test_a_schedule_launches_once_whichever_process_fires_it(two: tuple[Core, Core]) -> None:
    few, many = two
    for _ in range(8):
        made = await few.schedules.add("* * * * *", "sre", "look", ADA)
        await few.schedules._store(made.model_copy(update={"due": now() - timedelta(hours=1)}))
        # Both read the schedule before either sets its next time.
        both = asyncio.Barrier(2)
        for parts in two:
            hold(parts.supervisor, "launch", both)
        await asyncio.gather(*(parts.schedules.fire(made.id) for parts in two))
        assert await many.log.count("all") == 1
        await few.redis.flushall()


async def test_a_key_names_one_session_while_the_number_grows(two: tuple[Core, Core]) -> None:
    few, _ = two
    for n in range(12):
        key = f"run {n}"
        launches = [
            parts.supervisor.launch("sre", "look", ADA, idempotency_key=key) for parts in (*two, *two)
        ]
        assert len({session.id for session in await asyncio.gather(*launches)}) == 1
    assert await few.log.count("all") == 12


async def test_a_key_that_launched_in_one_partition_forks_nothing_in_another(two: tuple[Core, Core]) -> None:
    _, many = two
    sources = await everywhere(many)
    for n, source in enumerate(sources):
        launched = await many.supervisor.launch("sre", "look", ADA, idempotency_key=f"run {n}")
        with pytest.raises(IdempotencyConflict):
            await many.supervisor.fork(source, ADA, idempotency_key=f"run {n}")
        forked = await many.supervisor.fork(source, ADA, idempotency_key=f"fork {n}")
        again = await many.supervisor.fork(source, ADA, idempotency_key=f"fork {n}")
        assert forked.id == again.id != launched.id
        assert partition_of(forked.id) == partition_of(source)
        with pytest.raises(IdempotencyConflict):
            await many.supervisor.launch("sre", "look", ADA, idempotency_key=f"fork {n}")
