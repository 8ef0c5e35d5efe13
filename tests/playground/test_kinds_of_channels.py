"""Private, archived and shared channels, group messages and direct messages of two, as the bot meets them."""

import asyncio
import json
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.playground.listening import accept, listening
from tests.support.slack import ADA, ALL_SCOPES, BOT, GRACE, LINUS, OPS, OTHER_TEAM, RANDOM, Slack, wait_for

ALL_KINDS = "public_channel,private_channel,mpim,im"


async def refused(client: AsyncWebClient, method: str, **args: Any) -> str:
    """The code with which Slack refuses."""
    with pytest.raises(SlackApiError) as refusal:
        await client.api_call(method, json=args)
    return str(refusal.value.response["error"])


async def ids(client: AsyncWebClient, types: str = ALL_KINDS, **more: Any) -> set[str]:
    return {row["id"] for row in (await client.conversations_list(types=types, **more))["channels"]}


async def test_a_private_channel_is_not_there_for_those_outside(client: AsyncWebClient, slack: Slack) -> None:
    secret = await slack.channel("private", name="secret", members=[ADA])
    ts = (await slack.post(ADA, secret, "hush"))["ts"]
    for method, args in (
        ("chat.postMessage", {"text": "x"}),
        ("chat.update", {"ts": ts, "text": "x"}),
        ("chat.delete", {"ts": ts}),
        ("chat.postEphemeral", {"user": ADA, "text": "x"}),
        ("chat.getPermalink", {"message_ts": ts}),
        ("reactions.add", {"timestamp": ts, "name": "eyes"}),
        ("conversations.info", {}),
        ("conversations.members", {}),
        ("conversations.history", {}),
        ("conversations.replies", {"ts": ts}),
    ):
        assert await refused(client, method, channel=secret, **args) == "channel_not_found", method
    assert (
        await refused(client, "conversations.join", channel=secret) == "method_not_supported_for_channel_type"
    )
    assert await refused(client, "chat.postMessage", channel="#secret", text="x") == "channel_not_found"
    assert secret not in await ids(client)
    assert (await slack.get("messages", channel=secret, user=GRACE))["error"] == "channel_not_found"
    assert secret not in {row["id"] for row in (await slack.get("state", user=GRACE))["channels"]}


async def test_a_private_channel_with_the_bot_in_it(client: AsyncWebClient, slack: Slack) -> None:
    secret = await slack.channel("private", name="secret", members=[ADA])
    await slack.send("join", {"user": ADA, "channel": secret, "member": BOT})
    assert (await client.chat_postMessage(channel=secret, text="here"))["ok"]
    channel = (await client.conversations_info(channel=secret))["channel"]
    assert (channel["is_private"], channel["is_channel"], channel["is_member"]) == (True, True, True)
    assert secret in await ids(client, "private_channel")
    assert secret not in await ids(client, "public_channel")
    assert (await client.conversations_members(channel=secret))["members"] == [ADA, BOT]


async def test_a_public_channel_without_the_bot(client: AsyncWebClient, slack: Slack) -> None:
    assert (await client.conversations_info(channel=RANDOM))["channel"]["is_member"] is False
    assert await refused(client, "chat.postMessage", channel=RANDOM, text="x") == "not_in_channel"
    await slack.settings(chat_write_public=True)
    assert (await client.chat_postMessage(channel=RANDOM, text="x"))["ok"]
    assert await refused(client, "conversations.history", channel=RANDOM) == "not_in_channel"


async def test_group_messages(client: AsyncWebClient, slack: Slack) -> None:
    group = await slack.channel("mpim", name="mpdm-ada--grace--flagman-1", members=[ADA, GRACE, BOT])
    assert (await client.conversations_open(users=f"{GRACE},{ADA}"))["channel"]["id"] == group
    new = await client.conversations_open(users=f"{ADA},{LINUS}", return_im=True)
    assert (new["channel"]["is_mpim"], new["channel"]["is_private"]) == (True, True)
    assert new["channel"]["name"] == "mpdm-ada--linus--flagman-1"
    assert {group, new["channel"]["id"]} == await ids(client, "mpim")
    assert (await client.chat_postMessage(channel=group, text="all of you"))["ok"]
    assert (await slack.messages(group, user=GRACE))[0]["text"] == "all of you"
    nine = ",".join(f"U{number}" for number in range(9))
    assert await refused(client, "conversations.open", users=nine) == "too_many_users"


async def test_direct_messages_of_two_people(client: AsyncWebClient, slack: Slack) -> None:
    direct = await slack.channel("im", members=[ADA, GRACE])
    await slack.post(ADA, direct, "between us")
    for method, args in (
        ("conversations.info", {}),
        ("conversations.history", {}),
        ("chat.postMessage", {"text": "x"}),
    ):
        assert await refused(client, method, channel=direct, **args) == "channel_not_found", method
    assert direct not in await ids(client)
    shown = {row["id"]: row["name"] for row in (await slack.get("state", user=GRACE))["channels"]}
    assert shown[direct] == "Ada Lovelace"


async def test_an_archived_channel(client: AsyncWebClient, slack: Slack) -> None:
    ts = (await client.chat_postMessage(channel=OPS, text="before"))["ts"]
    await slack.channel(id=OPS, is_archived=True)
    for method, args, code in (
        ("chat.postMessage", {"text": "x"}, "is_archived"),
        ("chat.postEphemeral", {"user": ADA, "text": "x"}, "is_archived"),
        ("chat.update", {"ts": ts, "text": "x"}, "is_inactive"),
        ("reactions.add", {"timestamp": ts, "name": "eyes"}, "is_archived"),
        ("conversations.join", {}, "is_archived"),
    ):
        assert await refused(client, method, channel=OPS, **args) == code, method
    assert (await client.conversations_info(channel=OPS))["channel"]["is_archived"] is True
    assert (await client.conversations_history(channel=OPS))["messages"][0]["text"] == "before"
    assert OPS in await ids(client)
    assert OPS not in await ids(client, exclude_archived=True)
    assert (await slack.command(ADA, OPS, "list"))["error"] == "is_archived"
    assert (await slack.send("post", {"user": ADA, "channel": OPS, "text": "x"}))["error"] == "is_archived"
    await slack.channel(id=OPS, is_archived=False)
    assert (await client.chat_postMessage(channel=OPS, text="after"))["ok"]


async def test_a_channel_shared_with_another_workspace(client: AsyncWebClient, slack: Slack) -> None:
    guest = (await slack.person(name="vera", team_id=OTHER_TEAM))["id"]
    shared = await slack.channel(name="with-vera", members=[ADA, guest, BOT], teams=[OTHER_TEAM])
    channel = (await client.conversations_info(channel=shared))["channel"]
    assert (channel["is_ext_shared"], channel["is_shared"]) == (True, True)
    assert channel["connected_team_ids"] == [OTHER_TEAM]
    assert guest in (await client.conversations_members(channel=shared))["members"]
    assert "is_ext_shared" in (await client.conversations_info(channel=OPS))["channel"]
    assert (await client.conversations_info(channel=OPS))["channel"]["is_ext_shared"] is False
    async with listening(slack, accept) as arrived:
        await slack.post(guest, shared, "hello from elsewhere")
        await slack.post(ADA, OPS, "hello")
        await wait_for(lambda: len(arrived) == 2)
    bodies = [json.loads(body) for _, body in arrived]
    foreign = next(body for body in bodies if body["event"]["channel"] == shared)
    assert foreign["is_ext_shared_channel"] is True
    assert foreign["event"]["user_team"] == foreign["event"]["team"] == OTHER_TEAM
    own = next(body for body in bodies if body["event"]["channel"] == OPS)
    assert (own["is_ext_shared_channel"], "user_team" in own["event"]) == (False, False)
    assert (await slack.send("post", {"user": guest, "channel": OPS, "text": "x"}))[
        "error"
    ] == "channel_not_found"


async def test_events_say_the_kind_of_the_channel(slack: Slack) -> None:
    private = await slack.channel("private", name="secret", members=[ADA, BOT])
    group = await slack.channel("mpim", name="mpdm-ada--grace--flagman-1", members=[ADA, GRACE, BOT])
    two = await slack.channel("im", members=[ADA, GRACE])
    async with listening(slack, accept) as arrived:
        for place in (OPS, private, group, two):
            await slack.post(ADA, place, "x")
        await wait_for(lambda: len(arrived) == 3)
        await asyncio.sleep(0.1)
        events = [json.loads(body)["event"] for _, body in arrived]
    assert {event["channel"]: event["channel_type"] for event in events} == {
        OPS: "channel",
        private: "group",
        group: "mpim",
    }


async def test_payloads_do_not_name_private_channels(slack: Slack) -> None:
    private = await slack.channel("private", name="secret", members=[ADA])
    async with listening(slack, accept) as arrived:
        await slack.command(ADA, private, "list")
    assert "channel_name=privategroup" in arrived[0][1]
    assert "secret" not in arrived[0][1]


async def test_what_was_arranged_survives(tmp_path: Any) -> None:
    async with Slack(tmp_path, manifest=ALL_SCOPES) as slack:
        guest = (await slack.person(name="vera", team_id=OTHER_TEAM))["id"]
        shared = await slack.channel("private", name="kept", members=[guest, BOT], teams=[OTHER_TEAM])
    async with Slack(tmp_path, manifest=ALL_SCOPES) as slack:
        channel = (await slack.api("conversations.info", channel=shared))["channel"]
        assert (channel["is_private"], channel["connected_team_ids"]) == (True, [OTHER_TEAM])
        assert (await slack.api("users.info", user=guest))["user"]["team_id"] == OTHER_TEAM


async def test_arrangements_are_checked(slack: Slack) -> None:
    for path, body in (
        ("channels", {"name": "x", "kind": "secret"}),
        ("channels", {"kind": "public"}),
        ("channels", {"name": "x", "colour": "red"}),
        ("people", {"name": 3}),
        ("settings", {"rate_scale": 0}),
        ("settings", {"colour": "red"}),
    ):
        assert (await slack.send(path, body))["http"] == 400, body
    assert (await slack.send("channels", {"name": "x", "members": ["U0NOBODY"]}))["error"] == "user_not_found"
