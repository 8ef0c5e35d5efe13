"""A pause until `approval` over HTTP: a key without the scope to decide cannot end it, by any route."""

from __future__ import annotations

from tests.api.conftest import APPROVE, LAUNCH, Build, House
from tests.support.scripted import calls, in_turn, results, says, told


async def test_a_key_that_may_not_decide_cannot_end_it(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    path, ci = f"/v1/sessions/{session_id}", await house.as_(LAUNCH)
    paused = await ci.post(f"{path}/pause", {"reason": "a review", "resume_conditions": ["approval"]})
    assert (paused.status, paused["resume_token"], paused["expires_at"]) == (200, None, None)
    (await ci.post(f"{path}/token")).problem(409, "illegal_event")
    for trigger in ("manual", "event"):
        (await ci.post(f"{path}/resume", {"trigger": trigger})).problem(403, "missing_scope")
    (await ci.post(f"{path}/resume", {"trigger": "token"})).problem(403, "not_allowed")
    (await ci.post(f"{path}/resume", {"trigger": "approval"})).problem(422, "invalid_request")
    seen = await ci.seen(path, "p1")
    body = {"verdict": "approve", **seen}
    (await ci.post(f"{path}/calls/p1/decision", body)).problem(403, "missing_scope")
    shown = await ci.get(path)
    assert (shown["waiting_for"], shown["pause"]["conditions"]) == ("human_approval_required", ["approval"])
    request = shown["calls"][-1]
    assert (request["tool"], request["arguments"], request["phase"]) == (
        "approval",
        {"reason": "a review"},
        "awaiting",
    )
    gate = await house.as_(APPROVE)
    (await gate.post(f"{path}/calls/p1/decision", {"verdict": "deny"})).problem(428, "digest_required")
    done = await gate.decide(path, {"verdict": "deny", "reason": "not now"}, "p1")
    assert (done.status, done["pause"]) == (200, None)
    await house.api.decide(path, {"verdict": "deny"})
    await house.until(session_id, lambda s: s.ended)
    heard = "\n".join(told(house.scene.model.requests[-1]))
    assert "The approval that this session waited for was denied by gate (api:gate). Reason: not now" in heard


async def test_an_agent_waits_for_an_approval(build: Build) -> None:
    behave = in_turn(calls(("wait_for", {"condition": "approval", "reason": "to ship"})), says("Done."))
    persona = {
        "tools": ["wait_for"],
        "approvals": [{"tool": "approval", "mode": "ask", "approvers": {"users": ["api:gate"]}}],
    }
    house = await build(behave, persona=persona)
    session_id = await house.launch()
    await house.resting(session_id)
    path = f"/v1/sessions/{session_id}"
    (await house.api.decide(path, {"verdict": "approve"}, "p1")).problem(403, "not_allowed")
    (await house.api.post(f"{path}/resume", {})).problem(403, "not_allowed")
    gate = await house.as_(APPROVE)
    assert (await gate.decide(path, {"verdict": "approve"}, "p1")).status == 200
    await house.until(session_id, lambda s: s.ended)
    assert any("was given by gate (api:gate)" in text for text in results(house.scene.model.requests[-1]))
