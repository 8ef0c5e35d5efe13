"""A persona that names a person, group or workspace that does not exist is not launched, and the others are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.playground import seed
from supervisor.core.errors import PersonaUnusable
from supervisor.core.events import Actor
from tests.support.scenario import Director, Scene, write_persona
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, KEN, OPS, Slack

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
UNKNOWN: dict[str, dict[str, Any]] = {
    "no user group `sri`": {
        "approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"groups": ["sri"]}}]
    },
    "no person `U0NOBODY1`": {
        "approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"users": [ADA, "U0NOBODY1"]}}]
    },
    "no user group `ops`": {"operators": {"groups": ["ops"]}},
    "no person `slack`": {"operators": {"users": ["slack"]}},
}


async def launch(scene: Scene, persona: str) -> str:
    answer = await scene.slack.command(ADA, OPS, f"launch {persona} ship it")
    return str(answer.get("response", answer))


def line_of(scenario: Director, name: str) -> int:
    text = (scenario.personas / "broken.md").read_text().split("\n")
    return next(number for number, line in enumerate(text, 1) if name in line)


@pytest.mark.parametrize("problem", UNKNOWN)
async def test_it_is_told_at_the_start_and_at_the_launch_with_its_line(
    scenario: Director, caplog: pytest.LogCaptureFixture, problem: str
) -> None:
    write_persona(scenario.personas, "broken", **UNKNOWN[problem])
    scene = await scenario(ONE)
    line = line_of(scenario, problem.split("`")[1])
    said = f"the persona broken cannot be launched: {scenario.personas / 'broken.md'}:{line}: Slack knows {problem}"
    assert said in caplog.text
    answer = await launch(scene, "broken")
    assert "The persona `broken` cannot be launched" in answer
    assert f"line {line} of broken.md" in answer
    assert f"Slack knows {problem}" in answer
    assert "Started" in await launch(scene, "ops")
    assert "cannot be launched" in str(await scene.slack.command(ADA, OPS, "personas"))


async def test_no_way_leads_around_it(scenario: Director) -> None:
    write_persona(scenario.personas, "broken", **UNKNOWN["no user group `sri`"])
    scene = await scenario(ONE)
    ada = Actor(id=f"slack:{ADA}")
    with pytest.raises(PersonaUnusable):
        await scene.flagman.core.supervisor.launch("broken", "ship it", ada)
    with pytest.raises(PersonaUnusable):
        await scene.flagman.core.schedules.add("0 9 * * *", "broken", "ship it", ada)


async def test_a_deactivated_person_counts_as_unknown(scenario: Director, slack: Slack) -> None:
    people = slack.playground.workspace.people
    people[KEN] = replace(people[KEN], deleted=True)
    write_persona(scenario.personas, "broken", operators={"users": [KEN]})
    scene = await scenario(ONE)
    assert f"the account `{KEN}` is deactivated" in await launch(scene, "broken")


async def test_a_group_that_is_made_later_needs_no_new_start(scenario: Director, slack: Slack) -> None:
    write_persona(scenario.personas, "broken", operators={"groups": ["S0LATER01"]})
    scene = await scenario(ONE)
    assert "Slack knows no user group `S0LATER01`" in await launch(scene, "broken")
    slack.playground.workspace.groups["S0LATER01"] = seed.Group("S0LATER01", "later", "Later", (ADA,))
    scene.flagman.core.directory.home._people._handles = (0.0, {})  # type: ignore[union-attr]
    assert "Started" in await launch(scene, "broken")


@pytest.mark.parametrize("code", ["missing_scope", "plan_upgrade_required", "internal_error"])
async def test_where_slack_does_not_say_nothing_is_locked(
    scenario: Director, slack: Slack, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    await slack.fault("usergroups.list", error=code, times=99)
    scene = await scenario(
        ONE, persona={"approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"groups": ["sre"]}}]}
    )
    assert "it is not known whether the group `sre` exists" in caplog.text
    assert "It is looked for again at each launch." in caplog.text
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], "call_approve"))["ok"]
    assert not scene.runs("deploy")


async def test_workspaces_are_looked_for_where_the_scope_is_given(scenario: Director, slack: Slack) -> None:
    write_persona(scenario.personas, "far", teams=["T0ELSEWHERE"])
    write_persona(scenario.personas, "own", teams=[seed.TEAM_ID])
    scene = await scenario(ONE)
    # The app's manifest does not ask for `team:read`.
    assert "Started" in await launch(scene, "far")
    assert "Started" in await launch(scene, "own")
    workspace = slack.playground.workspace
    workspace.manifest = replace(workspace.manifest, scopes=None)
    assert "Slack knows no workspace `T0ELSEWHERE`" in await launch(scene, "far")
    assert "Started" in await launch(scene, "own")


async def test_keys_of_programs_are_not_looked_for(scenario: Director) -> None:
    write_persona(scenario.personas, "gate", operators={"users": ["api:gate"]})
    assert "Started" in await launch(await scenario(ONE), "gate")


async def test_a_sub_agent_of_such_a_persona_is_left_out_with_the_reason(scenario: Director) -> None:
    write_persona(scenario.personas, "broken", **UNKNOWN["no user group `sri`"])
    launches = in_turn(calls(("launch_agent", {"persona": "broken", "task": "ship it"})), says("Done."))
    front = {"agents": ["broken"], "approvals": [{"tool": "launch_agent", "mode": "allow"}]}
    scene = await scenario(launches, persona=front)
    session = await scene.ended(await scene.launch())
    (skip,) = session.skips
    assert "The persona `broken` cannot be launched" in skip.reason
    assert not session.children
