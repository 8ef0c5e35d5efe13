"""Guests, people of another workspace, bots and those who were deactivated, as the bot meets them."""

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.seed import Manifest, Shortcut
from tests.playground.test_kinds_of_channels import refused
from tests.support.slack import ADA, BOT, GRACE, OPS, OTHER_TEAM, RANDOM, SRE, Slack


async def test_a_guest(client: AsyncWebClient, slack: Slack) -> None:
    guest = (await slack.person(name="gwen", is_restricted=True))["id"]
    single = (await slack.person(name="sam", is_ultra_restricted=True))["id"]
    await slack.send("join", {"user": ADA, "channel": OPS, "member": guest})
    shown = (await client.users_info(user=guest))["user"]
    assert (shown["is_restricted"], shown["is_ultra_restricted"]) == (True, False)
    shown = (await client.users_info(user=single))["user"]
    assert (shown["is_restricted"], shown["is_ultra_restricted"]) == (True, True)
    assert (await client.users_info(user=ADA))["user"]["is_restricted"] is False
    visible = {row["id"] for row in (await slack.get("state", user=guest))["channels"]}
    assert OPS in visible
    assert RANDOM not in visible
    assert (await client.chat_postMessage(channel=guest, text="hello"))["channel"].startswith("D")


async def test_somebody_who_was_deactivated(client: AsyncWebClient, slack: Slack) -> None:
    direct = (await client.conversations_open(users=GRACE))["channel"]["id"]
    await slack.person(id=GRACE, deleted=True)
    shown = (await client.users_info(user=GRACE))["user"]
    assert shown["deleted"] is True
    assert not {"tz", "is_admin", "real_name"} & set(shown)
    assert await refused(client, "conversations.open", users=GRACE) == "user_disabled"
    assert await refused(client, "conversations.open", users=f"{ADA},{GRACE}") == "user_disabled"
    # Slack takes messages for them all the same.
    assert (await client.chat_postMessage(channel=direct, text="anybody there?"))["ok"]
    assert (await client.conversations_info(channel=direct))["channel"]["is_user_deleted"] is True
    assert GRACE not in (await client.conversations_members(channel=OPS))["members"]
    assert (await slack.send("post", {"user": GRACE, "channel": OPS, "text": "x"}))[
        "error"
    ] == "user_disabled"
    assert (
        await refused(client, "chat.postEphemeral", channel=OPS, user=GRACE, text="x")
        == "user_not_in_channel"
    )


async def test_another_bot(client: AsyncWebClient, slack: Slack) -> None:
    other = (await slack.person(name="deploybot", is_bot=True))["id"]
    shown = (await client.users_info(user=other))["user"]
    own = (await client.users_info(user=BOT))["user"]
    assert shown["is_bot"] is True
    assert shown["profile"]["bot_id"] != own["profile"]["bot_id"]
    assert await refused(client, "conversations.open", users=other) == "cannot_dm_bot"


async def test_somebody_of_another_workspace(client: AsyncWebClient, slack: Slack) -> None:
    vera = (await slack.person(name="vera", team_id=OTHER_TEAM))["id"]
    shown = (await client.users_info(user=vera))["user"]
    assert (shown["team_id"], shown["is_stranger"]) == (OTHER_TEAM, True)
    assert "email" not in shown["profile"]
    assert await refused(client, "conversations.open", users=vera) == "invalid_user_combination"
    shared = await slack.channel("private", name="together", members=[ADA, BOT, vera], teams=[OTHER_TEAM])
    assert (await client.users_info(user=vera))["user"]["is_stranger"] is False
    assert (await client.conversations_open(users=vera))["ok"]
    assert "is_stranger" not in (await client.users_info(user=ADA))["user"]
    answer = await slack.command(vera, shared, "list")
    assert answer["error"] == "invalid_command", "the app is not installed where they work"
    slack.playground.workspace.manifest = Manifest(shortcuts=(Shortcut("launch_agent", "Launch an agent"),))
    for person, error in ((vera, "shortcut_not_found"), (ADA, "dispatch_failed")):
        answer = await slack.send("shortcut", {"user": person, "callback_id": "launch_agent"})
        assert answer["error"] == error


@pytest.mark.parametrize("code", ["paid_teams_only", "plan_upgrade_required"])
async def test_a_workspace_without_user_groups(client: AsyncWebClient, slack: Slack, code: str) -> None:
    assert (await client.usergroups_users_list(usergroup=SRE))["users"]
    await slack.settings(usergroups_error=code)
    with pytest.raises(SlackApiError) as refusal:
        await client.usergroups_users_list(usergroup=SRE)
    assert refusal.value.response["error"] == code
    assert await refused(client, "usergroups.list") == code
    await slack.settings(usergroups_error="")
    assert (await client.usergroups_list())["usergroups"]
