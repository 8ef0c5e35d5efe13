"""Organisations with many workspaces, the workspace of SLACK_BOT_TOKEN beside others, and people of others."""

from __future__ import annotations

from pydantic import SecretStr

from supervisor.core.events.base import workspace_of
from tests.support.slack import ADA, APP_TOKEN, BOT, OPS
from tests.workspaces.conftest import Begin
from tests.workspaces.front import ENTERPRISE, TEAMS, Front

ASK = {"approvals": [{"tool": "*", "mode": "ask", "approvers": {"groups": ["sre"]}}]}


async def test_workspaces_of_an_organisation_are_apart_and_named_in_each_call(
    begin: Begin, front: Front
) -> None:
    front.enterprise = ENTERPRISE
    flagman = await begin(persona=ASK)
    status, page = await front.install(flagman.url, 0)
    assert (status, "installed in The organisation" in page) == (200, True), page
    one = front.workspaces[0]
    session = await flagman.launch(one)
    assert session.launched_by == f"slack:{TEAMS[0]}/{ADA}"
    assert (await flagman.approve(one, session))["ok"]
    await flagman.session(lambda s: s.ended, session.id)
    # An org-wide token needs to be told of which workspace groups are.
    asked = [*front.called("usergroups.list", 0), *front.called("usergroups.users.list", 0)]
    assert asked
    assert {args.get("team_id") for args in asked} == {TEAMS[0]}
    assert flagman.core.teams
    assert await flagman.core.teams.keys() == [TEAMS[0]]
    await front.uninstall(0)
    assert await flagman.core.teams.keys() == []


async def test_the_workspace_of_the_token_stays_the_first_one(begin: Begin, front: Front) -> None:
    front.tokens["xoxb-own"] = (0, float("inf"))
    alone = await begin(slack_bot_token=SecretStr("xoxb-own"), slack_client_id="", slack_client_secret=None)
    old = await alone.launch(front.workspaces[0], "before")
    both = await begin(slack_bot_token=SecretStr("xoxb-own"))
    assert (await both.core.directory.look_up("group", "sre")).exists
    two = await both.install(1)
    mine, theirs = await both.launch(front.workspaces[0]), await both.launch(two)
    assert (old.launched_by, workspace_of(old.origin)) == (f"slack:{ADA}", "")
    assert (mine.launched_by, workspace_of(mine.origin)) == (f"slack:{ADA}", "")
    assert (theirs.launched_by, workspace_of(theirs.origin)) == (f"slack:{TEAMS[1]}/{ADA}", TEAMS[1])
    # Without the token it installs as the others do, and finds what it had.
    later = await begin()
    one = await later.install(0)
    listed = str((await one.command(ADA, OPS, "list")).get("response"))
    assert {old.id in listed, mine.id in listed, theirs.id in listed} == {True, False}
    assert theirs.id not in listed
    assert (await later.approve(one, old))["ok"]
    assert (await later.session(lambda s: s.ended, old.id)).lifecycle == "completed"


async def test_who_comes_from_another_workspace_is_a_stranger(begin: Begin, front: Front) -> None:
    """Also where their own workspace has Flagman: their rights there are not rights here."""
    flagman = await begin(admins=f"{TEAMS[1]}/U0EXT0001")
    one = await flagman.install(0)
    await flagman.install(1)
    eve = str((await one.person(id="U0EXT0001", name="eve", team_id=TEAMS[1]))["id"])
    shared = await one.channel(name="with-eve", members=[ADA, eve, BOT], teams=[TEAMS[1]])
    session = await flagman.launch(one, channel=shared)
    for verb in ("list", f"cancel {session.id}", "launch ops ship it"):
        answer = await one.command(eve, shared, verb)
        assert "Started" not in str(answer), answer
        assert session.id not in str(answer) or "no session" in str(answer) or "no rights" in str(answer)
    assert not (await flagman.core.supervisor.get(session.id)).ended


async def test_one_app_token_serves_all_workspaces_in_socket_mode(begin: Begin, front: Front) -> None:
    flagman = await begin(slack_app_token=SecretStr(APP_TOKEN))
    assert front.sockets.count == 1
    one, two = await flagman.install(0), await flagman.install(1)
    for slack, team in ((one, TEAMS[0]), (two, TEAMS[1])):
        session = await flagman.launch(slack)
        assert session.launched_by == f"slack:{team}/{ADA}"
        assert (await flagman.approve(slack, session))["ok"]
        assert (await flagman.session(lambda s: s.ended, session.id)).lifecycle == "completed"
