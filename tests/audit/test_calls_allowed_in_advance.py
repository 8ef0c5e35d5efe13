"""Calls like an approved one run without asking, in a session or a channel, until that ends or the right does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

import flagman
from bot.compose import now
from handlers.users import People
from supervisor.core.events import Actor, ApprovalRequested, CallGranted, Event
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from supervisor.tools.contract import ToolContext
from supervisor.tools.typed_tool import tool
from tests.api.conftest import ALL, Build, House
from tests.cli.served import Cli, environment
from tests.support.scenario import APPROVE
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.slack import ADA, BOT_TOKEN, KEN, LINUS, OPS, SRE, texts, wait_for

ALLOW, REVOKE, KEN_KEY = "call_allow", "grant_revoke", "ken-key-0123456789abcdef"


def deploys(request: ModelRequest) -> ModelReply:
    """Deploy the services that the task names, one a turn."""
    services, done = told(request)[0].split(), len(results(request))
    return calls(("deploy", {"service": services[done]})) if done < len(services) else says("Done.")


async def events(house: House, session_id: str, kind: type[Any]) -> list[Any]:
    found: list[Event] = await house.scene.flagman.core.sessions.events(session_id)
    return [event for event in found if isinstance(event, kind)]


async def allow(house: House, user: str, message: Any, pattern: str, terms: str = "session|in 30m") -> Any:
    """Press the button, write the pattern of the service, choose where and how long, and send the form."""
    slack = house.scene.slack
    assert (await slack.click(user, OPS, message["ts"], ALLOW))["ok"]
    view = await slack.view(user)
    (block,) = [b["block_id"] for b in view["blocks"] if b["block_id"].endswith(":1")]
    choice = next(
        option
        for b in view["blocks"]
        if b["block_id"] == "terms"
        for option in b["element"]["options"]
        if option["value"] == terms
    )
    values = {block: {"value": {"type": "plain_text_input", "value": pattern}}}
    await slack.click_in_view(user, view["id"], "allow_terms", selected_option=choice)
    values["terms"] = {"allow_terms": {"type": "radio_buttons", "selected_option": choice}}
    words = "Allow here, 30 minutes" if terms.startswith("session") else "Allow in channel, today"
    view = await wait_for(lambda: _with_submit(house, user, words))
    return await slack.submit(user, view, values)


async def _with_submit(house: House, user: str, words: str) -> Any:
    view = await house.scene.slack.view(user)
    return view if view["submit"]["text"] == words else None


async def test_in_a_session_calls_that_match_run_without_asking(build: Build) -> None:
    house = await build(deploys)
    scene = house.scene
    session = await scene.waiting(await scene.launch("web-1 web-2 db-1"))
    (message,) = await scene.asked(session)
    assert (await allow(house, KEN, message, "web-*"))["ok"]
    await asked_about(house, session, "3.1")
    assert services(house) == ["web-1", "web-2"]
    (granted,) = await events(house, session.id, CallGranted)
    assert (granted.granter.by, granted.grant, granted.via) == (f"slack:{KEN}", "g1", "anyone")
    card = await wait_for(lambda: _card_with(house, session, "1 call allowed in advance"))
    assert "service is `web-" in texts(card)
    assert "allowed in this session until" in texts(await decided(house, session))
    log = str((await house.api.get(f"/v1/sessions/{session.id}/log")).body)
    assert "**allowed**" in log
    assert "web-\\*" in log or "web-*" in log
    kinds = [row["kind"] for row in (await house.api.get("/v1/audit"))["rows"]]
    assert {"grant", "granted"} <= set(kinds)


def services(house: House) -> list[str]:
    return [run[3]["service"] for run in house.scene.runs()]


async def asked_about(house: House, session: Session, call_id: str) -> Session:
    """The session, once it waits for an approval of the call."""
    return await house.until(
        session.id, lambda s: [c for c in s.calls_in("awaiting") if c.call_id == call_id]
    )


async def decided(house: House, session: Session) -> Any:
    """The first message of the thread on which somebody has decided."""
    card = await house.scene.card(session)
    return await house.scene.slack.message(OPS, lambda m: "*Approved*" in texts(m), card["ts"])


async def _card_with(house: House, session: Session, words: str) -> Any:
    card = await house.scene.card(session)
    return card if words in texts(card) else None


async def test_a_granted_call_begins_at_once_also_beside_one_that_runs(build: Build) -> None:
    """It does not wait for the end of the other one, at which its grant may have ended."""
    release = asyncio.Event()

    @tool(changes=False)
    async def look(ctx: ToolContext) -> str:
        """Look around."""
        await release.wait()
        return "fine"

    turns = [[("deploy", {"service": "web-1"})], [("look", {}), ("deploy", {"service": "web-2"})]]
    house = await build(in_turn(*(calls(*turn) for turn in turns), says("Done.")), tools={"look": look})
    session = await house.scene.waiting(await house.scene.launch())
    (message,) = await house.scene.asked(session)
    assert (await allow(house, KEN, message, "web-*"))["ok"]
    await wait_for(lambda: services(house) == ["web-1", "web-2"], timeout=20)
    release.set()
    await house.scene.ended(session)


async def test_what_a_pattern_may_not_allow_is_said_beside_it(build: Build) -> None:
    house = await build(deploys)
    scene = house.scene
    session = await scene.waiting(await scene.launch("web-1"))
    (message,) = await scene.asked(session)
    answer = await allow(house, KEN, message, "db-*")
    assert "do not match this call" in json.dumps(answer)
    assert await events(house, session.id, CallGranted) == []
    assert scene.runs() == []


async def test_in_a_channel_other_sessions_of_the_persona_go_on_until_it_is_revoked(build: Build) -> None:
    house = await build(deploys)
    scene = house.scene
    session = await scene.waiting(await scene.launch("web-1"))
    (message,) = await scene.asked(session)
    assert (await allow(house, KEN, message, "web-*", "channel|today"))["ok"]
    await scene.ended(session)
    other = await scene.ended(await scene.launch("web-2 web-3"))
    assert await events(house, other.id, ApprovalRequested) == []
    assert [g.grant for g in await events(house, other.id, CallGranted)] == [f"{session.id}.g1"] * 2
    listed = await scene.slack.command(LINUS, OPS, "grants")
    assert f"{session.id}.g1" in json.dumps(listed)
    revoked = await scene.slack.command(KEN, OPS, f"grants revoke {session.id}.g1")
    assert "has ended" in json.dumps(revoked)
    assert "Nothing is allowed" in json.dumps(await scene.slack.command(KEN, OPS, "grants"))
    third = await scene.waiting(await scene.launch("web-4"))
    assert await events(house, third.id, CallGranted) == []


async def test_a_right_that_was_lost_meanwhile_allows_nothing(build: Build) -> None:
    house = await build(
        deploys,
        persona={"approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"groups": ["sre"]}}]},
    )
    scene = house.scene
    groups = scene.slack.playground.workspace.groups
    groups[SRE] = replace(groups[SRE], users=(KEN,))
    session = await scene.waiting(await scene.launch("web-1 web-2"))
    (message,) = await scene.asked(session)
    await scene.slack.click(LINUS, OPS, message["ts"], ALLOW)
    (whisper,) = await scene.whispers(LINUS, thread_ts=(await scene.card(session))["ts"])
    assert "may not decide" in texts(whisper)
    assert await scene.slack.views(LINUS) == []
    assert (await allow(house, KEN, message, "web-*"))["ok"]
    groups[SRE] = replace(groups[SRE], users=(ADA,))
    third = await scene.launch("web-3")
    await scene.waiting(third)
    assert await events(house, session.id, CallGranted) == []


async def test_its_time_ends_it_and_the_card_says_so(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build(deploys)
    scene = house.scene
    session = await scene.waiting(await scene.launch("web-1 db-1"))
    (message,) = await scene.asked(session)
    await allow(house, KEN, message, "web-*")
    await asked_about(house, session, "2.1")
    for core in scene.flagman.cores:
        monkeypatch.setattr(core.supervisor._change, "_clock", lambda: now() + timedelta(hours=1))
    assert await scene.flagman.core.supervisor.pass_deadlines(session.id, "g1", Actor(id="clock"))
    assert (await house.api.get("/v1/grants"))["grants"] == []
    await wait_for(lambda: _card_without(house, session, "allowed in this session"))


async def _card_without(house: House, session: Session, words: str) -> Any:
    card = await house.scene.card(session)
    return card if words not in texts(card) else None


async def test_by_http_command_line_and_python_it_is_of_the_owner_of_the_key(
    build: Build, tmp_path: Path
) -> None:
    keys = f"boss:admin:{ALL},kens@{KEN}:approve+read_all+launch:{KEN_KEY}"
    house = await build(deploys, api_keys=SecretStr(keys))
    served, client = house.scene.flagman.cores[-1], AsyncWebClient(token=BOT_TOKEN)
    client.base_url = house.scene.slack.api_url
    served.directory.connect(People(client))
    scene, kens = house.scene, await house.as_(KEN_KEY)
    first = await scene.waiting(await scene.launch("web-1 web-2 db-1 db-2"))
    path = f"/v1/sessions/{first.id}/calls/1.1/grant"
    digest = first.call("1.1").call.digest
    body = {"until": "in 30m", "arguments": {"service": "web-*", "notes": ""}, "digest": digest}
    (await kens.post(path, {**body, "digest": ""})).problem(428, "digest_required")
    (await kens.post(path, {**body, "digest": "0" * 64})).problem(409, "call_changed")
    (await kens.post(path, {**body, "until": "in 3d"})).problem(422, "invalid_input")
    (await house.api.post(path, body)).problem(403, "not_allowed")
    made = await kens.post(path, body)
    assert made.status == 201, made
    assert made["grant"]["by_name"] or made["grant"]["by"]
    waits = await asked_about(house, first, "3.1")
    assert services(house) == ["web-1", "web-2"]
    cli = Cli(tmp_path, environment(FLAGMAN_URL=house.url, FLAGMAN_API_KEY=KEN_KEY))
    done = await asyncio.to_thread(
        cli, "grants", "allow", first.id, "3.1", "--where", "service=db-*", "--until", "in 1h", "--yes"
    )
    assert "is allowed where notes is" in done.stdout
    await scene.ended(waits)
    assert len(scene.runs()) == 4
    second = await scene.waiting(await scene.launch("web-1 web-1"))

    def script() -> list[str]:
        with flagman.connect(house.url, KEN_KEY):
            session = flagman.Session.load(second.id)
            grant = session.allow("1.1", "in 30m", scope="channel")
            listed = [one.id for one in flagman.AgentSupervisor().grants()]
            flagman.AgentSupervisor().revoke_grant(grant.id)
            return listed

    assert await asyncio.to_thread(script) == [f"{second.id}.g1"]


async def test_a_grant_that_is_revoked_before_the_call_begins_allows_nothing(build: Build) -> None:
    """A grant of another session, since that one's log is not fenced by an append to this one's."""
    begun, release = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    async def prepare(context: ToolContext) -> None:
        if ran:
            begun.set()
            await release.wait()

    @tool(changes=True)
    async def deploy(ctx: ToolContext, service: str, notes: str = "") -> str:
        """Deploy a service."""
        ran.append(service)
        return "fine"

    house = await build(deploys, tools={"deploy": replace(deploy, prepare=prepare)})
    scene = house.scene
    session = await scene.waiting(await scene.launch("web-1"))
    (message,) = await scene.asked(session)
    assert (await allow(house, KEN, message, "web-*", "channel|today"))["ok"]
    await scene.ended(session)
    other = await scene.launch("web-2")
    await begun.wait()
    revoked = await scene.slack.command(KEN, OPS, f"grants revoke {session.id}.g1")
    assert "has ended" in json.dumps(revoked)
    release.set()
    await scene.waiting(other)
    assert ran == ["web-1"]
    (message,) = await scene.asked(other)
    await scene.slack.click(KEN, OPS, message["ts"], APPROVE)
    await scene.ended(other)
    assert ran == ["web-1", "web-2"]
    assert "looked at anew" in str((await house.api.get(f"/v1/sessions/{other.id}/log")).body)
