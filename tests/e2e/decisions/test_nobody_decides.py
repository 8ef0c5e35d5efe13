"""A request on which nobody decides: its approvers are reminded, more people may decide, and it ends unapproved."""

from __future__ import annotations

import pytest

from storage.keys import TimerKey
from supervisor.core.commands.deadlines import deadlines
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, BOT, GRACE, KEN, OPS, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def pass_time(scene: Scene, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    """Have the next deadline of the session come, which fires its timer."""
    core = scene.flagman.core
    session = await core.supervisor.get(session.id)
    (deadline,) = deadlines(session)
    timer = TimerKey(session.id, deadline.name)
    assert not await core.timers().missing([timer])
    with monkeypatch.context() as patched:
        patched.setattr(core.supervisor._change, "_clock", lambda: deadline.due)
        assert await core.creators().fire(timer)
        assert not await core.creators().fire(timer)
    assert await core.timers().missing([timer])


async def test_it_reminds_escalates_and_expires(scenario: Director, monkeypatch: pytest.MonkeyPatch) -> None:
    approvers = {
        "users": [GRACE],
        "remind": "2h",
        "escalate": {"after": "3h", "users": [KEN]},
        "expire": "1d",
    }
    rules = [{"tool": "deploy", "mode": "ask", "approvers": approvers}]
    scene = await scenario(ONE, persona={"approvals": rules})
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert "expires" in texts(ask)
    await pass_time(scene, monkeypatch, session)
    thread = ask["thread_ts"]
    told = await scene.slack.message(OPS, lambda m: "1 call above still needs approval" in texts(m), thread)
    assert f"<@{GRACE}>" in texts(told)
    await pass_time(scene, monkeypatch, session)
    await scene.slack.message(OPS, lambda m: f"<@{KEN}>" in texts(m) and APPROVE in buttons(m), thread)
    for _ in range(5):
        await pass_time(scene, monkeypatch, session)
        now = await scene.flagman.core.supervisor.get(session.id)
        if now.call("1.1").phase == "expired":
            break
    ended = await scene.ended(session)
    assert ended.call("1.1").phase == "expired"
    assert not scene.runs("deploy")
    rows = await scene.settled(session)
    assert any("Expired: nobody decided in time" in texts(row) for row in rows)
    assert sum("no longer needed" in texts(row) for row in rows) == 1


async def test_who_was_asked_directly_is_reminded_there(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvers = {"users": [KEN], "remind": "2h"}
    scene = await scenario(
        ONE, persona={"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}
    )
    place = await scene.slack.channel("private", name="ops-only", members=[ADA, GRACE, BOT])
    session = await scene.waiting(await scene.launch(channel=place))
    direct = "D0KEN0001"
    await scene.slack.message(direct, lambda m: APPROVE in buttons(m), user=KEN)
    await pass_time(scene, monkeypatch, session)
    await scene.slack.message(direct, lambda m: "still needs approval" in texts(m), user=KEN)


async def test_whom_a_request_was_escalated_to_approves_it(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvers = {"users": [GRACE], "escalate": {"after": "1h", "users": [ADA]}}
    scene = await scenario(
        ONE, persona={"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}
    )
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    assert not (await scene.flagman.core.supervisor.get(session.id)).call("1.1").decisions
    await pass_time(scene, monkeypatch, session)

    async def approved() -> bool:
        await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
        return bool((await scene.flagman.core.supervisor.get(session.id)).call("1.1").decisions)

    await wait_for(approved)
    assert (await scene.ended(session)).call("1.1").ok
    assert len(scene.runs("deploy")) == 1
