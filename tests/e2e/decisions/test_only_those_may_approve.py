"""Who may wave a call through is the policy's to say; everybody else is told so, and nothing is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.core.events import ApprovalDecided
from tests.support.scenario import ALL, APPROVE, DENY, Director, Scene
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, GRACE, KEN, LINUS, MARGARET, OPS, Json, Slack, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
TWO = in_turn(calls(("deploy", {"service": "shop"}), ("deploy", {"service": "bank"})), says("Done."))
THREE = in_turn(calls(*(("deploy", {"service": name}) for name in "abc")), says("Done."))


def approvals(**approvers: Any) -> Json:
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}


async def recorded(scene: Scene, session_id: str) -> list[tuple[str, str, str]]:
    events = await scene.flagman.core.supervisor.sessions.events(session_id)
    return [(e.by, e.verdict, e.via) for e in events if isinstance(e, ApprovalDecided)]


async def turned_away(scene: Scene, user: str, ask: Json, button: str = APPROVE, count: int = 1) -> str:
    """The sentence for one who clicks without the right to."""
    assert (await scene.slack.click(user, OPS, ask["ts"], button))["ok"]
    told = await scene.whispers(user, count, ask["thread_ts"])
    return str(told[-1]["text"])


async def test_only_named_people(scenario: Director) -> None:
    scene = await scenario(ONE, persona=approvals(users=[GRACE, LINUS]))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert f"Approvers: <@{GRACE}>, <@{LINUS}>" in texts(ask)
    words = await turned_away(scene, ADA, ask)
    assert f"You may not decide on this call. Ask <@{GRACE}> or <@{LINUS}>." in words
    await turned_away(scene, ADA, ask, DENY, 2)
    assert not await scene.slack.views(ADA)
    assert await recorded(scene, session.id) == []
    assert scene.runs() == []
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert await recorded(scene, session.id) == [(f"slack:{GRACE}", "approve", "user")]
    assert len(scene.runs("deploy")) == 1


async def test_only_members_of_a_user_group(scenario: Director) -> None:
    scene = await scenario(ONE, persona=approvals(groups=["leads"]))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "a member of leads" in await turned_away(scene, ADA, ask)
    assert await recorded(scene, session.id) == []
    assert (await scene.slack.click(MARGARET, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert await recorded(scene, session.id) == [(f"slack:{MARGARET}", "approve", "group:leads")]


async def test_a_group_that_slack_does_not_name_right_now_lets_nobody_through(scenario: Director) -> None:
    scene = await scenario(ONE, persona=approvals(groups=["leads"]))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.fault("usergroups.users.list", error="internal_error")
    assert "Slack does not say who is in leads" in await turned_away(scene, MARGARET, ask)
    assert await recorded(scene, session.id) == []
    assert (await scene.slack.click(MARGARET, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_two_have_to_agree_and_the_first_sees_one_of_two(scenario: Director) -> None:
    scene = await scenario(ONE, persona=approvals(quorum=2))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "0 of 2 approvals" in texts(ask)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    half = await scene.slack.message(
        OPS, lambda m: m["ts"] == ask["ts"] and "1 of 2 approvals" in texts(m), ask["thread_ts"]
    )
    assert f"approved so far by <@{ADA}>" in texts(half)
    assert {APPROVE, DENY} <= set(buttons(half))
    assert "already approved by you" in await turned_away(scene, ADA, half)
    assert scene.runs() == []
    assert (await scene.slack.click(KEN, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert [by for by, _, _ in await recorded(scene, session.id)] == [f"slack:{ADA}", f"slack:{KEN}"]
    assert len(scene.runs("deploy")) == 1
    rows = await scene.settled(session)
    assert any(f"Approved by <@{ADA}>, <@{KEN}>" in texts(row) for row in rows)


async def test_one_denial_is_enough_where_two_have_to_agree(scenario: Director) -> None:
    scene = await scenario(ONE, persona=approvals(quorum=2))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    assert (await scene.slack.click(KEN, OPS, ask["ts"], DENY))["ok"]
    assert (await scene.slack.submit(KEN, await scene.slack.view(KEN)))["ok"]
    await scene.ended(session)
    assert scene.runs() == []
    assert "Denied by ken; it did not run." in results(scene.model.requests[1])[0]
    rows = await scene.settled(session)
    assert any(f"Denied by <@{KEN}>" in texts(row) for row in rows)


async def test_who_launched_it_may_not_approve_it(scenario: Director) -> None:
    scene = await scenario(ONE, persona=approvals(exclude_requester=True))
    session = await scene.launch(user=ADA)
    (ask,) = await scene.asked(session)
    assert "requester can't approve" in texts(ask)
    assert "someone else must approve" in await turned_away(scene, ADA, ask)
    assert await recorded(scene, session.id) == []
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1


async def test_approve_all_where_one_person_may(scenario: Director) -> None:
    scene = await scenario(TWO, persona=approvals(users=[GRACE]))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "You may not decide" in await turned_away(scene, ADA, ask, ALL)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], ALL))["ok"]
    await scene.ended(session)
    assert len(await recorded(scene, session.id)) == len(scene.runs("deploy")) == 2


async def test_no_approve_all_where_two_have_to_agree(scenario: Director) -> None:
    scene = await scenario(TWO, persona=approvals(quorum=2))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert ALL not in buttons(ask)


async def test_no_approve_all_over_calls_of_different_approvers(scenario: Director) -> None:
    rules = [
        {"tool": "deploy", "when": {"service": who}, "mode": "ask", "approvers": {"users": [user]}}
        for who, user in (("shop", ADA), ("bank", GRACE))
    ]
    scene = await scenario(TWO, persona={"approvals": rules})
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert ALL not in buttons(ask)
    assert (await scene.waiting(session)).calls_in("awaiting")


async def test_approve_all_on_an_old_picture_decides_only_what_is_open(scenario: Director) -> None:
    scene = await scenario(TWO)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(KEN, OPS, ask["ts"], DENY))["ok"]
    assert (await scene.slack.submit(KEN, await scene.slack.view(KEN)))["ok"]
    assert (await scene.slack.click_stale(ADA, OPS, ask, ALL))["ok"]
    (told,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "1 of 2 calls approved" in told["text"]
    assert f"already denied by <@{KEN}>" in told["text"]
    await scene.ended(session)
    decided = [(f"slack:{KEN}", "deny", "anyone"), (f"slack:{ADA}", "approve", "anyone")]
    assert await recorded(scene, session.id) == decided
    assert len(scene.runs()) == 1


async def test_a_denied_form_says_why_in_plain_words(scenario: Director) -> None:
    """Decided by somebody else while the window for the reason was open."""
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(KEN, OPS, ask["ts"], DENY))["ok"]
    window = await scene.slack.view(KEN)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    answer = await scene.slack.submit(KEN, window, {"value": "no"})
    assert answer["errors"] == {"reason": "This call was already approved by ada."}
    await wait_for(lambda: len(scene.runs("deploy")) == 1)


@pytest.mark.parametrize("code", ["paid_teams_only", "plan_upgrade_required"])
async def test_a_plan_without_user_groups_is_said_at_the_start_and_at_the_click(
    scenario: Director, caplog: pytest.LogCaptureFixture, slack: Slack, code: str
) -> None:
    await slack.settings(usergroups_error=code)
    scene = await scenario(ONE, persona=approvals(groups=["leads"]))
    assert (
        "it is not known whether the group `leads` exists: This workspace's plan has no user" in caplog.text
    )
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "This workspace's plan has no user groups" in await turned_away(scene, MARGARET, ask)


async def test_a_group_without_members_is_said_at_the_start(
    scenario: Director, caplog: pytest.LogCaptureFixture, slack: Slack
) -> None:
    groups = slack.playground.workspace.groups
    for ident, group in groups.items():
        groups[ident] = replace(group, users=())
    await scenario(ONE, persona=approvals(groups=["leads"]))
    assert "nobody is a member of the user group `leads`" in caplog.text
