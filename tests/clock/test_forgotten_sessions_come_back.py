"""The clock looks for sessions with work left that no queue holds, and queues them again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

import bot.clock
from bot.clock import Clock
from bot.compose import core
from storage import keys
from supervisor.core.events import Actor
from supervisor.runtime import sweeper
from tests.support.flagman import settings
from tests.support.slack import wait_for

ADA = Actor(id="api:ada", name="ada")


async def test_a_session_whose_job_was_lost_is_queued_again(
    redis: Redis, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.clock, "SWEEP", timedelta(milliseconds=50))
    monkeypatch.setattr(sweeper, "QUIET", timedelta())
    async with core(settings("http://127.0.0.1:9/api/", valkey_url, tmp_path)) as parts:
        ready, _ = parts.queues()
        session = await parts.supervisor.launch("sre", "look", ADA)
        waiting = await parts.supervisor.launch("sre", "wait", ADA)
        await parts.supervisor.pause(waiting.id, ADA)
        lost = keys.queue(0, "ready")
        await redis.delete(lost.stream, lost.state)
        assert await ready.absent([session.id]) == [session.id]
        async with Clock(parts):
            await wait_for(lambda: ready.holds(session.id))
        await ready.open()
        jobs = await ready.take("w", limit=8, block=timedelta(milliseconds=50))
        assert [job.session_id for job in jobs] == [session.id]
