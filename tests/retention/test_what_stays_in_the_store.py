"""Sessions that something still needs stay; the audit reads those that were archived."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.clock import Clock
from bot.retention import DailyCollection
from storage import keys
from supervisor.core.audit.rows import AuditFilter
from supervisor.core.commands.grants import GrantRequest
from supervisor.core.state import Session
from supervisor.session_log.archive import Archive
from tests.retention.test_a_collected_session_leaves_nothing import LATER, RULES, SCRIPT, collected, full
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, wait_for


async def copied(scene: Scene, session: Session) -> Session:
    await scene.slack.command(ADA, "C0OPS0001", f"fork {session.id} at 2 once more")

    async def look() -> Session | None:
        return next((s for s in await recent_sessions(scene.flagman.core) if s.forked), None)

    return await scene.waiting(await wait_for(look))


async def test_a_copy_takes_its_files_before_its_source_goes(scenario: Director) -> None:
    ask = calls(("deploy", {"service": "shop"}))
    script = in_turn(calls(("shell", {"command": "echo 1 > a.csv"})), ask, ask, says("Done."))
    scene = await scenario(script, persona=RULES)
    core = scene.flagman.core
    session = await scene.launch()
    await scene.waiting(session)
    await scene.slack.command(ADA, "C0OPS0001", f"fork {session.id}")

    async def look() -> Session | None:
        return next((s for s in await recent_sessions(core) if s.forked), None)

    copy = await scene.waiting(await wait_for(look))
    await scene.slack.command(ADA, "C0OPS0001", f"cancel {session.id}")
    await scene.ended(session)
    kept = (await collected(core)).kept
    assert kept == {session.id: "a copy of it may still take its files"}
    await scene.slack.command(ADA, "C0OPS0001", f"cancel {copy.id}")
    await scene.ended(copy)

    async def gone() -> bool:
        await collected(core)
        return await core.log.count("all") == 0

    await wait_for(gone)


async def test_the_audit_reads_the_archive_and_names_what_is_missing(scenario: Director) -> None:
    scene, session = await full(scenario)
    core = scene.flagman.core
    audit = core.audit()

    async def everything(_: str) -> bool:
        return True

    before = (await audit.page(AuditFilter(), everything, limit=50)).rows
    opened = (await audit.summary(AuditFilter(), everything))[0]
    assert before
    await collected(core)
    for wanted in (AuditFilter(), AuditFilter(session_id=session.id)):
        assert (await audit.page(wanted, everything, limit=50)).rows == before
    assert (await audit.summary(AuditFilter(), everything))[0] == opened, "who opened a call is known as long"
    file = next((scene.flagman.config.data / "archive").rglob("*.md"))
    for problem in ("not what its hash says", "which is not here"):
        text = file.read_text() if file.exists() else ""
        file.write_text(text.replace('"service":"shop"', '"service":"till"')) if text else None
        if "here" in problem:
            file.unlink()
        found = await audit.page(AuditFilter(), everything, limit=50)
        assert (found.rows, found.lost) == ([], 1)
        assert problem in str(found.unreadable[0])


async def test_several_clocks_collect_once_a_day(scenario: Director, redis: Redis) -> None:
    scene, session = await full(scenario)
    core = scene.flagman.core
    old = await redis.zscore(keys.index(0, "ended"), session.id) - LATER.total_seconds() * 1000
    await redis.zadd(keys.index(0, "ended"), {session.id: old})
    settings = core.settings.model_copy(update={"keep": "1d"})
    assert settings.keep_for == timedelta(days=1)
    clocks = [DailyCollection(_with(core, settings)) for _ in range(3)]
    assert sorted(await asyncio.gather(*(clock.run() for clock in clocks))) == [False, False, True]
    assert not await clocks[0].run()
    assert await redis.exists(keys.collection_turn()) == 0
