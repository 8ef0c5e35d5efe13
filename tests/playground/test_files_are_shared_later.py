"""A file is shared after Slack has said ok."""

from slack_sdk.web.async_client import AsyncWebClient

from tests.playground.listening import accept, listening
from tests.support.slack import ADA, ADA_DM, BOT, OPS, Json, Slack, wait_for


async def upload(client: AsyncWebClient, channel: str, thread_ts: str | None = None) -> Json:
    """The answer's file."""
    answer = await client.files_upload_v2(
        content="hello", filename="a.txt", channel=channel, thread_ts=thread_ts
    )
    file: Json = answer["files"][0]
    return file


async def info(client: AsyncWebClient, file: Json) -> Json:
    found: Json = (await client.files_info(file=file["id"]))["file"]
    return found


async def test_the_message_comes_after_the_answer(client: AsyncWebClient, slack: Slack) -> None:
    root = (await client.chat_postMessage(channel=OPS, text="root"))["ts"]
    await slack.settings(file_share_delay_s=600)
    file = await upload(client, OPS, root)
    assert file["shares"] == {}
    assert (await info(client, file))["shares"] == {}
    assert len(await slack.messages(OPS, root)) == 1
    async with listening(slack, accept) as arrived:
        assert await slack.share_files() == 1
        await wait_for(lambda: [body for _, body in arrived if file["id"] in body])
    message = (await slack.messages(OPS, root))[1]
    assert message["files"][0]["id"] == file["id"]
    assert await slack.share_files() == 0
    shared = await info(client, file)
    assert shared["channels"] == [OPS]
    [share] = shared["shares"]["public"][OPS]
    assert (share["ts"], share["thread_ts"]) == (message["ts"], root)


async def test_shares_say_the_kind_of_the_place(client: AsyncWebClient, slack: Slack) -> None:
    private = await slack.channel("private", name="secret", members=[ADA, BOT])
    file = await info(client, await upload(client, private))
    assert (file["groups"], file["channels"], list(file["shares"])) == ([private], [], ["private"])
    file = await info(client, await upload(client, ADA_DM))
    assert (file["ims"], list(file["shares"]["private"])) == ([ADA_DM], [ADA_DM])


async def test_it_comes_by_itself(client: AsyncWebClient, slack: Slack) -> None:
    await slack.settings(file_share_delay_s=0.1)
    file = await upload(client, OPS)
    assert (await slack.message(OPS, lambda row: row.get("files")))["files"][0]["id"] == file["id"]
    assert await slack.share_files() == 0


async def test_a_channel_that_is_closed_meanwhile_gets_no_file(client: AsyncWebClient, slack: Slack) -> None:
    await slack.settings(file_share_delay_s=600)
    kept, lost = await upload(client, ADA_DM), await upload(client, OPS)
    await slack.channel(id=OPS, is_archived=True)
    assert await slack.share_files() == 2
    assert (await info(client, kept))["shares"]
    assert (await info(client, lost))["shares"] == {}


async def test_a_file_whose_thread_is_gone_stands_at_the_top(client: AsyncWebClient, slack: Slack) -> None:
    await slack.settings(file_share_delay_s=600)
    root = (await client.chat_postMessage(channel=OPS, text="root"))["ts"]
    file = await upload(client, OPS, root)
    await client.chat_delete(channel=OPS, ts=root)
    await slack.share_files()
    [share] = (await info(client, file))["shares"]["public"][OPS]
    assert "thread_ts" not in share
    assert [row["ts"] for row in await slack.messages(OPS)] == [share["ts"]]


async def test_a_deleted_file_takes_its_message_along(client: AsyncWebClient, slack: Slack) -> None:
    alone = await client.files_upload_v2(channel=OPS, filename="a.txt", content="a")
    told = await client.files_upload_v2(channel=OPS, filename="b.txt", content="b", initial_comment="see")
    for answer in (alone, told):
        assert (await client.files_delete(file=answer["files"][0]["id"]))["ok"]
    [left] = [row for row in await slack.messages(OPS) if row.get("files")]
    assert (left["text"], left["files"][0]["mode"]) == ("see", "tombstone")
    assert (await slack.api("files.delete", file=told["files"][0]["id"]))["error"] == "file_not_found"
