"""However many clocks run, and whichever dies: each timer fires once, and what was missed is made up for once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.clock import Clock
from bot.compose import Core, core, now
from storage import keys
from storage.keys import TimerKey
from storage.timers import TimerStore
from supervisor.core.conditions import At
from supervisor.core.events import Actor, Resumed, TimerFired
from tests.support.barriers import hold
from tests.support.flagman import settings
from tests.support.seen import recent_sessions
from tests.support.slack import wait_for

pytestmark = pytest.mark.usefixtures("partitions")

ADA = Actor(id="api:ada", name="ada")


async def _core(stack: AsyncExitStack, url: str, folder: Path) -> Core:
    return await stack.enter_async_context(core(settings("http://127.0.0.1:9/api/", url, folder)))


async def _paused(parts: Core, count: int, due: timedelta) -> list[str]:
    at = now() + due

    async def one() -> str:
        session = await parts.supervisor.launch("sre", "wait", ADA)
        await parts.supervisor.pause(session.id, ADA, conditions=[At(type="at", due=at)])
        return session.id

    return [sid for _ in range(count // 50) for sid in await asyncio.gather(*(one() for _ in range(50)))]


async def _resumes(parts: Core, session_id: str) -> int:
    return sum(isinstance(e, Resumed) for e in await parts.sessions.events(session_id))


async def _all_fired(parts: Core) -> bool:
    return await parts.timers().count() == 0


async def test_two_clocks_and_one_is_killed(redis: Redis, valkey_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "REDIS_URL": valkey_url, "FLAGMAN_DATA": str(tmp_path / "other")}
    async with AsyncExitStack() as stack:
        parts = await _core(stack, valkey_url, tmp_path)
        program = [sys.executable, "-c", "from bot.cli import main; main()", "clock"]
        other = await asyncio.create_subprocess_exec(
            *program, env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert other.stdout
        assert b"ticking" in await other.stdout.readline()
        ids = await _paused(parts, 400, timedelta(seconds=2))
        async with Clock(parts):

            async def some_fired() -> bool:
                return await parts.timers().count() < 350

            await wait_for(some_fired)
            other.send_signal(signal.SIGKILL)
            await other.wait()
            await wait_for(lambda: _all_fired(parts))
        assert [await _resumes(parts, sid) for sid in ids] == [1] * len(ids)


async def test_what_was_missed_fires_once_at_the_start(redis: Redis, valkey_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        parts = await _core(stack, valkey_url, tmp_path)
        [session_id, *_] = await _paused(parts, 50, timedelta(milliseconds=1))
        await asyncio.sleep(0.01)
        async with Clock(parts):
            await wait_for(lambda: _all_fired(parts))
        assert await _resumes(parts, session_id) == 1


async def test_a_schedule_missed_many_times_launches_once(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        two = [await _core(stack, valkey_url, tmp_path) for _ in range(2)]
        parts = two[0]
        made = await parts.schedules.add("* * * * *", "sre", "look", ADA)
        missed = made.model_copy(update={"due": now() - timedelta(hours=1)})
        await parts.schedules._store(missed)
        # Both read the schedule before either launches.
        both = asyncio.Barrier(2)
        for one in two:
            hold(one.supervisor, "launch", both)
        async with asyncio.timeout(60):
            assert await asyncio.gather(*(one.schedules.fire(made.id) for one in two)) == [True, True]
        [launched] = await recent_sessions(parts)
        after = await parts.schedules.get(made.id)
        assert after.last_session == launched.id
        assert after.due is not None
        assert after.due > now()
        assert not await parts.schedules.fire(made.id)


async def test_two_clocks_at_one_moment_get_a_due_row_once(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        two = [await _core(stack, valkey_url, tmp_path) for _ in range(2)]
        session = await two[0].supervisor.launch("sre", "wait", ADA)
        await two[0].supervisor.remind(session.id, now(), ADA, text="look")
        clocks, both, fired = [Clock(parts) for parts in two], asyncio.Barrier(2), list[TimerKey]()
        for parts, clock in zip(two, clocks, strict=True):
            _hold_claims(clock, both)
            _count_fires(parts, fired)
        async with clocks[0], clocks[1]:
            await wait_for(lambda: _all_fired(two[0]))
        assert fired == [TimerKey(session.id, "t1")]
        assert await _reminders(two[0], session.id) == 1


def _hold_claims(clock: Clock, both: asyncio.Barrier) -> None:
    """Its first claim begins with the other's, and nothing is fired before both have claimed."""
    claim = clock._timers.claim

    async def held(*arguments: Any, **options: Any) -> list[TimerKey]:
        clock._timers.claim = claim  # type: ignore[method-assign]
        await both.wait()
        found = await claim(*arguments, **options)
        await both.wait()
        return found

    clock._timers.claim = held  # type: ignore[method-assign]


def _count_fires(parts: Core, fired: list[TimerKey]) -> None:
    fire = parts.deliveries.fire

    async def counted(timer: TimerKey) -> bool:
        fired.append(timer)
        return await fire(timer)

    parts.deliveries.fire = counted  # type: ignore[method-assign]


async def _reminders(parts: Core, session_id: str) -> int:
    return sum(isinstance(e, TimerFired) for e in await parts.sessions.events(session_id))


async def test_a_reminder_that_two_clocks_fire_at_one_moment_is_told_once(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        two = [await _core(stack, valkey_url, tmp_path) for _ in range(2)]
        session = await two[0].supervisor.launch("sre", "wait", ADA)
        await two[0].supervisor.remind(session.id, now(), ADA, text="look")
        # Both have read that the reminder is set before either appends that it fired.
        both = asyncio.Barrier(2)
        for parts in two:
            hold(parts.sessions, "append", both)
        timer = TimerKey(session.id, "t1")
        async with asyncio.timeout(60):
            fired = await asyncio.gather(*(parts.deliveries.fire(timer) for parts in two))
        assert sorted(fired) == [False, True]
        assert await _reminders(two[0], session.id) == 1


async def test_a_timer_that_comes_late_ends_no_later_pause(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        parts = await _core(stack, valkey_url, tmp_path)
        session_id = (await parts.supervisor.launch("sre", "wait", ADA)).id
        await parts.supervisor.pause(session_id, ADA, conditions=[At(type="at", due=now())])
        timers, later = parts.timers(), now() + timedelta(hours=1)
        [late] = await timers.claim(now(), hold=timedelta(seconds=5))
        await parts.supervisor.resume(session_id, ADA)
        again = [At(type="at", due=later)]
        await parts.supervisor.pause(session_id, ADA, conditions=again)
        assert not await parts.deliveries.fire(late)
        assert (await parts.supervisor.get(session_id)).lifecycle == "paused"
        assert await _resumes(parts, session_id) == 1
        # The timer of the pause that it is in is still to come.
        [own] = await timers.claim(later, hold=timedelta(hours=2))
        assert own != late
        assert await parts.deliveries.fire(own)
        assert await _resumes(parts, session_id) == 2


async def test_a_clock_that_dies_between_claim_and_fire_loses_nothing(redis: Redis) -> None:
    timers = TimerStore(redis, redis)
    timer = TimerKey("abcd-efgh", "t1")
    await timers.set(timer, now())
    assert await timers.claim(now(), hold=timedelta(milliseconds=200)) == [timer]
    assert await timers.claim(now(), hold=timedelta(milliseconds=200)) == []

    async def again() -> list[TimerKey]:
        return await timers.claim(now(), hold=timedelta(seconds=5))

    assert await wait_for(again) == [timer]


async def test_a_timer_whose_session_moved_on_does_nothing(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        parts = await _core(stack, valkey_url, tmp_path)
        session = await parts.supervisor.launch("sre", "wait", ADA)
        await parts.supervisor.remind(session.id, now() + timedelta(hours=1), ADA, text="look")
        await parts.supervisor.drop_timer(session.id, "t1", ADA)
        assert await parts.timers().count() == 0
        assert not await parts.deliveries.fire(TimerKey(session.id, "t1"))
        assert not any(isinstance(e, TimerFired) for e in await parts.sessions.events(session.id))


@pytest.mark.parametrize("count", [20_000])
async def test_far_timers_cost_the_clock_nothing(
    redis: Redis, valkey_url: str, tmp_path: Path, count: int
) -> None:
    far = (now() + timedelta(days=3)).timestamp() * 1000
    await redis.zadd(keys.timers(0), {f"abcd-efgh|t{n}": far + n for n in range(count)})
    async with AsyncExitStack() as stack:
        parts = await _core(stack, valkey_url, tmp_path)
        async with Clock(parts) as clock:
            await asyncio.sleep(0.2)
            assert len(clock._scheduler.get_jobs()) <= 4
