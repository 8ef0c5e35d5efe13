"""However slow Slack is, of which reminders and schedules ask who made them, a session resumes at its time."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

import handlers.directory
import handlers.users
from bot.clock import ASKING, Clock
from bot.compose import core, now
from handlers.users import People
from supervisor.core.conditions import At
from supervisor.core.events import Actor
from supervisor.core.state import Session
from tests.support.flagman import settings
from tests.support.slack import BOT_TOKEN, GRACE, Slack, wait_for

OWN = Actor(id="api:ci")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.users, "GROUP_SECONDS", 600.0)
    monkeypatch.setattr(handlers.directory, "GROUP_SECONDS", 600.0)


async def test_a_session_resumes_while_reminders_and_schedules_wait_for_slack(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async with Slack() as slack, core(settings(slack.api_url, valkey_url, tmp_path)) as parts:
        parts.directory.connect(People(AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url, timeout=600)))
        supervisor, maker = parts.supervisor, Actor(id=f"slack:{GRACE}")
        await slack.fault("*", delay_s=600, times=1000)
        session = await supervisor.launch("sre", "wait", OWN)
        for _ in range(ASKING):
            await supervisor.remind(session.id, now(), maker, text="look")
        schedule = await parts.schedules.add("0 9 * * MON", "sre", "weekly", OWN)
        await parts.schedules._store(schedule.model_copy(update={"due": now(), "by": maker.id}))
        await supervisor.pause(session.id, OWN, conditions=[At(type="at", due=now())])
        async with Clock(parts):

            async def resumed() -> Session | None:
                found = await supervisor.get(session.id)
                return found if found.halts[-1].resumed_at else None

            found = await wait_for(resumed)
            assert {timer.state for timer in found.timers} == {"set"}
            assert not (await parts.schedules.get(schedule.id)).last_session
