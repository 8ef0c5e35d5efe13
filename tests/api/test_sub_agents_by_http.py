"""A coordinator by HTTP: launched with or without a plan, its sub-agents seen, waited for and decided on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.state import Session
from tests.api.conftest import APPROVE, LAUNCH, Build, House
from tests.support.slack import OPS
from tests.support.two_level_plan import LEAD, part, plan, two_level_plan, write_helper

Team = Callable[..., Awaitable[House]]


@pytest.fixture
async def team(build: Build, tmp_path: Path) -> Team:
    async def make(**persona: Any) -> House:
        write_helper(tmp_path)
        return await build(two_level_plan, persona={**LEAD, **persona})

    return make


async def coordinated(house: House, *parts: dict[str, Any], on_failure: str = "continue") -> str:
    return await house.launch("all of it", coordinate=plan(*parts, on_failure=on_failure))


def by_name(shown: Any) -> dict[str, dict[str, Any]]:
    return {child["name"]: child for child in shown["children"]}


async def ended(house: House, session_id: str) -> Session:
    return await house.until(session_id, lambda s: s.ended)


async def test_a_plan_that_is_given_is_carried_out(team: Team) -> None:
    house = await team()
    session_id = await coordinated(house, part("look", "look"), part("write", "write it", "look"))
    await ended(house, session_id)
    shown = await house.api.get(f"/v1/sessions/{session_id}")
    assert shown["status"] == "completed"
    assert (shown["parent"], shown["root"], shown["needs"]) == (None, session_id, [])
    look, write = shown["children"]
    assert (look["name"], look["persona"], look["status"]) == ("look", "helper", "completed")
    assert (write["depends_on"], write["artifacts"]) == (["look"], ["out/report.md"])
    assert write["result"].startswith("Finished: write it")
    # Two answers of the one, one of the others.
    assert (shown["cost_usd"], write["cost_usd"], shown["total_cost_usd"]) == ("0.001", "0.002", "0.004")
    child = await house.api.get(f"/v1/sessions/{write['id']}")
    assert (child["parent"], child["root"]) == (session_id, session_id)


async def test_the_persona_makes_the_plan_itself(team: Team) -> None:
    house = await team()
    session_id = await house.launch("coordinate this", coordinate=True)
    waiting = await house.api.get(f"/v1/sessions/{session_id}/wait?timeout=60&until=person")
    assert [child["name"] for child in waiting["children"]] == ["look", "ship"]
    assert [need["name"] for need in waiting["needs"]] == ["ship"]


async def test_a_plan_waits_for_approval_where_the_persona_says_so(team: Team) -> None:
    house = await team(
        approvals=[{"tool": "plan_tasks", "mode": "ask", "approvers": {"users": ["api:gate"]}}]
    )
    session_id = await coordinated(house, part("look", "look"))
    await house.resting(session_id)
    shown = await house.api.get(f"/v1/sessions/{session_id}")
    (call,) = shown["calls"]
    assert (call["tool"], call["phase"], shown["children"]) == ("plan_tasks", "awaiting", [])
    path = f"/v1/sessions/{session_id}"
    (await house.api.decide(path, {"verdict": "approve"})).problem(403, "not_allowed")
    other = plan(part("look", "look twice"))
    gate = await house.as_(APPROVE)
    assert (await gate.decide(path, {"verdict": "approve", "arguments": other})).status == 200
    await ended(house, session_id)
    shown = await house.api.get(f"/v1/sessions/{session_id}")
    assert by_name(shown)["look"]["task"] == "look twice"


async def test_the_default_coordinator_is_the_shipped_one(team: Team) -> None:
    house = await team()
    reply = await house.api.post("/v1/sessions", {"task": "all of it", "coordinate": True})
    assert "project-coordinator" in reply.problem(404, "persona_not_found")["detail"]


WRONG: list[tuple[Any, str, str]] = [
    ({"task": "x"}, "invalid_input", "no default persona"),
    ({"task": "x", "coordinate": False}, "invalid_input", "no default persona"),
    ({"persona": "ops", "task": "x", "coordinate": "yes"}, "invalid_request", "body.coordinate"),
    ({"persona": "ops", "task": "x", "coordinate": {"subtasks": []}}, "invalid_request", "plan.subtasks"),
    ({"persona": "ops", "task": "x", "coordinate": {"parts": []}}, "invalid_request", "plan.subtasks"),
    ({"persona": "ops", "task": "x", "coordinate": plan(part("A b", "x"))}, "invalid_request", "0.id"),
    ({"persona": "ops", "task": "x", "coordinate": plan(part("a", "x", "b"))}, "invalid_input", "`b`"),
    ({"persona": "ops", "task": "x", "coordinate": plan(part("a", "x"), part("a", "y"))}, "invalid_input", "a"),
    ({"persona": "helper", "task": "x", "coordinate": True}, "invalid_input", "cannot coordinate"),
]  # fmt: skip


async def test_a_wrong_plan_is_told_what_is_wrong(team: Team) -> None:
    house = await team()
    for body, code, said in WRONG:
        assert said in (await house.api.post("/v1/sessions", body)).problem(422, code)["detail"]
    assert (await house.api.get("/v1/sessions"))["sessions"] == []


async def test_the_same_key_and_plan_launch_once(team: Team) -> None:
    house = await team()
    body = {"persona": "ops", "task": "x", "coordinate": plan(part("a", "look"))}
    headers = {"Idempotency-Key": "k"}
    replies = [await house.api.post("/v1/sessions", body, headers=headers) for _ in range(2)]
    assert replies[0]["id"] == replies[1]["id"]
    other = {**body, "coordinate": plan(part("a", "look twice"))}
    for again in (other, {**body, "channel": OPS}, {**body, "coordinate": True}):
        refused = await house.api.post("/v1/sessions", again, headers=headers)
        refused.problem(409, "idempotency_conflict")


async def test_a_wait_returns_when_a_sub_agent_needs_a_person(team: Team) -> None:
    house = await team()
    session_id = await coordinated(
        house, part("ship", "deploy shop"), part("sub", "look"), part("last", "look", "ship")
    )
    path = f"/v1/sessions/{session_id}"
    waits = [house.api.get(f"{path}/wait?timeout=60&until={until}") for until in ("person", "rest")]
    for waiting in await asyncio.gather(*waits):
        (need,) = waiting["needs"]
        assert (need["name"], need["persona"]) == ("ship", "helper")
        assert need["waiting_for"] == "human_approval_required"
        children = by_name(waiting)
        assert (children["ship"]["status"], children["ship"]["id"]) == ("paused", need["session_id"])
        assert (children["last"]["status"], children["last"]["id"]) == ("waiting", None)
        # For itself it waits for them, which is nothing that a person does.
        assert waiting["waiting_for"] == "children_running"
    asking = f"/v1/sessions/{need['session_id']}"
    assert (await house.api.decide(asking, {"verdict": "approve"})).status == 200
    done = await house.api.get(f"{path}/wait?timeout=60")
    assert (done["status"], done["needs"]) == ("completed", [])
    assert len(house.scene.runs("deploy")) == 1


async def test_a_coordinator_whose_sub_agents_work_does_not_rest(team: Team) -> None:
    house = await team()
    session_id = await coordinated(house, part("ship", "deploy shop"))
    await house.api.get(f"/v1/sessions/{session_id}/wait?timeout=60&until=person")
    (child,) = (await house.api.get(f"/v1/sessions?parent={session_id}"))["sessions"]
    paused = {"reason": "later", "resume_conditions": ["webhook: later"]}
    assert (await house.api.post(f"/v1/sessions/{child['id']}/pause", paused)).status == 200
    # It waits for something outside, and so does the coordinator through it.
    for until in ("person", "rest"):
        shown = await house.api.get(f"/v1/sessions/{session_id}/wait?timeout=0.5&until={until}")
        assert (shown["waiting_for"], shown["needs"]) == ("children_running", [])
    assert by_name(shown)["ship"]["waiting_for"] == "external_dependency"


async def test_sub_agents_are_listed_by_their_parent(team: Team) -> None:
    house = await team()
    parts = [part(f"p{n}", "look") for n in range(5)]
    session_id = await coordinated(house, *parts)
    other = await house.launch("something else")
    await ended(house, session_id)
    seen: list[str] = []
    query = f"?parent={session_id}&limit=2"
    cursor = ""
    while True:
        page = await house.api.get(f"/v1/sessions{query}{cursor}")
        seen += [row["id"] for row in page["sessions"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    children = (await house.api.get(f"/v1/sessions/{session_id}"))["children"]
    assert sorted(seen) == sorted(child["id"] for child in children)
    assert (await house.api.get(f"/v1/sessions?parent={other}"))["sessions"] == []
    assert len((await house.api.get(f"/v1/sessions?parent={session_id}&status=failed"))["sessions"]) == 0
    (await house.api.get("/v1/sessions?parent=none-none")).problem(404, "session_not_found")


@pytest.mark.parametrize("verdict", ["retry", "skip", "stop"])
async def test_a_person_says_what_next_of_one_that_failed(team: Team, verdict: str) -> None:
    house = await team()
    session_id = await coordinated(
        house, part("bad", "fail it"), part("next", "look", "bad"), on_failure="ask"
    )
    path = f"/v1/sessions/{session_id}"
    waiting = await house.api.get(f"{path}/wait?timeout=60&until=person")
    child = by_name(waiting)["bad"]
    assert (child["status"], child["undecided"]) == ("failed", True)
    assert waiting["needs"] == [
        {
            "session_id": session_id,
            "name": "bad",
            "persona": "ops",
            "waiting_for": "human_input_required",
            "child_id": child["id"],
        }
    ]
    decision = f"{path}/children/{child['id']}/decision"
    launcher = await house.as_(LAUNCH)
    (await launcher.post(decision, {"verdict": verdict})).problem(403, "missing_scope")
    (await house.api.post(decision, {"verdict": "perhaps"})).problem(422, "invalid_request")
    (await house.api.post(f"{path}/children/nobody/decision", {"verdict": verdict})).problem(
        409, "illegal_event"
    )
    gate = await house.as_(APPROVE)
    assert (await gate.post(decision, {"verdict": verdict})).status == 200
    if verdict == "retry":
        again = await house.until(session_id, lambda s: len(s.children) == 2 and not s.running_children)
        assert again.children[0].verdict == "retry"
        return
    (await gate.post(decision, {"verdict": verdict})).problem(409, "already_decided")
    await ended(house, session_id)
    skipped = by_name(await house.api.get(path))["next"]
    assert (skipped["status"], skipped["id"]) == ("skipped", None)
    assert "bad" in skipped["reason"]


async def test_one_that_failed_is_told_while_its_sisters_run(team: Team) -> None:
    house = await team()
    session_id = await coordinated(house, part("bad", "fail it"), part("asks", "ask why"), on_failure="ask")
    path = f"/v1/sessions/{session_id}"
    await house.until(session_id, lambda s: any(c.state == "failed" for c in s.children))
    session = await house.scene.flagman.core.supervisor.get(session_id)
    await house.resting(next(c.id for c in session.children if c.name == "asks"))
    needs = (await house.api.get(path))["needs"]
    assert {(n["name"], n["child_id"] is None) for n in needs} == {("bad", False), ("asks", True)}


async def test_what_was_not_begun_when_it_was_cancelled_is_skipped(team: Team) -> None:
    house = await team()
    session_id = await coordinated(house, part("ship", "deploy shop"), part("next", "look", "ship"))
    path = f"/v1/sessions/{session_id}"
    await house.api.get(f"{path}/wait?timeout=60&until=person")
    await house.api.post(f"{path}/cancel", {"reason": "enough"})
    await house.until(session_id, lambda s: not s.running_children)
    shown = await house.api.get(path)
    assert (by_name(shown)["ship"]["status"], shown["needs"]) == ("cancelled", [])
    assert (by_name(shown)["next"]["status"], by_name(shown)["next"]["reason"]) == (
        "skipped",
        "the session was cancelled",
    )
