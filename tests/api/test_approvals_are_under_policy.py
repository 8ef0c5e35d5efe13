"""An approval by API counts as a click does: the same policy, the same record, never twice."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.compose import now
from supervisor.core.events import ApprovalDecided, OutcomeLost
from supervisor.core.reducer import apply
from supervisor.tools.contract import ToolContext
from supervisor.tools.typed_tool import tool
from tests.api.conftest import ALL, APPROVE, LAUNCH, Build, House
from tests.support.api import Client, Reply
from tests.support.scenario import APPROVE as BUTTON
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.slack import ADA, GRACE, OPS


def ask(**approvers: Any) -> dict[str, Any]:
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}


async def decide(api: Client, session_id: str, verdict: str = "approve", **more: Any) -> Reply:
    return await api.decide(f"/v1/sessions/{session_id}", {"verdict": verdict, **more})


async def decisions(house: House, session_id: str) -> list[ApprovalDecided]:
    events = await house.scene.flagman.core.supervisor.sessions.events(session_id)
    return [event for event in events if isinstance(event, ApprovalDecided)]


async def test_a_quorum_of_a_person_in_slack_and_a_key(build: Build) -> None:
    house = await build(persona=ask(users=[ADA, "api:gate"], quorum=2))
    session_id = await house.launch(channel=OPS)
    session = await house.resting(session_id)
    gate = await house.as_(APPROVE)
    first = await decide(gate, session_id, reason="tests are green")
    assert (first.status, first["waiting_for"]) == (200, "human_approval_required")
    problem = (await decide(gate, session_id)).problem(409, "already_decided")
    assert "you" in problem["detail"]
    (message,) = await house.scene.asked(session)
    assert (await house.scene.slack.click(ADA, OPS, message["ts"], BUTTON))["ok"]
    await house.until(session_id, lambda s: s.ended)
    assert [(d.by, d.via) for d in await decisions(house, session_id)] == [
        ("api:gate", "user"),
        (f"slack:{ADA}", "user"),
    ]
    assert len(house.scene.runs("deploy")) == 1
    (await decide(gate, session_id, "deny")).problem(409, "already_decided")


async def test_a_key_that_is_not_named_may_not(build: Build) -> None:
    house = await build(persona=ask(users=[ADA]))
    session_id = await house.launch()
    await house.resting(session_id)
    problem = (await decide(await house.as_(APPROVE), session_id)).problem(403, "not_allowed")
    assert ADA in problem["detail"]
    (await decide(await house.as_(ALL), session_id, "deny")).problem(403, "not_allowed")
    assert house.scene.runs() == []


async def test_groups_never_take_in_keys(build: Build) -> None:
    house = await build(persona=ask(groups=["sre", "api:gate", "gate"]))
    session_id = await house.launch()
    await house.resting(session_id)
    (await decide(await house.as_(APPROVE), session_id)).problem(403, "not_allowed")


async def test_who_launched_it_is_left_out(build: Build) -> None:
    house = await build(persona=ask(exclude_requester=True))
    session_id = await house.launch()
    await house.resting(session_id)
    problem = (await decide(house.api, session_id)).problem(403, "not_allowed")
    assert "You requested this session" in problem["detail"]
    problem = (await decide(await house.as_(APPROVE), session_id)).problem(403, "not_allowed")
    assert "this key belongs to none" in problem["detail"]
    assert not house.scene.runs("deploy")


async def test_a_key_that_a_rule_names_counts_as_a_second_person(build: Build) -> None:
    house = await build(persona=ask(exclude_requester=True, users=["api:gate"]))
    session_id = await house.launch()
    await house.resting(session_id)
    assert (await decide(await house.as_(APPROVE), session_id)).status == 200
    await house.until(session_id, lambda s: s.ended)
    assert len(house.scene.runs("deploy")) == 1


async def test_clicks_and_requests_at_once_count_once(house: House) -> None:
    session_id = await house.launch(channel=OPS)
    session = await house.resting(session_id)
    (message,) = await house.scene.asked(session)
    gate = await house.as_(APPROVE)
    replies = await asyncio.gather(
        *(decide(gate, session_id) for _ in range(4)),
        *(house.scene.slack.click(who, OPS, message["ts"], BUTTON) for who in (ADA, GRACE)),
    )
    await house.until(session_id, lambda s: s.ended)
    assert len(await decisions(house, session_id)) == 1
    assert len(house.scene.runs("deploy")) == 1
    assert {r.status for r in replies if isinstance(r, Reply)} <= {200, 409}


async def test_what_was_seen_is_what_is_approved(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    gate = await house.as_(APPROVE)
    path = f"/v1/sessions/{session_id}/calls/1.1/decision"
    for more in ({}, {"reason": "x"}, {"digest": ""}, {"request": 1}, {"arguments": {"service": "till"}}):
        for verdict in ("approve", "deny"):
            if verdict == "approve" or "arguments" not in more:
                refused = (await gate.post(path, {"verdict": verdict, **more})).problem(
                    428, "digest_required"
                )
                assert "read the call, and send its `digest`" in refused["detail"]
    (await decide(gate, session_id, digest="0" * 64)).problem(409, "call_changed")
    (await decide(gate, session_id, request=2)).problem(409, "call_changed")
    (await decide(gate, session_id, digest="short")).problem(422, "invalid_request")
    (await decide(gate, session_id, "perhaps")).problem(422, "invalid_request")
    shown = (await house.api.get(f"/v1/sessions/{session_id}"))["calls"][0]["digest"]
    assert (await decide(gate, session_id, "deny", digest=shown, reason="no")).status == 200
    ended = await house.until(session_id, lambda s: s.ended)
    assert ended.steps[0].calls[0].phase == "denied"
    (await gate.post(f"/v1/sessions/{session_id}/calls/9.9/decision", {"verdict": "deny"})).problem(
        409, "illegal_event"
    )


async def test_several_decisions_at_once_say_what_happened_to_each(build: Build) -> None:
    behave = in_turn(
        calls(*(("deploy", {"service": name}) for name in ("a", "b", "c", "till"))), says("Done.")
    )
    rules = [
        {"tool": "deploy", "mode": "ask", "when": {"service": "till"}, "approvers": {"users": [ADA]}},
        {"tool": "deploy", "mode": "ask"},
    ]
    house = await build(behave, persona={"approvals": rules})
    session_id = await house.launch()
    await house.resting(session_id)
    gate, path = await house.as_(APPROVE), f"/v1/sessions/{session_id}"
    seen = {n: {"call_id": n, **await gate.seen(path, n)} for n in ("1.1", "1.2", "1.3", "1.4")}
    assert (await house.api.decide(path, {"verdict": "deny"}, "1.2")).status == 200
    shown = [seen["1.1"], seen["1.2"], {"call_id": "1.3"}, seen["1.4"], {"call_id": "1.9"}]
    reply = await gate.post(f"{path}/decisions", {"verdict": "approve", "calls": shown})
    assert reply.status == 200, reply
    assert [(r["call_id"], r["decided"], r["code"]) for r in reply["results"]] == [
        ("1.1", True, ""),
        ("1.2", False, "already_decided"),
        ("1.3", False, "digest_required"),
        ("1.4", False, "not_allowed"),
        ("1.9", False, "illegal_event"),
    ]
    assert reply["results"][1]["fields"]["by"] == "api:boss"
    assert reply["session"]["id"] == session_id
    (await gate.post(f"{path}/decisions", {"verdict": "approve", "calls": []})).problem(
        422, "invalid_request"
    )
    await house.until(session_id, lambda s: s.call("1.1").phase == "finished")
    assert [row[-1]["service"] for row in house.scene.runs("deploy")] == ["a"]


async def test_a_call_that_was_cut_off_is_settled(build: Build) -> None:
    started = asyncio.Event()

    @tool
    async def deploy(ctx: ToolContext, service: str, notes: str = "") -> str:
        """Deploy a service, and never come back."""
        started.set()
        await asyncio.sleep(3600)
        return service

    house = await build(tools={"deploy": deploy}, grace_seconds=0)
    session_id = await house.launch()
    await house.resting(session_id)
    gate = await house.as_(APPROVE)
    outcome = f"/v1/sessions/{session_id}/calls/1.1/outcome"
    path = f"/v1/sessions/{session_id}"
    (await gate.post(outcome, {"verdict": "done"})).problem(409, "illegal_event")
    (await gate.post(outcome, {"verdict": "maybe"})).problem(422, "invalid_request")
    await decide(gate, session_id)
    await asyncio.wait_for(started.wait(), 60)
    sessions = house.scene.flagman.core.supervisor.sessions
    session = await sessions.load(session_id)
    lost = OutcomeLost(at=now(), by="system", call_id="1.1", attempt=1)
    await sessions.append(session, apply(session_id, session, lost), [lost])
    assert (await gate.get(f"/v1/sessions/{session_id}"))["waiting_for"] == "outcome_unknown"
    seen = await gate.seen(path)
    for verdict in ("run_again", "done", "failed"):
        for less in ({}, {"digest": seen["digest"]}, {"request": seen["request"]}):
            (await gate.post(outcome, {"verdict": verdict, **less})).problem(428, "digest_required")
        earlier = {**seen, "request": seen["request"] - 1}
        (await gate.post(outcome, {"verdict": verdict, **earlier})).problem(409, "call_changed")
    settled = await gate.post(outcome, {"verdict": "done", "result": "I looked: it is there", **seen})
    assert settled.status == 200, settled
    call = (await sessions.load(session_id)).call("1.1")
    assert (call.phase, call.content) == ("finished", "I looked: it is there")
    (await gate.post(outcome, {"verdict": "failed"})).problem(409, "illegal_event")


# A pause until `approval`


async def test_a_key_that_may_not_decide_cannot_end_it(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    path, ci = f"/v1/sessions/{session_id}", await house.as_(LAUNCH)
    paused = await ci.post(f"{path}/pause", {"reason": "a review", "resume_conditions": ["approval"]})
    assert (paused.status, paused["resume_token"], paused["expires_at"]) == (200, None, None)
    (await ci.post(f"{path}/token")).problem(409, "illegal_event")
    for trigger in ("manual", "event"):
        (await ci.post(f"{path}/resume", {"trigger": trigger})).problem(403, "missing_scope")
    (await ci.post(f"{path}/resume", {"trigger": "token"})).problem(422, "invalid_request")
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
