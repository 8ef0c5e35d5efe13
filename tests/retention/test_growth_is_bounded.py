"""A year of sessions, of which each stays for thirty days, holds no more of the store than its second month."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from storage.retention.store import RetentionStore
from supervisor.session_log.collector import Collector
from tests.session_log.house import ADA, House, house
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import wait_for

KEEP, STEPS, STEP, SESSIONS = timedelta(days=30), 73, timedelta(days=5), 2
# How many archived sessions are known, which is 100,000 in use.
MARKS = 5
WORKS = in_turn(calls(("note", {"words": "look"})), says("Done."))


async def size(redis: Redis) -> tuple[int, int]:
    """The number of keys that do not expire, and their bytes."""
    names = [name async for name in redis.scan_iter() if await redis.ttl(name) == -1]
    usage: Any = await asyncio.gather(*(redis.memory_usage(name) for name in names))
    return len(names), sum(usage)


async def a_session(here: House) -> None:
    session = await here.parts.supervisor.launch("ops", "look at the disk", ADA)
    await here.once(session.id, lambda s: s.ended)
    ready, _ = here.parts.queues()

    async def idle() -> bool:
        return not await ready.holds(session.id)

    await wait_for(idle)


async def test_a_year(redis: Redis, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime(2026, 1, 1, tzinfo=UTC)
    for module in ("compose", "workers"):
        monkeypatch.setattr(f"bot.{module}.now", lambda: today)
    rules = [{"tool": "*", "mode": "allow"}]
    sizes: list[tuple[int, int]] = []
    async with house(WORKS, valkey_url, tmp_path, approvals=rules) as here:
        collector = _collector(here, redis)
        for _ in range(STEPS):
            await asyncio.gather(*(a_session(here) for _ in range(SESSIONS)))
            today += STEP
            while (await collector.step(today - KEEP)).after:
                pass
            await collector.finish()
            sizes.append(await size(redis))
        held = await here.parts.log.count("all")
    months = [sizes[start : start + 6] for start in range(0, len(sizes), 6)]
    keys, used = ([max(row[which] for row in month) for month in months] for which in (0, 1))
    assert max(keys[2:]) <= keys[1]
    assert max(used[2:]) <= used[1] * 1.1
    assert held <= (KEEP / STEP + 1) * SESSIONS
    archived = sorted((tmp_path / "data" / "archive").rglob("*.md"))
    assert len(archived) + held == STEPS * SESSIONS
    assert len({path.parent for path in archived}) >= 11, "a folder a month"


def _collector(here: House, redis: Redis) -> Collector:
    """The collector in use, with a smaller number of archived sessions that are known."""
    collector = here.parts.collector()
    collector._retention = RetentionStore(redis, here.parts.partitions, most=MARKS)
    return collector
