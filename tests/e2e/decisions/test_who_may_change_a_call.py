"""Who may change a proposed call, under the policy before and after the change; late and repeated windows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from supervisor.core.events import ApprovalDecided, CallEdited
from tests.support.editing import EDIT, asked, begun, errors, recorded, save, submission, window
from tests.support.scenario import APPROVE, Director
from tests.support.slack import ADA, GRACE, LINUS, OPS, Json, buttons, texts


async def test_what_policy_denies_is_refused_in_the_window(scenario: Director) -> None:
    rules = [
        {"tool": "deploy", "when": {"service": "bank*"}, "mode": "deny", "reason": "Not the bank."},
        {"tool": "deploy", "mode": "ask"},
    ]
    scene, session, ask = await begun(scenario, persona={"approvals": rules})
    view = await window(scene, ask)
    wrong = await save(scene, view, notes="x", service="bank-eu")
    assert errors(view, wrong) == {"service": "Policy forbids this call. Not the bank."}
    assert await recorded(scene, session, CallEdited) == []
    assert (await save(scene, view, service="shop-eu"))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3]["service"] == "shop-eu"


BANK_NEEDS_GRACE = {
    "approvals": [
        {"tool": "deploy", "when": {"service": "bank"}, "mode": "ask", "approvers": {"users": [GRACE]}},
        {"tool": "deploy", "mode": "ask"},
    ]
}


async def test_a_change_that_is_for_others_waits_for_them(scenario: Director) -> None:
    scene, session, ask = await begun(scenario, persona=BANK_NEEDS_GRACE)
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    assert "others have to approve it" in texts(await scene.slack.view(ADA))
    waits = await scene.waiting(session)
    digest = waits.steps[0].calls[0].call.digest
    assert digest != session.steps[0].calls[0].call.digest

    def renewed(message: Json) -> bool:
        return message["ts"] == ask["ts"] and "Changed by" in texts(message)

    shown = await scene.slack.message(OPS, renewed, ask["thread_ts"])
    assert f"Approvers: <@{GRACE}>" in texts(shown)
    assert "still needs approval" in texts(shown)
    assert digest[:20] in buttons(shown)[APPROVE]["value"]
    for action in (APPROVE, EDIT):
        assert (await scene.slack.click_stale(GRACE, OPS, ask, action))["ok"]
    told = await scene.whispers(GRACE, 2, ask["thread_ts"])
    assert all("changed, or asked about again" in row["text"] for row in told)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    (late,) = await scene.whispers(ADA, 1, ask["thread_ts"])
    assert "You may not decide" in late["text"]
    assert scene.runs() == []
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3]["service"] == "bank"


@pytest.mark.parametrize(
    ("approvers", "may"),
    [
        ({"users": [GRACE]}, False),
        ({"groups": ["leads"]}, False),
        ({"groups": ["sre"]}, True),
        ({"exclude_requester": True}, False),
    ],
)
async def test_only_those_may_change_it_who_may_approve_it(
    scenario: Director, approvers: dict[str, Any], may: bool
) -> None:
    scene, session, ask = await begun(scenario, persona=asked(approvers))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], EDIT))["ok"]
    if may:
        assert (await save(scene, await scene.slack.view(ADA), service="bank"))["ok"]
        await scene.ended(session)
        (approval,) = await recorded(scene, session, ApprovalDecided)
        assert approval.via == "group:sre"
        return
    (told,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "may not decide" in told["text"] or "someone else must approve" in told["text"]
    assert await scene.slack.views(ADA) == []
    assert await recorded(scene, session, CallEdited) == []


async def test_a_window_opened_by_who_may_not_save_is_refused_when_saved(scenario: Director) -> None:
    scene, session, ask = await begun(scenario, persona=asked({"users": [GRACE]}))
    view = await window(scene, ask, GRACE)
    payload = submission(view, ADA, service="bank")
    ack = await scene.slack.send("deliver", {"type": "interactive", "payload": payload})
    assert "You may not decide" in json.dumps(ack)
    assert await recorded(scene, session, CallEdited) == []


async def test_whose_group_may_approve_the_change_approves_it_too(scenario: Director) -> None:
    rules = [
        {"tool": "deploy", "when": {"service": "bank"}, "mode": "ask", "approvers": {"groups": ["sre"]}},
        {"tool": "deploy", "mode": "ask", "approvers": {"users": [ADA, GRACE]}},
    ]
    scene, session, ask = await begun(scenario, persona={"approvals": rules})
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    await scene.ended(session)
    (approval,) = await recorded(scene, session, ApprovalDecided)
    assert approval.via == "group:sre"


async def test_a_change_counts_once_towards_a_quorum_and_undoes_earlier_approvals(scenario: Director) -> None:
    scene, session, ask = await begun(scenario, persona=asked({"quorum": 2}))
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.slack.message(OPS, lambda m: "1 of 2 approvals" in texts(m), ask["thread_ts"])
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    changed = await scene.flagman.session(lambda s: s.calls_in("awaiting")[0].edited_by, session.id)
    assert [d.by for d in changed.calls_in("awaiting")[0].decisions] == [f"slack:{ADA}"]
    # The card says it, too, and earlier.
    await scene.slack.message(
        OPS, lambda m: m["ts"] == ask["ts"] and "Changed by" in texts(m), ask["thread_ts"]
    )
    assert scene.runs() == []
    assert (await scene.slack.click(LINUS, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert [row[3]["service"] for row in scene.runs("deploy")] == ["bank"]


async def test_sent_twice_it_is_changed_once(scenario: Director) -> None:
    scene, session, ask = await begun(scenario, webs=2)
    view = await window(scene, ask)
    payload = submission(view, ADA, service="bank")
    answers = await asyncio.gather(
        *(scene.slack.send("deliver", {"type": "interactive", "payload": payload}) for _ in range(3))
    )
    assert sum("errors" in json.dumps(answer) for answer in answers) == 2
    await scene.ended(session)
    assert len(await recorded(scene, session, CallEdited)) == len(scene.runs("deploy")) == 1


async def test_a_window_that_was_open_too_long_says_so(scenario: Director) -> None:
    scene, session, ask = await begun(scenario, persona=asked({"quorum": 2}))
    early, late = await window(scene, ask), await window(scene, ask, GRACE)
    assert (await save(scene, early, service="bank"))["ok"]
    wrong = await save(scene, late, GRACE, service="mint")
    (said,) = errors(late, wrong).values()
    assert said.startswith("This call was changed, or asked about again, since it was shown")
    await scene.slack.command(ADA, OPS, f"cancel {session.id}")
    assert len(await recorded(scene, session, CallEdited)) == 1
