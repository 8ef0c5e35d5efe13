"""Sub-agents pause with their coordinator, through all levels, and go on with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import bot.clock
from bot.clock import Clock
from storage.log import Effects
from supervisor.core.events import Actor, Resumed, encode
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import in_turn, says
from tests.support.slack import ADA, OPS
from tests.support.subagents import board, child, coordinated, deploys, plan, subtask

TWO = plan(subtask("solo"), subtask("team", persona="lead"))
PARTS: dict[str, Any] = {
    "solo": deploys("solo"),
    "team": in_turn(plan(subtask("leaf")), says("The team is done.")),
    "leaf": deploys("leaf"),
}


async def family(scenario: Director, folder: Path) -> tuple[Scene, Session, list[Session]]:
    """A coordinator with `solo` and `team`, and `leaf` below `team`; `solo` and `leaf` wait for an approval."""
    scene = await coordinated(scenario, folder, TWO, PARTS)
    session = await scene.launch()
    solo, team = [await child(scene, session, name) for name in ("solo", "team")]
    leaf = await child(scene, team, "leaf")
    for one in (solo, leaf):
        await scene.waiting(one)
    return scene, session, [solo, team, leaf]


async def said(scene: Scene, text: str) -> str:
    return str((await scene.slack.command(ADA, OPS, text)).get("response"))


async def held(scene: Scene, sessions: list[Session]) -> list[Session]:
    return [await scene.flagman.session(lambda s: s.waiting_for == "parent_paused", s.id) for s in sessions]


async def test_all_levels_pause_and_what_was_approved_runs_when_they_go_on(
    scenario: Director, tmp_path: Path
) -> None:
    scene, session, below = await family(scenario, tmp_path)
    solo, team, leaf = below
    assert "Its 2 sub-agents pause with it." in await said(scene, f"pause {session.id} until webhook: go")
    await held(scene, below)
    await board(scene, session, "paused with its coordinator")

    (ask,) = await scene.asked(leaf)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    assert (await scene.flagman.session(lambda s: s.calls_in("approved"), leaf.id)).pause
    # Who resumes one of them means that one, whatever the others wait for.
    await said(scene, f"resume {solo.id}")
    (ask,) = await scene.asked(solo)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    await scene.ended(solo)
    assert [run[3]["service"] for run in scene.runs("deploy")] == ["solo"]
    assert (await scene.flagman.session(lambda _: True, session.id)).pause

    await scene.flagman.core.deliveries.deliver("webhook", "go", "1", None, Actor(id="webhook:go"))
    await scene.ended(leaf)
    done = await scene.ended(session)
    assert [run[3]["service"] for run in scene.runs("deploy")] == ["solo", "leaf"]
    assert (done.lifecycle, (await scene.flagman.session(lambda s: s.ended, team.id)).inbox) == (
        "completed",
        (),
    )


async def test_a_lost_queue_keeps_no_sub_agent_from_going_on(
    scenario: Director, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.clock, "SWEEP", timedelta(milliseconds=50))
    scene, session, below = await family(scenario, tmp_path)
    await said(scene, f"pause {session.id}")
    await held(scene, below)
    # As if the resume of the coordinator were all that the store kept.
    core = scene.flagman.core
    paused = await core.supervisor.get(session.id)
    resumed = Resumed(at=paused.changed_at, by=ADA)
    await core.log.append(session.id, paused.version, [encode(resumed)], Effects())
    async with Clock(core):
        for one in below:
            await scene.flagman.session(lambda s: s.pause is None, one.id)


async def test_alone_or_until_they_end_it_pauses_without_them(scenario: Director, tmp_path: Path) -> None:
    scene, session, (solo, team, leaf) = await family(scenario, tmp_path)
    for how in ("alone", "alone until in 2h because of lunch", "until children"):
        assert "sub-agent" not in await said(scene, f"pause {session.id} {how}")
        paused = await scene.flagman.session(lambda s: s.pause is not None, session.id)
        assert not paused.halts[-1].cascade
        if how != "until children":
            await said(scene, f"resume {session.id}")
    for one in (solo, leaf):
        (ask,) = await scene.asked(one)
        await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
        await scene.ended(one)
    assert (await scene.ended(session)).lifecycle == "completed"
    assert not (await scene.flagman.session(lambda s: s.ended, team.id)).halts


async def test_one_that_waits_for_its_own_follows_when_it_would_go_on(
    scenario: Director, tmp_path: Path
) -> None:
    scene, session, (solo, team, leaf) = await family(scenario, tmp_path)
    await said(scene, f"pause {solo.id} until webhook: own")
    (ask,) = await scene.asked(solo)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    await said(scene, f"pause {session.id}")
    await held(scene, [team, leaf])
    await scene.flagman.core.deliveries.deliver("webhook", "own", "1", None, Actor(id="webhook:own"))
    await held(scene, [solo])
    assert scene.runs() == [], "it follows before it does anything"
    await said(scene, f"resume {session.id}")
    for one in (solo, team, leaf):
        await scene.flagman.session(lambda s: s.pause is None, one.id)
    await scene.ended(solo)
    await said(scene, f"cancel {session.id}")
    for one in (solo, team, leaf):
        await scene.ended(one)
    assert (await scene.ended(leaf)).lifecycle == "cancelled"


async def test_a_later_pause_is_another_one(scenario: Director, tmp_path: Path) -> None:
    scene, session, (solo, team, leaf) = await family(scenario, tmp_path)
    await said(scene, f"pause {session.id} alone")
    assert "Its 2 sub-agents pause with it." in await said(scene, f"pause {session.id} because of lunch")
    await held(scene, [solo, team, leaf])
    await said(scene, f"resume {solo.id}")
    await scene.flagman.session(lambda s: s.pause is None, solo.id)
    await said(scene, f"pause {session.id} until in 2h")
    await held(scene, [solo])
    # Whoever waits for their ends lets them go on.
    await said(scene, f"pause {session.id} only until children")
    for one in (solo, team, leaf):
        await scene.flagman.session(lambda s: s.pause is None, one.id)
    for one in (solo, leaf):
        (ask,) = await scene.asked(one)
        await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    assert (await scene.ended(session)).lifecycle == "completed"
