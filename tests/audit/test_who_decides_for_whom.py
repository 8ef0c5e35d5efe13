"""`/agent delegate @grace until friday`: Grace is asked, decides with that right and no more, and it ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import now
from handlers.users import People
from supervisor.core.errors import InvalidCondition
from supervisor.core.events import ApprovalDecided
from supervisor.delegations import parse_until
from supervisor.runtime.sweeper import Sweeper
from tests.api.conftest import ALL, Build, House
from tests.cli.served import Cli, environment
from tests.e2e.rights.test_who_may_decide_is_asked import direct
from tests.support.scenario import APPROVE
from tests.support.slack import (
    ADA,
    BOT,
    BOT_TOKEN,
    GRACE,
    KEN,
    LINUS,
    MARGARET,
    OPS,
    SRE,
    buttons,
    texts,
    wait_for,
)

KEN_KEY = "ken-key-0123456789abcdef"


def ruled(**approvers: Any) -> dict[str, Any]:
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}


async def delegate(house: House, user: str, words: str) -> str:
    return json.dumps(await house.scene.slack.command(user, OPS, f"delegate {words}"), ensure_ascii=False)


async def decisions(house: House, session_id: str) -> list[ApprovalDecided]:
    events = await house.scene.flagman.core.sessions.events(session_id)
    return [event for event in events if isinstance(event, ApprovalDecided)]


async def test_who_decides_for_another_is_asked_and_it_says_for_whom(build: Build) -> None:
    house = await build(persona=ruled(users=[KEN]))
    scene = house.scene
    assert "decides for you until" in await delegate(house, KEN, "@grace until friday because I am away")
    assert "I am away" in await delegate(house, GRACE, "list")
    place = await scene.slack.channel("private", name="secret-ops", members=[ADA, KEN, BOT])
    session = await scene.waiting(await scene.launch(channel=place))
    channel = await direct(scene, GRACE)
    asked = await scene.slack.message(channel, lambda m: APPROVE in buttons(m), user=GRACE)
    assert (await scene.slack.click(GRACE, channel, asked["ts"], APPROVE))["ok"]
    await scene.ended(session)
    (decision,) = await decisions(house, session.id)
    assert (decision.by, decision.for_person) == (f"slack:{GRACE}", f"slack:{KEN}")
    card = await scene.card(session, place)
    await scene.slack.message(place, lambda m: f"<@{GRACE}> for <@{KEN}>" in texts(m), card["ts"])
    row, given = (await house.api.get("/v1/audit"))["rows"]
    assert (given["kind"], given["by"]) == ("delegate", f"slack:{KEN}")
    assert "I am away" in given["reason"]
    assert (row["for_person"], row["rights"]) == (f"slack:{KEN}", ["user"])
    log = str((await house.api.get(f"/v1/sessions/{session.id}/log")).body)
    assert " for **" in log


async def test_it_ends_when_it_is_dropped_and_gives_no_more_than_the_right(build: Build) -> None:
    house = await build(persona=ruled(users=[KEN], exclude_requester=True))
    scene = house.scene
    made = await delegate(house, KEN, "@grace until in 2d")
    delegation = (await house.api.get("/v1/delegations"))["delegations"][0]["id"]
    assert delegation in made
    # Grace asked for this one herself.
    own = await scene.waiting(await scene.launch(user=GRACE))
    (message,) = await scene.asked(own)
    await scene.slack.click(GRACE, OPS, message["ts"], APPROVE)
    assert await decisions(house, own.id) == []
    # Linus sees no delegation and cannot end it.
    assert "There is no delegation" in await delegate(house, LINUS, f"drop {delegation}")
    assert "has ended" in await delegate(house, GRACE, f"drop {delegation}")
    (ended,) = (await house.api.get("/v1/audit?kind=undelegate"))["rows"]
    assert ended["by"] == f"slack:{GRACE}"
    session = await scene.waiting(await scene.launch())
    (message,) = await scene.asked(session)
    await scene.slack.click(GRACE, OPS, message["ts"], APPROVE)
    assert await decisions(house, session.id) == []
    assert (await scene.slack.click(KEN, OPS, message["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_right_that_was_lost_meanwhile_is_not_used(build: Build) -> None:
    house = await build(persona=ruled(groups=["sre"]))
    scene = house.scene
    await delegate(house, MARGARET, "@ken until friday")
    session = await scene.waiting(await scene.launch())
    (message,) = await scene.asked(session)
    groups = scene.slack.playground.workspace.groups
    groups[SRE] = replace(groups[SRE], users=(ADA, GRACE))
    await scene.slack.click(KEN, OPS, message["ts"], APPROVE)
    assert await decisions(house, session.id) == []


async def test_it_ends_by_time(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build(persona=ruled(users=[KEN]))
    scene = house.scene
    await delegate(house, KEN, "@grace until in 2h")
    session = await scene.waiting(await scene.launch())
    (message,) = await scene.asked(session)
    for core in scene.flagman.cores:
        monkeypatch.setattr(core.delegations, "_clock", lambda: now() + timedelta(hours=3))
    await scene.slack.click(GRACE, OPS, message["ts"], APPROVE)
    assert await decisions(house, session.id) == []


async def test_strangers_guests_bots_and_the_gone_get_none(build: Build) -> None:
    house = await build()
    guest = await house.scene.slack.person(name="gus", is_restricted=True)
    gone = await house.scene.slack.person(name="gina", deleted=True)
    for person in (guest["id"], gone["id"], BOT, "U0NOBODY1"):
        assert "Only a full member" in await delegate(house, KEN, f"{person} until friday")
    channel = await house.scene.slack.channel(name="with-gus", members=[ADA, guest["id"], BOT])
    refused = await house.scene.slack.command(guest["id"], channel, "delegate @grace until friday")
    assert "have no rights" in json.dumps(refused)
    assert "yourself already" in await delegate(house, KEN, "@ken until friday")
    assert "in the past" in await delegate(house, KEN, "@grace until 2020-01-01")
    assert "at most" in await delegate(house, KEN, "@grace until 2029-01-01")
    assert (await house.api.get("/v1/delegations"))["delegations"] == []


async def test_by_http_and_command_line_it_is_of_the_owner_of_the_key(build: Build, tmp_path: Path) -> None:
    keys = f"boss:admin:{ALL},kens@{KEN}:approve+read+launch:{KEN_KEY},program:approve+read:none-key-0123456789abcdef"
    house = await build(persona=ruled(users=[KEN]), api_keys=SecretStr(keys))
    served, client = house.scene.flagman.cores[-1], AsyncWebClient(token=BOT_TOKEN)
    client.base_url = house.scene.slack.api_url
    served.directory.connect(People(client))
    cli = Cli(tmp_path, environment(FLAGMAN_URL=house.url, FLAGMAN_API_KEY=KEN_KEY))
    done = await asyncio.to_thread(cli, "delegate", "to", GRACE, "--until", "friday", "--because", "away")
    assert "decides for you" in done.stdout
    (row,) = json.loads((await asyncio.to_thread(cli, "delegate", "list", "--json")).stdout)
    assert (row["by"], row["to"], row["reason"]) == (f"slack:{KEN}", f"slack:{GRACE}", "away")
    program = await house.as_("none-key-0123456789abcdef")
    body = {"to": GRACE, "until": "friday"}
    (await program.post("/v1/delegations", body)).problem(403, "not_allowed")
    assert (await program.get("/v1/delegations"))["delegations"] == []
    await asyncio.to_thread(cli, "delegate", "drop", row["id"])
    assert (await house.api.get("/v1/delegations"))["delegations"] == []


def test_a_day_lasts_until_its_end() -> None:
    monday = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert parse_until("Friday", monday, "Europe/Berlin") == datetime(2026, 12, 4, 23, tzinfo=UTC)
    assert parse_until("monday", monday, "UTC") == datetime(2026, 12, 1, tzinfo=UTC)
    assert parse_until("2026-12-04", monday, "UTC") == datetime(2026, 12, 5, tzinfo=UTC)
    assert parse_until("in 2h", monday, "UTC") == monday + timedelta(hours=2)
    for wrong in ("someday", "2026-13-01", "2026-11-29", "9999-12-31"):
        with pytest.raises(InvalidCondition):
            parse_until(wrong, monday, "UTC")


async def test_requests_that_are_open_already_reach_who_decides_now(build: Build) -> None:
    house = await build(persona=ruled(users=[KEN]))
    scene, core = house.scene, house.scene.flagman.core
    place = await scene.slack.channel("private", name="secret-ops", members=[ADA, KEN, BOT])
    session = await scene.waiting(await scene.launch(channel=place))
    await scene.asked(session, channel=place)
    await delegate(house, KEN, "@grace until friday")
    # The sweep of the clock, which looks every half minute whether who may decide sees a request.
    await Sweeper(core.sessions, core.log, *core.queues()).sweep(now())
    channel = await direct(scene, GRACE)
    await scene.slack.message(channel, lambda m: APPROVE in buttons(m), user=GRACE)

    async def needs_her() -> bool:
        return "Needs you (1 session)" in str(await scene.slack.home(GRACE))

    await wait_for(needs_her)
