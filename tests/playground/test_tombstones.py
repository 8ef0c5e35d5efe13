"""What is left of a deleted message that has replies, and where a reply to a deleted message goes."""

import json

from slack_sdk.web.async_client import AsyncWebClient

from tests.playground.listening import accept, listening
from tests.playground.test_kinds_of_channels import refused
from tests.support.slack import ADA, OPS, Json, Slack, wait_for


async def thread(client: AsyncWebClient) -> tuple[str, str]:
    """A message and its one reply, by time."""
    root = (await client.chat_postMessage(channel=OPS, text="root"))["ts"]
    reply = (await client.chat_postMessage(channel=OPS, text="reply", thread_ts=root))["ts"]
    return root, reply


async def test_a_root_with_replies_leaves_a_tombstone(client: AsyncWebClient, slack: Slack) -> None:
    root, reply = await thread(client)
    async with listening(slack, accept) as arrived:
        await client.chat_delete(channel=OPS, ts=root)
        await wait_for(lambda: arrived)
    event: Json = json.loads(arrived[0][1])["event"]
    assert (event["subtype"], event["message"]["subtype"]) == ("message_changed", "tombstone")
    before = event["previous_message"]
    assert (before["text"], before["thread_ts"], before["reply_count"]) == ("root", root, 1)
    stone = (await client.conversations_history(channel=OPS))["messages"][0]
    assert (stone["ts"], stone["thread_ts"], stone["reply_count"]) == (root, root, 1)
    assert (stone["user"], stone["text"]) == ("USLACKBOT", "This message was deleted.")
    assert (stone["hidden"], "bot_id" in stone) == (True, False)
    assert stone == event["message"]
    replies = (await client.conversations_replies(channel=OPS, ts=root))["messages"]
    assert [row["ts"] for row in replies] == [root, reply]


async def test_a_thread_goes_on_below_its_tombstone(client: AsyncWebClient) -> None:
    root, _ = await thread(client)
    await client.chat_delete(channel=OPS, ts=root)
    more = await client.chat_postMessage(channel=OPS, text="more", thread_ts=root)
    assert more["message"]["thread_ts"] == root
    replies = (await client.conversations_replies(channel=OPS, ts=root))["messages"]
    assert [row["text"] for row in replies[1:]] == ["reply", "more"]


async def test_a_tombstone_is_nobodys_message(client: AsyncWebClient) -> None:
    root, _ = await thread(client)
    await client.chat_delete(channel=OPS, ts=root)
    for method, args in (
        ("chat.update", {"ts": root, "text": "x"}),
        ("chat.delete", {"ts": root}),
        ("reactions.add", {"timestamp": root, "name": "eyes"}),
    ):
        assert await refused(client, method, channel=OPS, **args) == "message_not_found", method


async def test_a_tombstone_goes_with_the_last_reply(client: AsyncWebClient, slack: Slack) -> None:
    root, reply = await thread(client)
    await client.chat_delete(channel=OPS, ts=root)
    async with listening(slack, accept) as arrived:
        await client.chat_delete(channel=OPS, ts=reply)
        await wait_for(lambda: len(arrived) == 2)
    events = {row["deleted_ts"]: row for row in (json.loads(body)["event"] for _, body in arrived)}
    assert {row["subtype"] for row in events.values()} == {"message_deleted"}
    assert events[root]["previous_message"]["subtype"] == "tombstone"
    assert events[root]["previous_message"]["reply_count"] == 0
    assert (await client.conversations_history(channel=OPS))["messages"] == []


async def test_a_message_without_replies_leaves_nothing(client: AsyncWebClient, slack: Slack) -> None:
    asked = await slack.post(ADA, OPS, "@flagman hello")
    async with listening(slack, accept) as arrived:
        await slack.send("delete", {"user": ADA, "channel": OPS, "ts": asked["ts"]})
        await wait_for(lambda: arrived)
    assert json.loads(arrived[0][1])["event"]["subtype"] == "message_deleted"
    assert (await client.conversations_history(channel=OPS))["messages"] == []


async def test_a_reply_to_nothing_stands_at_the_top_of_the_channel(
    client: AsyncWebClient, slack: Slack
) -> None:
    root = (await client.chat_postMessage(channel=OPS, text="root"))["ts"]
    await client.chat_delete(channel=OPS, ts=root)
    answer = await client.chat_postMessage(channel=OPS, text="reply", thread_ts=root)
    assert (answer["ok"], "thread_ts" in answer["message"]) == (True, False)
    top = (await client.conversations_history(channel=OPS))["messages"]
    assert [row["text"] for row in top] == ["reply"]
    await slack.settings(missing_root="refuse")
    assert (
        await refused(client, "chat.postMessage", channel=OPS, text="x", thread_ts=root)
    ) == "thread_not_found"
