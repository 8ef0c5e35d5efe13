"""Two workspaces install one Flagman, with the same ids of people and channels, and never see each other."""

from __future__ import annotations

from functools import partial

import aiohttp
import pytest
from pydantic import SecretStr

from supervisor.contract import reader
from supervisor.contract.grants import GrantRequest, GrantService
from supervisor.contract.reader import SessionReader
from supervisor.core.events import Actor
from tests.support.scenario import APPROVE, key_of, session_of
from tests.support.slack import ADA, ADA_DM, GRACE, LINUS, OPS, Slack, texts, wait_for
from tests.workspaces.conftest import Begin
from tests.workspaces.front import TEAMS, Front


async def said(slack: Slack, user: str, command: str) -> str:
    return str((await slack.command(user, OPS, command)).get("response"))


async def test_each_launches_approves_and_lists_its_own(begin: Begin, front: Front) -> None:
    flagman = await begin()
    one, two = await flagman.install(0), await flagman.install(1)
    mine, theirs = await flagman.launch(one, "ship one"), await flagman.launch(two, "ship two")
    assert [s.launched_by for s in (mine, theirs)] == [f"slack:{team}/{ADA}" for team in TEAMS]
    for slack, session, other in ((one, mine, theirs), (two, theirs, mine)):
        assert (await flagman.approve(slack, session))["ok"]
        ended = await flagman.session(lambda s: s.ended, session.id)
        assert ended.lifecycle == "completed"
        listed = await said(slack, ADA, "list")
        assert session.id in listed
        assert other.id not in listed
        for verb in ("status", "log", "cancel", "resume", "pause", "fork"):
            assert f"no session `{other.id}`" in await said(slack, ADA, f"{verb} {other.id}")
        (card,) = [m for m in await slack.messages(OPS) if session_of(m) and key_of(m) == "card"]
        assert session_of(card) == session.id
        assert f"<@{ADA}>" in texts(card)
        assert other.id not in {session_of(m) for m in await slack.messages(OPS)}
    assert {args["channel"] for args in front.called("chat.postMessage", 1)} == {OPS}


async def test_nothing_of_one_is_found_in_the_other(begin: Begin, front: Front) -> None:
    """Home, the inbox, schedules, settings, delegations, and buttons that are pressed in the wrong workspace."""
    admin = f"{TEAMS[0]}/{ADA}"
    flagman = await begin(
        admins=admin, persona={"approvals": [{"tool": "*", "mode": "ask", "approvers": {"groups": ["sre"]}}]}
    )
    one, two = await flagman.install(0), await flagman.install(1)
    mine = await flagman.launch(one, "ship one", LINUS)
    asked = await flagman.asked(one, mine)
    # An admin, and a member of a group of the same handle, there are in both.
    for slack, sees in ((one, True), (two, False)):
        await slack.home(GRACE)
        tab = await wait_for(partial(_tab, slack, GRACE))
        assert (mine.id in tab) is sees, tab
    await said(one, ADA, "settings limits steps=3")
    assert "Only admins" in await said(two, ADA, "settings limits steps=3")
    assert "steps" in await said(one, ADA, "settings")
    assert (await flagman.core.places.row(f"{TEAMS[0]}/{OPS}")).values.limits.given
    assert not (await flagman.core.places.row(f"{TEAMS[1]}/{OPS}")).values.limits.given
    await said(one, ADA, 'schedule "0 9 * * *" launch ops "the report"')
    (schedule,) = await flagman.core.schedules.list()
    assert schedule.id in await said(one, GRACE, "schedule list")
    assert schedule.id not in await said(two, GRACE, "schedule list")
    await said(one, ADA, "delegate @grace until friday")
    (lasting,) = await flagman.core.delegations.lasting()
    assert (lasting.by, lasting.to) == (f"slack:{TEAMS[0]}/{ADA}", f"slack:{TEAMS[0]}/{GRACE}")
    assert lasting.id not in await said(two, GRACE, "delegate list")
    # The same button, sent from the other workspace.
    forged = await two.click_stale(GRACE, OPS, asked, APPROVE)
    assert forged["ok"]
    assert (await flagman.core.supervisor.get(mine.id)).calls_in("awaiting")
    assert (await flagman.approve(one, mine, GRACE))["ok"]
    assert (await flagman.session(lambda s: s.ended, mine.id)).lifecycle == "completed"


async def test_what_is_allowed_in_a_channel_of_one_is_not_in_that_of_the_other(begin: Begin) -> None:
    flagman = await begin()
    one, two = await flagman.install(0), await flagman.install(1)
    mine = await flagman.launch(one)
    await flagman.asked(one, mine)
    (call,) = (await flagman.core.supervisor.get(mine.id)).calls_in("awaiting")
    services = flagman.core.services()
    here, there = (GrantService(services, Actor(id=f"slack:{team}/{ADA}")) for team in TEAMS)
    request = GrantRequest.of(scope="channel", until="in 1h", digest=call.call.digest, request=call.request)
    await here.allow(mine.id, call.call_id, request)
    assert [one.channel for one in await here.list()] == [f"{TEAMS[0]}/{OPS}"]
    assert await there.list() == []
    again, theirs = await flagman.launch(one), await flagman.launch(two)
    assert (await flagman.session(lambda s: s.ended, again.id)).lifecycle == "completed"
    await flagman.asked(two, theirs)


async def _tab(slack: Slack, user: str) -> str:
    return str((await slack.home(user)).get("view") or "")


async def test_a_key_of_a_person_is_bound_to_their_workspace(begin: Begin) -> None:
    keys = f"one@{TEAMS[0]}/{ADA}:launch+read_all+admin:{'1' * 32},two@{TEAMS[1]}/{ADA}:launch+read_all:{'2' * 32},"
    flagman = await begin(api_keys=SecretStr(f"{keys}all:read_all:{'3' * 32}"))
    one, two = await flagman.install(0), await flagman.install(1)
    mine, theirs = await flagman.launch(one), await flagman.launch(two)
    session = aiohttp.ClientSession(flagman.url)
    async with session:
        for key, seen in (("1", {mine.id}), ("2", {theirs.id}), ("3", {mine.id, theirs.id})):
            headers = {"Authorization": f"Bearer {key * 32}"}
            async with session.get("/v1/sessions", headers=headers) as answer:
                assert {row["id"] for row in (await answer.json())["sessions"]} == seen
            for one_id in (mine.id, theirs.id):
                for what in ("", "/events", "/log"):
                    async with session.get(f"/v1/sessions/{one_id}{what}", headers=headers) as answer:
                        assert answer.status == (200 if one_id in seen else 404), (key, what)
            async with session.get("/v1/audit", headers=headers) as answer:
                assert {row["session_id"] for row in (await answer.json())["rows"]} <= seen
        for key, status in (("1", 200), ("2", 404)):
            address, headers = (
                f"/v1/channels/{TEAMS[0]}%2F{OPS}/settings",
                {"Authorization": f"Bearer {key * 32}"},
            )
            async with session.get(address, headers=headers) as answer:
                assert answer.status == status
        headers = {"Authorization": f"Bearer {'2' * 32}"}
        # A channel without a workspace is one of the owner's, and that of another workspace is not found.
        for channel, status in ((OPS, 201), (f"{TEAMS[1]}/{OPS}", 201), (f"{TEAMS[0]}/{OPS}", 404)):
            body = {"persona": "ops", "task": "ship", "channel": channel}
            async with session.post("/v1/sessions", json=body, headers=headers) as answer:
                assert answer.status == status, await answer.text()
                if status == 201:
                    assert (await answer.json())["channel"] == f"{TEAMS[1]}/{OPS}"


async def test_an_event_of_one_wakes_nothing_of_the_other(begin: Begin) -> None:
    flagman = await begin(api_keys=SecretStr(f"all:launch+read_all:{'3' * 32}"))
    one, two = await flagman.install(0), await flagman.install(1)
    mine, theirs = await flagman.launch(one), await flagman.launch(two)
    for slack, session in ((one, mine), (two, theirs)):
        await flagman.asked(slack, session)
        await said(slack, ADA, f"pause {session.id} until event: deploy.finished")
    await said(one, ADA, 'event deploy.finished {"n": 1}')
    await flagman.session(lambda s: s.pause is None or not s.waits, mine.id)
    assert (await flagman.core.supervisor.get(theirs.id)).waits
    # One that nobody waited for, and then a program without a workspace.
    await said(one, ADA, "event tests.passed {}")
    await said(two, ADA, f"pause {theirs.id} until event: tests.passed")
    assert (await flagman.core.supervisor.get(theirs.id)).waits
    async with aiohttp.ClientSession(flagman.url) as program:
        body, headers = {"type": "tests.passed"}, {"Authorization": f"Bearer {'3' * 32}"}
        async with program.post("/v1/events", json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
    await flagman.session(lambda s: s.pause is None or not s.waits, theirs.id)


async def test_each_is_told_of_its_own_by_direct_message_and_home(begin: Begin, front: Front) -> None:
    flagman = await begin(
        persona={"approvals": [{"tool": "*", "mode": "ask", "approvers": {"groups": ["sre"]}}]}
    )
    one, two = await flagman.install(0), await flagman.install(1)
    for slack in (one, two):
        await said(slack, ADA, "notify dm")
        await slack.home(ADA)
    mine = await flagman.launch(one)
    direct = await one.message(ADA_DM, lambda m: "Needs" in texts(m) or mine.id in texts(m))
    assert direct

    async def current() -> bool:
        return mine.id in await _tab(one, ADA)

    await wait_for(current)
    assert mine.id not in await _tab(two, ADA)
    assert await two.messages(ADA_DM) == []
    assert (await flagman.approve(one, mine, GRACE))["ok"]
    await flagman.session(lambda s: s.ended, mine.id)


async def test_a_busy_workspace_hides_nothing_of_another(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists look at so many sessions, of which those of others do not count."""
    monkeypatch.setattr(reader, "LOOKED_AT", 1)
    flagman = await begin()
    one, two = await flagman.install(0), await flagman.install(1)
    mine = await flagman.launch(one)
    await flagman.asked(one, mine)
    busy = [await flagman.launch(two) for _ in range(3)]
    for session in busy:
        await flagman.asked(two, session)
    services = flagman.core.services()
    for key in (f"slack:{TEAMS[0]}/{ADA}", f"slack:{ADA}"):
        actor = Actor(id=key)
        found = SessionReader(services, actor)
        wanted = [mine.id] if actor.workspace else []
        assert [session.id for session in await found.recent(limit=1)] == wanted
        assert [request.session.id for request in await found.inbox(limit=1)] == wanted
        assert [view.id for view in (await found.page(limit=1)).sessions] == wanted


async def test_a_rate_of_one_workspace_holds_up_no_other(begin: Begin, front: Front) -> None:
    """The channel has the same id in both, and Slack lets Flagman post in one of them in ten minutes only."""
    flagman = await begin()
    one, two = await flagman.install(0), await flagman.install(1)
    await one.fault("chat.postMessage", status=429, retry_after=600, times=1000)
    mine = await flagman.launch(one)
    await wait_for(lambda: front.called("chat.postMessage", 0))
    theirs = await flagman.launch(two)
    assert (await flagman.approve(two, theirs))["ok"]
    await flagman.session(lambda s: s.ended, theirs.id)
    assert mine.id not in {session_of(message) for message in await one.messages(OPS)}
