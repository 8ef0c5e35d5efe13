"""The daily digest is posted once: by one of several clocks, and not again after one has died behind its post."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bot.audit_digest import AuditDigest
from bot.clock import Clock
from bot.compose import now
from bot.settings import Settings
from storage import keys
from supervisor.daily import DailyRow, DailyTime
from tests.api.conftest import Build, House
from tests.support.slack import OPS, texts, wait_for

AT = f"{OPS} 09:00 Europe/Berlin"


async def stored(house: House) -> DailyRow | None:
    row: Any = await house.scene.flagman.core.redis.hget(keys.digests(), "digest")
    return DailyRow.model_validate_json(row) if row else None


async def put(house: House, **update: Any) -> None:
    """Change the row, as if time had passed."""
    row = await stored(house)
    assert row
    changed = row.model_copy(update=update).model_dump_json()
    await house.scene.flagman.core.redis.hset(keys.digests(), "digest", changed)


async def digests(house: House) -> list[str]:
    return [texts(m) for m in await house.scene.slack.messages(OPS) if "refused attempt" in json.dumps(m)]


async def test_two_clocks_post_it_once_and_a_restart_does_not_again(build: Build) -> None:
    house = await build(audit_digest=AT, webs=2)
    one, two = (core for core in house.scene.flagman.cores[:2])
    await AuditDigest(one).restore()
    row = await stored(house)
    assert row
    assert row.due > now()
    missed = now() - timedelta(hours=1)
    await put(house, due=missed)
    await one.timers().set(AuditDigest(one)._daily.timer, missed)
    async with Clock(one), Clock(two):

        async def posted() -> bool:
            found = await stored(house)
            return found is not None and found.posted == missed

        await wait_for(posted)
    async with Clock(two):
        await AuditDigest(two).fire()
    assert len(await digests(house)) == 1
    row = await stored(house)
    assert row
    assert row.due > now()


async def test_what_a_dead_process_posted_is_not_posted_again(build: Build) -> None:
    house = await build(audit_digest=AT)
    core = house.scene.flagman.core
    digest = AuditDigest(core)
    await digest.restore()
    missed = now() - timedelta(minutes=5)
    await put(house, due=missed)
    await digest.fire()
    # As the process would have left it had it died before it recorded the post.
    await put(house, due=missed, posted=None, claimed_until=now() - timedelta(seconds=1))
    await digest.fire()
    assert len(await digests(house)) == 1
    # One that died before its post is made up for.
    later = now() - timedelta(minutes=2)
    await put(house, due=later, claimed_until=now() - timedelta(seconds=1))
    await digest.fire()
    assert len(await digests(house)) == 2


async def test_one_that_slack_did_not_take_comes_again(build: Build) -> None:
    house = await build(audit_digest=AT)
    digest = AuditDigest(house.scene.flagman.core)
    await digest.restore()
    await put(house, due=now() - timedelta(minutes=5))
    await house.scene.slack.fault("chat.postMessage", status=503, times=1)
    await digest.fire()
    assert await digests(house) == []
    await digest.fire()
    assert len(await digests(house)) == 1


def test_its_time_is_of_a_zone() -> None:
    plan = DailyTime(hour=9, minute=0, zone="Europe/Berlin", place=OPS)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert plan.after(summer) == datetime(2026, 7, 2, 7, tzinfo=UTC)
    assert Settings(audit_digest=AT).digest_time == plan
    for wrong in ("C0OPS0001", "C0OPS0001 24:00", "#ops 09:00", "C0OPS0001 09:00 Mars/Base"):
        with pytest.raises(ValidationError):
            Settings(audit_digest=wrong)
