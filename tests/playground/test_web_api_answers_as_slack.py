"""Error codes, shapes and paging of the Web API, through Slack's own client."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.support.slack import ADA, ADA_DM, APP_TOKEN, BOT, DEPLOYS, GRACE, OPS, RANDOM, SRE, Slack

Json = dict[str, Any]
SECTION = [{"type": "section", "text": {"type": "mrkdwn", "text": "hi"}}]

REFUSALS: list[tuple[str, Json, str]] = [
    ("chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": RANDOM, "text": "x"}, "not_in_channel"),
    ("chat.postMessage", {"channel": OPS}, "no_text"),
    ("chat.postMessage", {"channel": OPS, "text": " ", "blocks": []}, "no_text"),
    ("chat.postMessage", {"channel": OPS, "text": "x" * 40_001}, "msg_too_long"),
    ("chat.postMessage", {"channel": OPS, "blocks": [{"type": "nope"}]}, "invalid_blocks"),
    ("chat.postMessage", {"channel": OPS, "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
    ("chat.update", {"channel": OPS, "ts": "1.000001", "text": "x"}, "message_not_found"),
    ("chat.delete", {"channel": OPS, "ts": "1.000001"}, "message_not_found"),
    ("chat.postEphemeral", {"channel": OPS, "user": "U0NOBODY", "text": "x"}, "user_not_found"),
    ("chat.postEphemeral", {"channel": ADA_DM, "user": GRACE, "text": "x"}, "user_not_in_channel"),
    ("conversations.history", {"channel": RANDOM}, "not_in_channel"),
    ("conversations.history", {"channel": OPS, "cursor": "zzz"}, "invalid_cursor"),
    ("conversations.history", {"channel": OPS, "oldest": "soon"}, "invalid_ts_oldest"),
    ("conversations.replies", {"channel": OPS, "ts": "1.000001"}, "thread_not_found"),
    ("conversations.info", {"channel": "C0NOWHERE"}, "channel_not_found"),
    ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
    ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
    ("views.open", {"trigger_id": "1.2.3", "view": {}}, "invalid_trigger_id"),
    ("views.update", {"view_id": "V0", "view": {}}, "not_found"),
    ("views.publish", {"user_id": "U0NOBODY", "view": {}}, "user_not_found"),
    ("files.info", {"file": "F0"}, "file_not_found"),
    ("reactions.add", {"channel": OPS, "timestamp": "1.000001", "name": "eyes"}, "message_not_found"),
    ("apps.connections.open", {}, "not_allowed_token_type"),
    ("chat.shout", {}, "unknown_method"),
]


@pytest.mark.parametrize(
    ("method", "args", "error"), REFUSALS, ids=[f"{row[0]}-{row[2]}" for row in REFUSALS]
)
async def test_refusal(slack: Slack, method: str, args: Json, error: str) -> None:
    assert (await slack.api(method, **args))["error"] == error


async def test_tokens(slack: Slack) -> None:
    assert (await slack.api("auth.test", token=""))["error"] == "not_authed"
    assert (await slack.api("auth.test", token="xoxb-wrong"))["error"] == "invalid_auth"
    assert (await slack.api("chat.postMessage", token=APP_TOKEN))["error"] == "not_allowed_token_type"
    assert (await slack.api("apps.connections.open", token=APP_TOKEN))["url"].startswith("ws://")


async def test_who_am_i(client: AsyncWebClient) -> None:
    me = await client.auth_test()
    assert me["user_id"] == BOT
    profile = await client.users_info(user=ADA)
    assert profile["user"]["tz"] == "Europe/Berlin"
    assert (await client.usergroups_users_list(usergroup=SRE))["users"][:2] == [ADA, GRACE]
    assert (await client.team_info())["team"]["id"] == me["team_id"]
    assert (await client.bots_info(bot=me["bot_id"]))["bot"]["user_id"] == BOT


async def test_post_update_delete(client: AsyncWebClient, slack: Slack) -> None:
    posted = await client.chat_postMessage(
        channel=OPS,
        text="one",
        blocks=SECTION,
        metadata={"event_type": "card", "event_payload": {"session": "s1"}},
    )
    message = posted["message"]
    assert (message["type"], message["user"], message["ts"]) == ("message", BOT, posted["ts"])
    assert message["blocks"][0]["block_id"]
    updated = await client.chat_update(channel=OPS, ts=posted["ts"], text="two")
    assert updated["message"]["blocks"] == message["blocks"], "blocks that are not given stay"
    bare = await client.chat_update(channel=OPS, ts=posted["ts"], text="two", blocks=[])
    assert "blocks" not in bare["message"]
    history = await client.conversations_history(channel=OPS, include_all_metadata=True)
    assert history["messages"][0]["metadata"]["event_payload"] == {"session": "s1"}
    assert "metadata" not in (await client.conversations_history(channel=OPS))["messages"][0]
    await client.chat_delete(channel=OPS, ts=posted["ts"])
    assert (await client.conversations_history(channel=OPS))["messages"] == []
    asked = await slack.post(ADA, OPS, "mine")
    for method, code in (("chat.update", "cant_update_message"), ("chat.delete", "cant_delete_message")):
        assert (await slack.api(method, channel=OPS, ts=asked["ts"], text="x"))["error"] == code
    assert (await slack.api("chat.update", channel=OPS, ts=posted["ts"]))["error"] == "message_not_found"


async def test_form_encoded_arguments(slack: Slack) -> None:
    form = {"token": "xoxb-playground", "channel": OPS, "text": "x", "blocks": '[{"type": "divider"}]'}
    async with slack.session.post(f"{slack.api_url}chat.postMessage", data=form) as answer:
        body = await answer.json()
    assert body["ok"]
    assert body["message"]["blocks"][0]["type"] == "divider"
    assert "token" not in (await slack.calls("chat.postMessage"))[0]["args"]


async def test_the_client_shows_the_problems_of_blocks(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as refusal:
        await client.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "header", "text": "x"}])
    messages = refusal.value.response["response_metadata"]["messages"]
    assert messages == ["[ERROR] must provide an object [json-pointer:/blocks/0/text]"]


async def test_threads(client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=OPS, text="parent"))["ts"]
    for number in range(3):
        await client.chat_postMessage(channel=OPS, thread_ts=parent, text=f"reply {number}")
    await client.chat_postMessage(channel=OPS, thread_ts=parent, text="loud", reply_broadcast=True)
    top = (await client.conversations_history(channel=OPS))["messages"]
    assert [row["text"] for row in top] == ["loud", "parent"]
    assert top[0]["subtype"] == "thread_broadcast"
    assert (top[1]["reply_count"], top[1]["reply_users"]) == (4, [BOT])
    page = await client.conversations_replies(channel=OPS, ts=parent, limit=3)
    assert [row["text"] for row in page["messages"]] == ["parent", "reply 0", "reply 1"]
    rest = await client.conversations_replies(
        channel=OPS, ts=parent, limit=3, cursor=page["response_metadata"]["next_cursor"]
    )
    assert [row["text"] for row in rest["messages"]] == ["reply 2", "loud"]
    assert not rest["has_more"]


async def test_paging_through_a_channel(client: AsyncWebClient) -> None:
    posted = [(await client.chat_postMessage(channel=OPS, text=str(number)))["ts"] for number in range(7)]
    assert posted == sorted(set(posted))
    seen: list[str] = []
    async for page in await client.conversations_history(channel=OPS, limit=3):
        seen += [row["ts"] for row in page["messages"]]
    assert seen == posted[::-1]
    window: Json = {"channel": OPS, "oldest": posted[2], "latest": posted[4]}
    between = await client.conversations_history(**window)
    assert [row["ts"] for row in between["messages"]] == [posted[3]]
    inclusive = await client.conversations_history(**window, inclusive=True)
    assert [row["ts"] for row in inclusive["messages"]] == posted[4:1:-1]


async def test_channels(client: AsyncWebClient) -> None:
    names = [row["name"] for row in (await client.conversations_list(limit=2))["channels"]]
    assert names == ["ops", "deploys"]
    mine = await client.users_conversations(types="public_channel,im")
    assert {OPS, DEPLOYS, ADA_DM} <= {row["id"] for row in mine["channels"]}
    assert RANDOM not in {row["id"] for row in mine["channels"]}
    assert (await client.conversations_open(users=ADA))["channel"]["id"] == ADA_DM
    assert BOT in (await client.conversations_members(channel=OPS))["members"]
    await client.conversations_join(channel=RANDOM)
    assert (await client.chat_postMessage(channel=RANDOM, text="hello"))["ok"]
    assert (await client.chat_postMessage(channel=ADA, text="by user id"))["channel"] == ADA_DM


async def test_reactions(client: AsyncWebClient, slack: Slack) -> None:
    ts = (await client.chat_postMessage(channel=OPS, text="x"))["ts"]
    await client.reactions_add(channel=OPS, timestamp=ts, name="eyes")
    await slack.react(ADA, OPS, ts, "eyes")
    assert (await slack.messages(OPS))[0]["reactions"] == [{"name": "eyes", "users": [BOT, ADA], "count": 2}]
    again = await slack.api("reactions.add", channel=OPS, timestamp=ts, name="eyes")
    assert again["error"] == "already_reacted"


async def test_files(client: AsyncWebClient, slack: Slack) -> None:
    ts = (await client.chat_postMessage(channel=OPS, text="x"))["ts"]
    log = "SESSION_LOG\n" * 10
    await client.files_upload_v2(
        content=log,
        filename="session.log",
        title="Log",
        channel=OPS,
        thread_ts=ts,
        initial_comment="All of it",
    )
    reply = (await slack.messages(OPS, ts))[1]
    [file] = reply["files"]
    assert (reply["text"], file["title"], file["size"]) == ("All of it", "Log", len(log))
    async with slack.session.get(file["url_private"]) as answer:
        assert await answer.text() == log
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await client.files_info(file=file["id"]))["file"]["name"] == "session.log"


async def test_a_large_file_as_a_form(slack: Slack) -> None:
    content = b"x" * 6_000_000
    announced = await slack.api("files.getUploadURLExternal", filename="big.bin", length=len(content))
    form = aiohttp.FormData()
    form.add_field("file", content, filename="big.bin")
    async with slack.session.post(announced["upload_url"], data=form) as answer:
        assert await answer.text() == "OK - 6000000"
    async with slack.session.post(announced["upload_url"], data=b"again") as answer:
        assert answer.status == 404
    shared = await slack.api(
        "files.completeUploadExternal", files=[{"id": announced["file_id"]}], channel_id=OPS
    )
    assert shared["files"][0]["size"] == len(content)


async def test_permalink(client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=OPS, text="x"))["ts"]
    link = (await client.chat_getPermalink(channel=OPS, message_ts=ts))["permalink"]
    assert link.endswith(f"/archives/{OPS}/p{ts.replace('.', '')}")
