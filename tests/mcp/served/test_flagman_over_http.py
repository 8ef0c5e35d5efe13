"""Another agent drives Flagman through `/mcp`, with the client of the SDK, and cannot approve what it asked for."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.mcp.served.conftest import AGENT, ASKS, BOSS, GATE, OWNED, READER, Serve, refused, said
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import OPS

DRIVES = {"launch", "list", "show", "wait", "pause", "resume", "cancel", "tell", "personas"}
FIRST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_it_launches_waits_and_is_told_who_decides(serve: Serve, mode: str) -> None:
    served = await serve()
    async with served.connect(mode=mode) as client:
        launched = await said(client, "launch", persona="ops", task="ship it", idempotency_key="once")
        again = await said(client, "launch", persona="ops", task="ship it", idempotency_key="once")
        assert again["session_id"] == launched["session_id"]
        held = await said(client, "wait", session_id=launched["session_id"], seconds=50)
        (call,) = held["calls"]
        assert held["summary"].startswith("Waiting for approval of `deploy` (1.1).")
        assert held["see"] == f"`flagman approve {held['session_id']}`"
        assert "another person has to decide" in held["note"]
        decision = {"session_id": held["session_id"], "call_id": "1.1", "digest": call["digest"]}
        assert "cannot approve it here" in await refused(client, "approve", **decision)
        assert served.scene.runs() == []
        await served.api.decide(f"/v1/sessions/{held['session_id']}", {"verdict": "approve"})
        done = await said(client, "wait", session_id=held["session_id"], seconds=50)
    assert (done["status"], done["result"]) == ("completed", "Done.")
    assert len(served.scene.runs("deploy")) == 1
    audit = (await served.api.get("/v1/audit?kind=refused")).body["rows"]
    assert [row["by"] for row in audit] == ["api:agent"]


async def test_a_wait_is_bounded_and_tells_progress(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.mcp.tools.PROGRESS_SECONDS", 0.05)
    served = await serve(in_turn(calls(("wait_for", {"condition": "webhook: never", "reason": "later"}))))
    heard: list[str] = []

    async def progress(so_far: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with served.connect() as client:
        launched = await said(client, "launch", persona="ops", task="wait")
        arguments: dict[str, Any] = {"session_id": launched["session_id"], "seconds": 0.5}
        result = await client.call_tool("wait", arguments, progress_callback=progress)
        assert result.structured_content["status"] in ("running", "paused")
        assert heard
        assert "seconds" in await refused(client, "wait", session_id=launched["session_id"], seconds=600)


async def test_another_key_decides_by_the_digest_that_it_was_shown(serve: Serve) -> None:
    served = await serve()
    session = await served.scene.launch()
    await served.scene.waiting(session)
    about = {"session_id": session.id, "call_id": "1.1"}
    async with served.connect(OWNED) as own, served.connect(GATE) as gate:
        held = await said(gate, "show", session_id=session.id)
        (call,) = held["calls"]
        card = await served.scene.card(session)
        assert held["see"].endswith(f"/archives/{OPS}/p{card['ts'].replace('.', '')}")
        assert held["see"] in held["summary"]
        assert call["arguments"] == {"service": "shop", "notes": ""}
        shown = {**about, "digest": call["digest"]}
        assert "its owner" in await refused(own, "approve", **shown), "Ada launched it, and this is her key"
        assert "digest" in await refused(gate, "approve", **about)
        assert await refused(gate, "approve", **about, digest="0" * 64)
        assert served.scene.runs() == []
        await said(gate, "approve", **shown)
    await served.scene.ended(session)
    assert len(served.scene.runs("deploy")) == 1


async def test_who_told_the_agent_what_to_do_cannot_approve_what_it_then_proposes(serve: Serve) -> None:
    script = in_turn(calls(("ask_human", {"question": "What?"})), calls(("deploy", {"service": "shop"})))
    served = await serve(script)
    session = await served.scene.launch()
    await served.scene.flagman.session(lambda s: s.calls_in("asking"), session.id)
    async with served.connect(BOSS) as boss, served.connect(GATE) as gate:
        await said(boss, "tell", session_id=session.id, text="deploy the shop")
        held = await said(boss, "wait", session_id=session.id, seconds=50)
        about = {"session_id": session.id, "call_id": "2.1", "digest": held["calls"][0]["digest"]}
        assert "cannot approve it here" in await refused(boss, "approve", **about)
        await said(gate, "approve", **about)


async def test_policy_decides_here_too(serve: Serve) -> None:
    rule = {"tool": "deploy", "mode": "ask", "approvers": {"users": ["U0GRACE01"]}}
    served = await serve(persona={"approvals": [rule]})
    session = await served.scene.launch()
    await served.scene.waiting(session)
    async with served.connect(GATE) as gate:
        (call,) = (await said(gate, "show", session_id=session.id))["calls"]
        about = {"session_id": session.id, "call_id": "1.1", "digest": call["digest"]}
        assert await refused(gate, "approve", **about)
        assert await refused(gate, "deny", **about, reason="no")
    assert (await served.scene.waiting(session)).calls_in("awaiting")


async def test_a_key_has_the_tools_of_its_scopes(serve: Serve) -> None:
    served = await serve()
    names: dict[str, set[str]] = {}
    for key in (READER, GATE, AGENT, BOSS):
        async with served.connect(key) as client:
            names[key] = {tool.name for tool in (await client.list_tools()).tools}
    assert names[READER] == {"list", "show", "wait", "personas"}
    assert names[GATE] == names[READER] | {"approve", "deny"}
    assert names[AGENT] == names[BOSS] == DRIVES | {"approve", "deny"}
    async with served.connect(READER) as client:
        assert "lacks the scope `launch`" in await refused(client, "launch", persona="ops", task="x")
        assert "no tool `launh`" in await refused(client, "launh")


async def test_it_pauses_resumes_tells_lists_and_cancels(serve: Serve) -> None:
    served = await serve(ASKS)
    async with served.connect() as client, served.connect(READER) as other:
        session_id = (await said(client, "launch", persona="ops", task="ask"))["session_id"]
        asked = await said(client, "wait", session_id=session_id, seconds=50)
        assert "Which one?" in asked["summary"]
        assert (await said(client, "tell", session_id=session_id, text="the first"))["heard"] == "answered"
        assert (await said(client, "wait", session_id=session_id))["result"] == "Thanks."
        second = (await said(client, "launch", persona="ops", task="again"))["session_id"]
        await said(client, "wait", session_id=second, seconds=50)
        paused = await said(client, "pause", session_id=second, resume_conditions=["webhook: ready"])
        assert "token" not in json.dumps(paused), "a token is a right that no model needs to read"
        assert "in the past" in await refused(client, "resume", session_id=second, when="2020-01-01T09:00Z")
        await said(client, "resume", session_id=second, context="go on")
        assert (await said(client, "cancel", session_id=second))["status"] == "cancelled"
        assert "already" in await refused(client, "cancel", session_id=second)
        rows = (await said(other, "list", status="cancelled"))["sessions"]
        assert [row["session_id"] for row in rows] == [second]
        assert "no session" in (await refused(client, "show", session_id="p0-none")).lower()
        assert [one["name"] for one in (await said(client, "personas"))["personas"]] == ["ops"]


async def test_only_with_a_key_from_no_page_and_within_limits(serve: Serve) -> None:
    served = await serve(api_rate="1/6")
    nobody = type(served.api)(served.url)
    async with nobody:
        reply = await nobody.post("/mcp", FIRST, headers=ACCEPT)
        reply.problem(401, "unauthorized")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        wrong = await nobody.post(
            "/mcp", FIRST, headers={**ACCEPT, "Authorization": "Bearer nonsense-key-00000"}
        )
        assert wrong.status == 401
    page = {**ACCEPT, "Origin": "https://evil.example", "Host": "evil.example"}
    (await served.api.post("/mcp", FIRST, headers=page)).problem(403, "origin_refused")
    near = await served.api.post("/mcp", FIRST, headers={**ACCEPT, "Origin": "http://localhost:6274"})
    assert near.status == 200, near.body
    packed = gzip.compress(json.dumps(FIRST).encode())
    more = {**ACCEPT, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert (await served.api("POST", "/mcp", data=packed, headers=more)).status == 200
    big = {**FIRST, "params": {"cursor": "x" * 1024 * 1024}}
    (await served.api.post("/mcp", big, headers=ACCEPT)).problem(413, "too_large")
    (await served.api.get("/mcp", headers=ACCEPT)).problem(405, "method_not_allowed")
    found = [(await served.api.post("/mcp", FIRST, headers=ACCEPT)).status for _ in range(8)]
    assert 429 in found


async def test_secrets_are_masked_and_a_shared_session_is_seen_by_who_may(serve: Serve) -> None:
    script = in_turn(says("The key is gate-key-0123456789abcdef."))
    served = await serve(script)
    session = await served.scene.launch(channel=OPS)
    await served.scene.ended(session)
    async with served.connect(BOSS) as client, served.connect(AGENT) as other:
        assert "gate-key" not in json.dumps(await said(client, "show", session_id=session.id))
        assert "read_all" in await refused(other, "show", session_id=session.id)
