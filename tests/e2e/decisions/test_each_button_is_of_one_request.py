"""A button decides on what its message showed: one request for a call, for its outcome, or for a pause."""

from __future__ import annotations

from supervisor.core.commands.approvals import Seen
from supervisor.core.events import Actor
from tests.support.scenario import ALL, APPROVE, DENY, Director, Scene
from tests.support.scripted import calls, in_turn, says, told
from tests.support.slack import ADA, GRACE, OPS, Json, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
GRACES, PIPELINE = Actor(id=f"slack:{GRACE}", name="Grace"), Actor(id="api:pipeline")
TILL_IS_ADAS = [
    {"tool": "deploy", "mode": "ask", "when": {"service": "till"}, "approvers": {"users": [ADA]}},
    {"tool": "deploy", "mode": "ask"},
]


async def change(scene: Scene, session_id: str, call_id: str, service: str, who: Actor = GRACES) -> None:
    """Somebody else changes a call by another door, as far as the policy lets them."""
    supervisor = scene.flagman.core.supervisor
    seen = Seen.of((await supervisor.get(session_id)).call(call_id))
    await supervisor.edit(session_id, call_id, {"service": service}, who, seen=seen)


async def test_a_button_of_an_earlier_request_is_refused_in_one_sentence(scenario: Director) -> None:
    rules = [{"tool": "deploy", "mode": "ask", "approvers": {"quorum": 3}}]
    scene = await scenario(ONE, persona={"approvals": rules})
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await change(scene, session.id, "1.1", "till")
    await change(scene, session.id, "1.1", "shop", PIPELINE)
    # The arguments are those that the old message shows, and it is another request all the same.
    for number, action in enumerate((APPROVE, DENY, "call_edit"), start=1):
        assert (await scene.slack.click_stale(ADA, OPS, ask, action))["ok"]
        refused = (await scene.whispers(ADA, number, ask["thread_ts"]))[-1]
        assert "changed, or asked about again" in texts(refused)
    assert await scene.slack.views(ADA) == []
    assert [d.by for d in (await scene.waiting(session)).call("1.1").decisions] == [PIPELINE.id]
    assert scene.runs("deploy") == []


async def test_approve_all_says_what_happened_to_each_call(scenario: Director) -> None:
    three = calls(*(("deploy", {"service": name}) for name in ("a", "b", "c")))
    scene = await scenario(in_turn(three, says("Done.")), persona={"approvals": TILL_IS_ADAS})
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await change(scene, session.id, "1.2", "b2")
    await change(scene, session.id, "1.3", "till")
    assert (await scene.slack.click_stale(ADA, OPS, ask, ALL))["ok"]
    (said,) = await scene.whispers(ADA, 1, ask["thread_ts"])
    first, *lines = texts(said).splitlines()
    assert "1 of 3 calls approved" in first
    assert "1.1" in lines[0]
    assert "Approved." in lines[0]
    assert "already approved by" in lines[1]
    assert GRACE in lines[1]
    assert "changed, or asked about again" in lines[2]
    assert (await scene.waiting(session)).call("1.3").decisions == ()


async def paused_until_approval(scene: Scene) -> tuple[str, Json]:
    session = await scene.launch()
    await scene.waiting(session)
    said = await scene.slack.command(ADA, OPS, f"pause {session.id} until approval because of the move")
    assert "until it is approved or denied" in str(said["response"]["text"])
    card = await scene.card(session)

    async def look() -> Json | None:
        rows = await scene.slack.messages(OPS, card["ts"])
        return next(
            (m for m in rows if f"halt:{session.id}:1" in str(m["blocks"]) and APPROVE in buttons(m)), None
        )

    return session.id, await wait_for(look)


async def test_a_pause_until_approval_is_decided_by_its_approvers_alone(scenario: Director) -> None:
    rules = [{"tool": "approval", "mode": "ask", "approvers": {"users": [ADA]}}, {"tool": "*", "mode": "ask"}]
    scene = await scenario(ONE, persona={"approvals": rules})
    session_id, ask = await paused_until_approval(scene)
    assert "of the move" in texts(ask)
    assert ADA in texts(ask)
    assert "session_resume" not in buttons(ask)
    for number, action in enumerate((APPROVE, DENY), start=1):
        assert (await scene.slack.click(GRACE, OPS, ask["ts"], action))["ok"]
        refused = (await scene.whispers(GRACE, number, ask["thread_ts"]))[-1]
        assert "You may not decide" in texts(refused)
    said = await scene.slack.command(GRACE, OPS, f"resume {session_id}")
    assert "You may not steer" in str(said)
    said = await scene.slack.command(GRACE, OPS, f"resume {session_id} in 1s")
    assert "You may not steer" in str(said)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], DENY))["ok"]
    assert (await scene.slack.submit(ADA, await scene.slack.view(ADA), {"value": "not now"}))["ok"]
    session = await scene.flagman.session(lambda s: s.pause is None, session_id)
    thread = ask["thread_ts"]
    await scene.slack.message(OPS, lambda m: m["ts"] == ask["ts"] and "Denied by" in texts(m), thread)
    (call,) = await scene.asked(session)
    assert (await scene.slack.click(GRACE, OPS, call["ts"], APPROVE))["ok"]
    await scene.ended(session)
    heard = "\n".join(told(scene.model.requests[-1]))
    assert "The approval that this session waited for was denied by" in heard
    assert f"(slack:{ADA}). Reason: not now" in heard
