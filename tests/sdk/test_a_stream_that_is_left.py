"""A stream of events that is left half-way holds nothing once its Flagman has stopped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.sdk import Agent, in_process
from bot.settings import Settings
from supervisor.models.demo.gateway import DemoGateway


async def test_nothing_listens_after_the_end(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with in_process(Settings(data=tmp_path), gateway=DemoGateway(delay=timedelta())):
        session = await Agent("sre").start("report on the disk")
        events = session.events()
        assert (await anext(events)).type == "SessionLaunched"
        await session.wait(timeout=60)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
