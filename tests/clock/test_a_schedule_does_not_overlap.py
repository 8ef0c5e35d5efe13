"""Where the session of the time before has not ended, a schedule leaves the time out, waits, or replaces it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.compose import Core, core, now
from supervisor.core.events import Actor
from supervisor.core.times import Overlap
from supervisor.schedules import Schedule
from tests.support.flagman import settings
from tests.support.seen import recent_sessions

ADA = Actor(id="api:ada", name="ada")


@pytest.fixture
async def parts(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(core(settings("http://127.0.0.1:9/api/", valkey_url, tmp_path)))


async def fired(parts: Core, schedule: Schedule, ago: timedelta) -> tuple[Schedule, datetime]:
    """The schedule after a time that came before, and that time."""
    due = now() - ago
    standing = await parts.schedules.get(schedule.id)
    await parts.schedules._store(standing.model_copy(update={"due": due}))
    assert await parts.schedules.fire(schedule.id)
    return await parts.schedules.get(schedule.id), due


async def twice(parts: Core, overlap: Overlap) -> tuple[Schedule, str, Schedule, datetime]:
    made = await parts.schedules.add("* * * * *", "sre", "look", ADA, overlap=overlap)
    first, _ = await fired(parts, made, timedelta(minutes=5))
    second, due = await fired(parts, made, timedelta(minutes=2))
    return made, first.last_session, second, due


async def test_by_default_the_time_is_left_out(parts: Core) -> None:
    made, session_id, after, due = await twice(parts, "skip")
    assert after.last_session == session_id
    assert after.last_problem == f"{due:%Y-%m-%d %H:%M} UTC was left out, as {session_id} had not ended."
    assert after.due
    assert after.due > now()
    assert not after.untold
    assert len(await recent_sessions(parts)) == 1
    await parts.supervisor.cancel(session_id, ADA)
    later, _ = await fired(parts, made, timedelta(minutes=1))
    assert later.last_session not in ("", session_id)
    assert later.last_problem == ""


async def test_a_queued_one_is_launched_once_the_other_has_ended(parts: Core) -> None:
    made, session_id, after, due = await twice(parts, "queue")
    assert (after.last_session, after.due) == (session_id, due)
    assert after.last_problem == f"It waits until {session_id} has ended."
    await parts.supervisor.cancel(session_id, ADA)
    assert await parts.schedules.fire(made.id)
    later = await parts.schedules.get(made.id)
    assert later.last_session not in ("", session_id)
    assert len(await recent_sessions(parts)) == 2
    assert later.due
    assert later.due > now()


async def test_the_next_one_takes_its_place(parts: Core) -> None:
    made, session_id, after, _ = await twice(parts, "replace")
    replaced = await parts.supervisor.get(session_id)
    assert (replaced.lifecycle, replaced.ending) == (
        "cancelled",
        f"The next session of schedule {made.id} takes its place.",
    )
    assert after.last_session not in ("", session_id)


async def test_one_whose_last_session_is_gone_launches(parts: Core) -> None:
    made = await parts.schedules.add("* * * * *", "sre", "look", ADA)
    await parts.schedules._store(made.model_copy(update={"last_session": "gone-gone"}))
    after, _ = await fired(parts, made, timedelta(minutes=1))
    assert after.last_session not in ("", "gone-gone")
