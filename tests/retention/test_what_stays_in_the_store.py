"""Sessions that something still needs stay; the audit reads those that were archived."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from bot.compose import Core
from bot.retention import DailyCollection, collect
from bot.settings import Settings
from storage import keys
from supervisor.core.audit.rows import AuditFilter
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.grants import Terms
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.session_log.leftovers import Leftovers
from tests.retention.test_a_collected_session_leaves_nothing import RULES, SCRIPT, collected, full
from tests.support.scenario import Director
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, OPS, wait_for


async def test_a_copy_takes_its_files_before_its_source_goes(scenario: Director) -> None:
    ask = calls(("deploy", {"service": "shop"}))
    script = in_turn(calls(("shell", {"command": "echo 1 > a.csv"})), ask, ask, says("Done."))
    scene = await scenario(script, persona=RULES)
    core = scene.flagman.core
    session = await scene.launch()
    await scene.waiting(session)
    await scene.slack.command(ADA, OPS, f"fork {session.id}")

    async def look() -> Session | None:
        return next((s for s in await recent_sessions(core) if s.forked), None)

    copy = await scene.waiting(await wait_for(look))
    await scene.slack.command(ADA, OPS, f"cancel {session.id}")
    await scene.ended(session)
    kept = (await collected(core)).kept
    assert kept == {session.id: "a copy of it may still take its files"}
    await scene.slack.command(ADA, OPS, f"cancel {copy.id}")
    await scene.ended(copy)
    assert await gone(core) == []


async def test_the_audit_reads_the_archive_and_names_what_is_missing(scenario: Director) -> None:
    scene, session = await full(scenario)
    core = scene.flagman.core
    audit = core.audit()

    async def everything(*_: str) -> bool:
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


async def test_a_grant_for_a_channel_keeps_its_session(scenario: Director) -> None:
    scene = await scenario(SCRIPT, persona=RULES)
    core = scene.flagman.core
    session = await scene.waiting(await scene.launch())
    call = session.calls_in("awaiting")[0]
    ada = Actor(id=f"slack:{ADA}", name="Ada")
    terms = Terms(
        patterns={"service": "shop", "notes": "*"}, until=datetime.now(UTC) + timedelta(hours=2), place="C1"
    )
    await core.supervisor.allow(session.id, call.call_id, terms, ada, seen=Seen.of(call))
    await scene.ended(session)
    why = "a grant of it still holds for other sessions"
    assert (await collected(core)).kept == {session.id: why}
    await core.supervisor.revoke(session.id, "g1", ada)
    assert (await gone(core)) == []


async def gone(core: Core) -> list[str]:
    """What stays, once no worker is at a session that can be collected."""

    async def look() -> bool:
        await collected(core)
        return await core.log.count("all") == 0

    await wait_for(look)
    return list((await collected(core)).kept)


async def test_several_clocks_collect_once_a_day(
    scenario: Director, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, session = await full(scenario)
    core = scene.flagman.core
    settings = Settings(**{**vars(core.settings), "keep": "1d"})
    today = datetime.now(UTC)
    monkeypatch.setattr("bot.retention.now", lambda: today)
    clocks = [DailyCollection(replace(core, settings=settings)) for _ in range(3)]
    assert sum(await asyncio.gather(*(clock.run() for clock in clocks))) == 1
    assert await core.log.length(session.id), "it ended less than a day ago"
    today += timedelta(days=2)
    assert sum(await asyncio.gather(*(clock.run() for clock in clocks))) == 1
    assert await core.log.length(session.id) == 0
    assert await redis.exists(keys.collection_turn()) == 0
    await redis.set(keys.collection_turn(), "of another clock")
    today += timedelta(days=1)
    assert not await clocks[0].run()
    with pytest.raises(InvalidInput, match="Another process archives ended sessions right now"):
        await collect(core, "1d", "", dry_run=False)
    assert await redis.get(keys.collection_turn()) == b"of another clock"


def test_a_time_that_is_too_short_is_refused() -> None:
    for keep in ("0", "2h", "soon", "-3d"):
        with pytest.raises(ValidationError, match="forever, or a time of a day or more such as 90d"):
            Settings(keep=keep)
    assert Settings(keep="forever").keep_for is None
    assert Settings(keep="90d").keep_for == timedelta(days=90)


async def test_a_worker_elsewhere_removes_what_is_archived_and_nothing_else(
    scenario: Director, tmp_path: Path
) -> None:
    scene, session = await full(scenario)
    core, elsewhere = scene.flagman.core, tmp_path / "elsewhere"
    live = await scene.launch("another")
    (kept := tmp_path / "kept").mkdir()
    for name in (session.id, live.id, "notes", "abcd-efgh"):
        (elsewhere / name / "deep").mkdir(parents=True)
        (elsewhere / name / "link").symlink_to(kept)
    (elsewhere / ".begun").mkdir()
    (elsewhere / ".begun" / session.id).touch()
    (logs := tmp_path / "logs").mkdir()
    for name in (f"{session.id}.md", f"{session.id}.7.md", f"{live.id}.md"):
        (logs / name).touch()
    leftovers = Leftovers(core.retention(), elsewhere, logs)
    assert await leftovers.remove() == 0
    await collected(core)
    assert await leftovers.remove() == 1
    assert {path.name for path in elsewhere.iterdir()} == {live.id, "notes", "abcd-efgh", ".begun"}
    assert list((elsewhere / ".begun").iterdir()) == []
    assert [path.name for path in logs.iterdir()] == [f"{live.id}.md"]
    assert kept.is_dir(), "a link is removed, and not what it leads to"
