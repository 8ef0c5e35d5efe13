"""A persona file that changes counts in all processes; a mistake in it is told to admins once, and where one looks."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from bot import persona_reports
from bot.persona_reports import PersonaReports
from supervisor.contract.views import persona_views
from supervisor.core.errors import PersonaNotFound
from supervisor.core.events import Actor
from supervisor.personas import folder
from tests.support.scenario import Director, Scene, write_persona
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, KEN, OPS, texts, wait_for


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(persona_reports, "STOOD_SECONDS", 0.0)


def settle(personas: Path) -> None:
    """Make all look as if it was written a while ago."""
    for number, path in enumerate((personas, *personas.iterdir())):
        at = os.stat(path).st_mtime - 100 - number
        os.utime(path, (at, at))


async def told(scene: Scene, user: str) -> list[str]:
    """What the bot told this person directly."""
    opened = await scene.slack.api("conversations.open", users=user)
    return [texts(row) for row in await scene.slack.messages(opened["channel"]["id"], user=user)]


async def test_a_launch_takes_the_file_of_now_and_a_session_keeps_its_own(scenario: Director) -> None:
    ask = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
    scene = await scenario(ask, webs=2)
    early = await scene.waiting(await scene.launch())
    write_persona(scenario.personas, approvals=[{"tool": "deploy", "mode": "deny"}])
    write_persona(scenario.personas, "newcomer")
    settle(scenario.personas)
    assert await scene.ended(await scene.launch())
    for core in scene.flagman.cores:
        assert [one.name for one in core.personas.all()] == ["newcomer", "ops"]
        assert (await core.personas.load_pinned(early)).approvals == ()
    (scenario.personas / "newcomer.md").unlink()
    settle(scenario.personas)
    with pytest.raises(PersonaNotFound):
        await scene.flagman.core.supervisor.launch("newcomer", "x", Actor(id=f"slack:{ADA}"))


async def test_a_mistake_is_told_to_each_admin_once_by_all_processes(scenario: Director) -> None:
    scene = await scenario(in_turn(says("Done.")), webs=2, admins=f"{KEN},{GRACE},api:ci")
    reports = [PersonaReports(core) for core in scene.flagman.cores[:2]]

    async def report() -> None:
        settle(scenario.personas)
        # The processes may look at the same moment, and one after the other.
        await asyncio.gather(*(one.report() for one in reports))
        for one in reports:
            await one.report()

    file = scenario.personas / "ops.md"
    good = file.read_text()
    file.write_text(good.replace("tools:", "tolls:"))
    (scenario.personas / "half.md").write_text("---\nname: half\n")
    await report()
    for admin in (KEN, GRACE):
        new, changed = sorted(await told(scene, admin))
        assert "There is a mistake in line 1 of half.md: the front matter that begins" in new
        assert "line 4 of ops.md: there is no key " in changed
        assert "the version before is used." in changed
    assert await told(scene, ADA) == []
    ops, half = await persona_views(scene.flagman.core.personas)
    assert (ops.name, ops.problem, len(ops.notes)) == ("ops", "", 1)
    assert (half.name, half.notes) == ("half.md", [])
    assert "line 1 of half.md" in half.problem
    await scene.slack.command(ADA, OPS, "personas")

    async def shown() -> bool:
        return any(
            "tolls" in text and "half.md" in text for text in map(texts, await scene.slack.messages(OPS))
        )

    await wait_for(shown)
    # Saved again with the same mistake, it is no other one; mended in between, it is.
    file.write_text(good.replace("tools:", "tolls:") + "Be quick.")
    await report()
    assert len(await told(scene, KEN)) == 2
    file.write_text(good)
    await report()
    assert (await persona_views(scene.flagman.core.personas))[0].notes == []
    file.write_text(good.replace("tools:", "tolls:"))
    await report()
    assert len([text for text in await told(scene, KEN) if "tolls" in text]) == 2


async def test_names_in_a_changed_file_are_looked_for(
    scenario: Director, caplog: pytest.LogCaptureFixture
) -> None:
    scene = await scenario(in_turn(says("Done.")))
    core = scene.flagman.core
    reports = PersonaReports(core)
    write_persona(scenario.personas, operators={"users": ["U0NOBODY1"]})
    settle(scenario.personas)
    await reports.report()
    assert "the persona ops cannot be launched" in caplog.text
    assert "`U0NOBODY1`" in await core.personas.problem("ops")


async def test_the_value_of_a_variable_that_is_granted_later_is_masked(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION_PASS", "correct horse battery")
    command = {"command": "echo got $REGION_PASS"}
    scene = await scenario(in_turn(calls(("shell", command)), says("Done.")))
    grants: dict[str, Any] = {
        "approvals": [{"tool": "shell", "mode": "allow"}],
        "sandbox": {"env": ["REGION_PASS"]},
    }
    write_persona(scenario.personas, **grants)
    settle(scenario.personas)
    session = await scene.ended(await scene.launch())
    assert session.call("1.1").content.endswith("got [masked]")
