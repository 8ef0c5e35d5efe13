"""A call is approved with other arguments by HTTP: the same policy as a click, and the model hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.events import CallEdited
from tests.api.conftest import APPROVE, LAUNCH, Build, House
from tests.support.api import Client, Reply
from tests.support.scripted import calls, in_turn, results, says

OTHER = {"service": "shop", "notes": "with care"}


async def change(api: Client, session_id: str, arguments: Any = None, **more: Any) -> Reply:
    body = {"verdict": "approve", "arguments": OTHER if arguments is None else arguments, **more}
    return await api.decide(f"/v1/sessions/{session_id}", body)


async def waiting(house: House) -> str:
    session_id = await house.launch()
    await house.resting(session_id)
    return session_id


async def test_it_runs_with_the_other_arguments(house: House) -> None:
    session_id = await waiting(house)
    shown = (await house.api.get(f"/v1/sessions/{session_id}"))["calls"][0]
    gate = await house.as_(APPROVE)
    reply = await change(gate, session_id, digest=shown["digest"])
    assert reply.status == 200, reply
    await house.until(session_id, lambda s: s.ended)
    assert [row[-1] for row in house.scene.runs("deploy")] == [OTHER]
    events = await house.scene.flagman.core.supervisor.sessions.events(session_id)
    (edited,) = [event for event in events if isinstance(event, CallEdited)]
    assert (edited.by, edited.before) == ("api:gate", shown["digest"])
    assert "with care" in results(house.scene.model.requests[-1])[0]


async def test_the_same_arguments_are_a_plain_approval(house: House) -> None:
    session_id = await waiting(house)
    assert (await change(house.api, session_id, {"service": "shop"})).status == 200
    ended = await house.until(session_id, lambda s: s.ended)
    assert ended.call("1.1").proposed is None


async def test_what_was_not_seen_is_not_changed(house: House) -> None:
    session_id = await waiting(house)
    (await change(house.api, session_id, digest="0" * 64)).problem(409, "call_changed")
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["calls"][0]["arguments"]["notes"] == ""


@pytest.mark.parametrize(
    ("arguments", "more", "code"),
    [
        ({}, {}, "invalid_input"),
        ({"service": 7}, {}, "invalid_input"),
        ({"service": "shop", "force": True}, {}, "invalid_input"),
        ("shop", {}, "invalid_request"),
        (None, {"verdict": "deny"}, "invalid_request"),
        (None, {"reason": "better so"}, "invalid_request"),
    ],
)
async def test_wrong_arguments_change_nothing(house: House, arguments: Any, more: Any, code: str) -> None:
    session_id = await waiting(house)
    (await change(house.api, session_id, arguments, **more)).problem(422, code)
    (call,) = (await house.api.get(f"/v1/sessions/{session_id}"))["calls"]
    assert (call["phase"], call["decisions"]) == ("awaiting", [])


async def test_only_who_may_approve_may_change(build: Build) -> None:
    house = await build(
        persona={"approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"users": ["api:gate"]}}]}
    )
    session_id = await waiting(house)
    (await change(await house.as_(LAUNCH), session_id)).problem(403, "missing_scope")
    (await change(house.api, session_id)).problem(403, "not_allowed")
    assert (await change(await house.as_(APPROVE), session_id)).status == 200
    await house.until(session_id, lambda s: s.ended)
    (await change(await house.as_(APPROVE), session_id)).problem(409, "already_decided")


async def test_policy_is_asked_about_the_other_arguments(build: Build) -> None:
    rules = [
        {"tool": "deploy", "when": {"service": "bank"}, "mode": "deny", "reason": "Never the bank."},
        {"tool": "deploy", "when": {"service": "till"}, "mode": "ask", "approvers": {"users": ["api:boss"]}},
        {"tool": "deploy", "mode": "ask", "approvers": {"users": ["api:gate"]}},
    ]
    house = await build(persona={"approvals": rules})
    session_id = await waiting(house)
    gate = await house.as_(APPROVE)
    refused = (await change(gate, session_id, {"service": "bank"})).problem(422, "invalid_input")
    assert "Never the bank." in refused["detail"]
    # Others decide on the till: it is changed, and waits for them.
    changed = await change(gate, session_id, {"service": "till"})
    assert (changed.status, changed["calls"][0]["phase"]) == (200, "awaiting")
    assert changed["calls"][0]["arguments"]["service"] == "till"
    (await change(gate, session_id, {"service": "shop"})).problem(403, "not_allowed")
    decided = await house.api.decide(f"/v1/sessions/{session_id}", {"verdict": "approve"})
    assert decided.status == 200
    await house.until(session_id, lambda s: s.ended)
    assert [row[-1]["service"] for row in house.scene.runs("deploy")] == ["till"]


async def test_a_mask_never_takes_the_place_of_a_secret(build: Build) -> None:
    # The key of the settings of tests.
    secret = "a-key-for-tests-only-0123456789abcdef"
    house = await build(in_turn(calls(("deploy", {"service": "shop", "notes": secret})), says("Done.")))
    session_id = await waiting(house)
    seen = (await house.api.get(f"/v1/sessions/{session_id}"))["calls"][0]["arguments"]
    assert seen == {"service": "shop", "notes": "[masked]"}
    refused = await change(house.api, session_id, {**seen, "service": "till"})
    assert "write the value itself" in refused.problem(422, "invalid_input")["detail"]
    assert (await change(house.api, session_id, {"service": "till", "notes": "none"})).status == 200
    await house.until(session_id, lambda s: s.ended)
    assert house.scene.runs("deploy")[0][-1] == {"service": "till", "notes": "none"}
