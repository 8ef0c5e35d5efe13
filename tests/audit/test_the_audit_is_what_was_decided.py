"""The audit lists what was decided and refused, in order, to those who may see it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import flagman
from bot.sdk.http_backend import HttpBackend
from storage import audit as store
from storage.audit import AuditStore
from supervisor.core.events import Actor
from tests.api.conftest import ALL, APPROVE, KEYS, LAUNCH, READ, Build, House
from tests.cli.served import Cli, environment
from tests.support.scenario import APPROVE as BUTTON
from tests.support.scenario import VIEW
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, KEN, OPS, texts

RULES = {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"users": [ADA, "api:gate"]}}]}
SECRET = "s3cr3t-of-a-hook-0123456789"


async def decided(house: House, verdict: str = "approve", **more: Any) -> str:
    """A session of which the key `gate` decided on the call."""
    session_id = await house.launch()
    await house.resting(session_id)
    gate = await house.as_(APPROVE)
    reply = await gate.decide(f"/v1/sessions/{session_id}", {"verdict": verdict, **more})
    assert reply.status == 200, reply
    return session_id


async def rows(house: House, query: str = "") -> list[dict[str, Any]]:
    reply = await house.api.get(f"/v1/audit{query}")
    assert reply.status == 200, reply
    found: list[dict[str, Any]] = reply["rows"]
    return found


async def test_a_decision_has_its_call_rules_right_and_delay(build: Build) -> None:
    house = await build(persona=RULES)
    session_id = await decided(house, "deny", reason="not on a friday")
    (row,) = await rows(house)
    assert (row["kind"], row["by"], row["by_name"]) == ("deny", "api:gate", "gate")
    assert (row["session_id"], row["persona"], row["call_id"], row["tool"]) == (
        session_id,
        "ops",
        "1.1",
        "deploy",
    )
    assert row["arguments"] == {"service": "shop", "notes": ""}
    assert len(row["digest"]) == 64
    assert row["rules"][0]["users"] == [ADA, "api:gate"]
    assert (row["rights"], row["override"], row["reason"]) == (["user"], False, "not on a friday")
    assert 0 <= row["latency_seconds"] < 600


async def test_who_was_refused_is_listed_also_where_no_log_has_it(build: Build) -> None:
    house = await build(persona=RULES)
    session_id = await house.launch()
    await house.resting(session_id)
    boss = await house.as_(ALL)
    (await boss.decide(f"/v1/sessions/{session_id}", {"verdict": "approve"})).problem(403, "not_allowed")
    # A key without `read_all` does not see the session, so its log is not touched.
    other = await stranger(house)
    digest = (await house.api.seen(f"/v1/sessions/{session_id}"))["digest"]
    body = {"verdict": "approve", "digest": digest}
    for _ in range(3):
        (await other.post(f"/v1/sessions/{session_id}/calls/1.1/decision", body)).problem(
            404, "session_not_found"
        )
    # A key without the scope is stopped at the door.
    reader = await house.as_(READ)
    (await reader.post(f"/v1/sessions/{session_id}/calls/1.1/decision", body)).problem(403, "missing_scope")
    found = await rows(house, "?kind=refused")
    assert [(row["by"], row["session_id"]) for row in found] == [
        ("api:eye", ""),
        ("api:blind", session_id),
        ("api:boss", session_id),
    ]
    assert found[2]["attempt"] == "approve"
    assert ADA in found[2]["reason"]
    assert "decision" in found[0]["attempt"]


async def stranger(house: House) -> Any:
    return await house.as_("blind-key-0123456789abcdef")


@pytest.fixture(autouse=True)
def _with_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = f"{KEYS},blind:approve+read:blind-key-0123456789abcdef"
    monkeypatch.setattr("tests.api.conftest.KEYS", keys)


async def test_a_stranger_cannot_grow_the_store(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build()
    rows_of = AuditStore(house.scene.flagman.core.redis)
    monkeypatch.setattr(store, "MOST_ACTORS", 3)
    refusals = house.scene.flagman.core.supervisor.refusals.apart
    assert refusals
    for number in range(store.MOST_OF_ONE + 20):
        await refusals.record(Actor(id="slack:U1"), f"launch p{number}", "no")
    await refusals.record(Actor(id="slack:U1"), "launch p69", "no")
    kept = [row async for row in rows_of.refusals()]
    assert len(kept) == store.MOST_OF_ONE
    assert b"launch p69" in kept[0].row
    for user in ("U2", "U3", "U4"):
        await refusals.record(Actor(id=f"slack:{user}"), "launch p", "no")
    assert len([row async for row in rows_of.refusals()]) == 3


async def test_pages_are_in_order_and_miss_nothing(build: Build) -> None:
    house = await build()
    sessions = [await decided(house) for _ in range(4)]
    ended = await house.launch()
    await house.resting(ended)
    await house.api.decide(f"/v1/sessions/{ended}", {"verdict": "deny"})
    found: list[tuple[str, str]] = []
    query = "?limit=2"
    while query:
        page = await house.api.get(f"/v1/audit{query}")
        found += [(row["session_id"], row["kind"]) for row in page["rows"]]
        query = f"?limit=2&cursor={page['next']}" if page["next"] else ""
    assert found == [(ended, "deny"), *((session_id, "approve") for session_id in reversed(sessions))]
    assert [row["session_id"] for row in await rows(house, f"?session={sessions[1]}")] == [sessions[1]]
    assert await rows(house, "?tool=note") == []
    assert len(await rows(house, "?actor=gate&since=1h&tool=deploy&persona=ops")) == 4
    assert await rows(house, "?until=1h") == []
    (await house.api.get("/v1/audit?since=yesteryear")).problem(422, "invalid_input")


async def test_a_key_sees_the_decisions_of_its_sessions(build: Build) -> None:
    house = await build()
    await decided(house)
    blind = await stranger(house)
    assert (await blind.get("/v1/audit"))["rows"] == []
    assert len((await (await house.as_(READ)).get("/v1/audit"))["rows"]) == 1
    summary = await (await house.as_(LAUNCH)).get("/v1/audit/summary")
    assert summary["totals"]["decisions"] == 1


async def test_a_log_that_cannot_be_read_is_named(build: Build) -> None:
    house = await build()
    broken, whole = await decided(house), await decided(house)
    await house.scene.flagman.core.redis.rpush(f"flagman:{{p0}}:log:{broken}", b"{not json")
    page = await house.api.get("/v1/audit")
    assert [row["session_id"] for row in page["rows"]] == [whole, broken]
    assert (page["lost"], page["unreadable"][0]["id"]) == (1, broken)
    as_csv = await house.api.get("/v1/audit", headers={"Accept": "text/csv"})
    assert as_csv.headers["Flagman-Unreadable"] == "1"
    assert (await (await stranger(house)).get("/v1/audit"))["lost"] == 0


async def test_csv_holds_no_formula_and_no_secret(build: Build) -> None:
    ask = in_turn(calls(("deploy", {"service": "=HYPERLINK(1)", "notes": SECRET})), says("Done."))
    house = await build(ask, webhook_secret=SecretStr(SECRET))
    await decided(house, "deny", reason=f'=cmd|"/c calc" {SECRET}')
    text = (await house.api.get("/v1/audit?format=csv")).body
    header, row = csv.reader(io.StringIO(text))
    named = dict(zip(header, row, strict=True))
    assert named["reason"].startswith("'=cmd")
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert SECRET not in text
    assert json.loads(named["arguments"])["service"] == "=HYPERLINK(1)"
    line = await house.api.get("/v1/audit", headers={"Accept": "application/x-ndjson"})
    assert line.headers["Content-Type"].startswith("application/x-ndjson")
    assert line["kind"] == "deny"
    assert SECRET not in str(line.body)


async def test_the_command_line_and_python_read_the_same(build: Build, tmp_path: Path) -> None:
    house = await build()
    session_id = await decided(house)
    cli = Cli(tmp_path, environment(FLAGMAN_URL=house.url, FLAGMAN_API_KEY=ALL))
    shown = await asyncio.to_thread(cli, "audit", "--since", "1h")
    assert session_id in shown.stdout
    (line,) = (await asyncio.to_thread(cli, "audit", "--format", "jsonl", "--all")).stdout.splitlines()
    assert json.loads(line)["session_id"] == session_id
    assert (await asyncio.to_thread(cli, "audit", "--summary")).stdout.startswith("1 decision from")
    async with HttpBackend(house.url, ALL) as backend:
        found = await flagman.AgentSupervisor(backend=backend).audit(kind="approve")
    assert [row.session_id for row in found] == [session_id]


async def test_a_rubber_stamp_is_quick_and_blind(build: Build) -> None:
    house = await build(persona={"approvals": [{"tool": "deploy", "mode": "ask"}]})
    scene = house.scene
    for opens in (False, True):
        session = await scene.waiting(await scene.launch())
        (message,) = await scene.asked(session)
        if opens:
            await scene.slack.click(ADA, OPS, message["ts"], VIEW)
            await scene.slack.view(ADA)
        assert (await scene.slack.click(ADA, OPS, message["ts"], BUTTON))["ok"]
        await scene.ended(session)
    # A key reads what it approves.
    await decided(house)
    totals = (await house.api.get("/v1/audit/summary"))["totals"]
    assert (totals["decisions"], totals["rubber_stamps"]) == (3, 1)
    people = {share["id"]: share for share in totals["people"]}
    assert people[f"slack:{ADA}"]["rubber_stamp_rate"] == 0.5
    assert people["api:gate"]["rubber_stamps"] == 0
    assert totals["tools"][0]["id"] == "deploy"


async def test_admins_ask_in_slack(build: Build) -> None:
    house = await build(admins=GRACE)
    await decided(house)
    scene = house.scene
    answer = await scene.slack.command(GRACE, OPS, "audit today")
    assert "1 decision" in json.dumps(answer["response"])
    refused = await scene.slack.command(KEN, OPS, "audit")
    assert "for admins" in texts({"blocks": refused}) or "for admins" in json.dumps(refused)
