"""What is set for a channel holds for every launch into it, says where it comes from, and gives nobody a right."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from supervisor.core.errors import InvalidInput
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, KEN, LINUS, MARGARET, OPS, texts, wait_for

DEPLOY = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def said(scene: Scene, user: str, words: str) -> str:
    answer = await scene.slack.command(user, OPS, words)
    return texts(answer.get("response") or answer)


async def settings_of(scene: Scene) -> dict[str, Any]:
    return (await scene.flagman.core.places.row(OPS)).values.model_dump(exclude_defaults=True)


async def test_each_setting_says_where_it_comes_from(scenario: Director) -> None:
    scene = await scenario(DEPLOY, admins=ADA, limits="usd=5", persona={"budgets": {"max_steps": 30}})
    assert "none: a mention asks" in await said(scene, GRACE, "settings")
    assert "Only admins" in await said(scene, GRACE, "settings persona ops")
    assert await settings_of(scene) == {}
    await said(scene, ADA, "settings persona ops")
    shown = await said(scene, GRACE, "settings limits minutes=9")
    assert "Only admins" in shown
    await said(scene, ADA, "settings limits minutes=9")
    shown = await said(scene, GRACE, "settings")
    for line in (
        "*Default persona*: `ops` · this channel, set by <@U0ADA0001> on",
        "*Additional approvers*: none: the persona's rules alone · the persona *ops*",
        "*Step limit*: `30 steps` · the persona *ops*",
        "*Cost limit*: `$5.00` · the installation, `FLAGMAN_LIMITS`",
        "*Time limit*: `9 minutes` · this channel, set by <@U0ADA0001> on",
    ):
        assert line in shown
    await scene.slack.message(OPS, lambda m: "set *Default persona* of this channel to `ops`" in texts(m))
    await said(scene, ADA, "settings reset persona minutes")
    await scene.slack.message(
        OPS, lambda m: "took back *Time limit* of this channel (was `9 minutes`)" in texts(m)
    )
    assert await settings_of(scene) == {}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("settings persona nobody", "no persona"),
        ("settings limits steps=0", "no limit for `steps`"),
        ("settings limits usd=nan", "no limit for `usd`"),
        ("settings limits coffee=3", "is no limit"),
        ("settings approvers @nobody", "Nobody could approve as `@nobody`"),
        ("settings reset coffee", "reset"),
        ("settings colour red", "Write one of"),
    ],
)
async def test_a_mistake_changes_nothing(scenario: Director, words: str, problem: str) -> None:
    scene = await scenario(DEPLOY, admins=ADA)
    assert problem in await said(scene, ADA, words)
    assert await settings_of(scene) == {}


async def test_limits_hold_however_it_is_launched(scenario: Director) -> None:
    scene = await scenario(DEPLOY, admins=ADA)
    await said(scene, ADA, "settings limits steps=7 usd=2")
    session = await scene.launch()
    assert (session.budgets.max_steps, session.budgets.max_cost_usd) == (7, Decimal(2))
    await said(scene, ADA, 'schedule "0 9 * * MON" launch ops "weekly report"')
    (schedule,) = await scene.flagman.core.schedules.list()
    fired = await scene.flagman.core.schedules.run_now(
        schedule.id, await scene.flagman.core.directory.identify(_ada())
    )
    assert fired.budgets.max_steps == 7


async def test_a_launch_asks_for_less_but_not_for_more(scenario: Director) -> None:
    from supervisor.contract.requests import LaunchRequest, LimitsRequest
    from supervisor.contract.service import SessionService

    scene = await scenario(DEPLOY, admins=ADA)
    await said(scene, ADA, "settings limits steps=7")
    service = SessionService(scene.flagman.core.services(), _ada())

    def request(**limits: Any) -> LaunchRequest:
        return LaunchRequest.of(persona="ops", task="ship it", channel=OPS, limits=LimitsRequest.of(**limits))

    made = await service.launch(request(steps=3))
    assert made.budgets.max_steps == 3
    with pytest.raises(InvalidInput, match="At most 7 steps here, as set by ada"):
        await service.launch(request(steps=8))
    with pytest.raises(InvalidInput, match="At most 50 steps here, as set by the persona `ops`"):
        await service.launch(LaunchRequest.of(persona="ops", task="x", limits=LimitsRequest.of(steps=60)))


async def test_approvers_of_a_channel_approve_besides_and_never_instead(scenario: Director) -> None:
    rule = {"tool": "deploy", "mode": "ask", "approvers": {"users": [LINUS, GRACE]}}
    scene = await scenario(DEPLOY, admins=KEN, persona={"approvals": [rule]})
    await said(scene, KEN, "settings approvers @sre")
    session = await scene.launch()
    (message,) = await scene.asked(session)
    call = (await scene.waiting(session)).calls_in("awaiting")[0]
    assert [r.groups for r in call.call.rules] == [(), ("S0SRE0001",)]
    # Margaret is of the channel's approvers and not of the persona's; Linus the other way round.
    for one in (MARGARET, LINUS):
        await scene.slack.click(one, OPS, message["ts"], "call_approve", message=message, stale=True)
    await wait_for(lambda: _approved(scene, session.id, 2))
    assert (await scene.ended(session)).ending == "Done."
    assert len(scene.runs("deploy")) == 1


async def test_one_who_is_both_approves_alone_and_a_channel_approver_steers_nothing(
    scenario: Director,
) -> None:
    rule = {"tool": "deploy", "mode": "ask", "approvers": {"users": [LINUS, GRACE]}}
    scene = await scenario(DEPLOY, admins=KEN, persona={"approvals": [rule]})
    await said(scene, KEN, "settings approvers @sre")
    session = await scene.launch(user=LINUS)
    (message,) = await scene.asked(session)
    assert "may not steer" in await said(scene, MARGARET, f"cancel {session.id}")
    await scene.slack.click(GRACE, OPS, message["ts"], "call_approve")
    assert (await scene.ended(session)).lifecycle == "completed"


async def test_two_changes_at_once_lose_none(scenario: Director) -> None:
    scene = await scenario(DEPLOY, admins=ADA)
    places = scene.flagman.core.places
    values: list[dict[str, Any]] = [{"persona": "ops"}, {"steps": 3}, {"minutes": 4.0}, {"steps": 5}]
    await asyncio.gather(*(places.change(OPS, _ada(), one) for one in values))  # type: ignore[arg-type]
    row = await places.row(OPS)
    assert (row.values.persona, row.values.limits.minutes) == ("ops", 4.0)
    assert len(row.changes) == 4


def _ada() -> Any:
    from supervisor.core.events import Actor

    return Actor(id=f"slack:{ADA}", name="ada")


async def _approved(scene: Scene, session_id: str, count: int) -> bool:
    session = await scene.flagman.core.supervisor.get(session_id)
    return any(len(call.decisions) == count for step in session.steps for call in step.calls)


async def test_a_change_is_announced_once_slack_takes_it(scenario: Director) -> None:
    scene = await scenario(DEPLOY, admins=ADA)
    await scene.slack.fault("chat.postMessage", status=503, times=1)
    await said(scene, ADA, "settings persona ops")
    places = scene.flagman.core.places
    await wait_for(lambda: _released(scene))
    assert await places.untold() == [OPS]
    for _ in range(2):
        await scene.flagman.core.creators().tell()
    assert await places.untold() == []
    told = [m for m in await scene.slack.messages(OPS) if "set *Default persona*" in texts(m)]
    assert len(told) == 1


async def test_everybody_sets_what_holds_in_their_own_direct_messages(scenario: Director) -> None:
    scene = await scenario(DEPLOY, admins=ADA)
    await scene.slack.command(GRACE, "D0GRACE01", "settings persona ops")
    await scene.slack.post(GRACE, "D0GRACE01", "ship the shop")
    session = await scene.flagman.session(lambda s: s.task == "ship the shop")
    assert session.persona == "ops"
    assert "Only admins" in await said(scene, GRACE, "settings persona ops")


async def test_a_guest_launches_and_changes_nothing(scenario: Director) -> None:
    scene = await scenario(DEPLOY, admins=ADA, default_persona="ops")
    await scene.slack.person(id=LINUS, is_restricted=True)
    await scene.slack.post(LINUS, OPS, "<@U0FLAGMAN1> ship it")
    await scene.slack.message(OPS, lambda m: "Guests have no rights" in texts(m), user=LINUS)
    assert "Guests have no rights" in await said(scene, LINUS, "settings persona ops")
    assert await settings_of(scene) == {}


async def _released(scene: Scene) -> bool:
    calls = await scene.slack.calls("chat.postMessage")
    row = await scene.flagman.core.places.row(OPS)
    return bool(calls) and row.telling_until is None
