"""Failures on demand, recorded calls, response URLs, the stream, other sites, and a killed process."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from bot.playground.seed import Manifest
from tests.support.slack import ADA, GRACE, OPS, Slack

Json = dict[str, Any]
ROW: list[Json] = [
    {
        "type": "actions",
        "block_id": "row",
        "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
    }
]


async def test_a_fault_before_the_effect(slack: Slack, client: AsyncWebClient) -> None:
    await slack.fault("chat.postMessage", status=429, retry_after=7)
    with pytest.raises(SlackApiError) as limited:
        await client.chat_postMessage(channel=OPS, text="x")
    assert (limited.value.response.status_code, limited.value.response.headers["Retry-After"]) == (429, "7")
    assert await slack.messages(OPS) == []
    assert (await client.chat_postMessage(channel=OPS, text="x"))["ok"], "once only"
    [struck, fine] = await slack.calls("chat.postMessage")
    assert (struck["fault"], struck["ok"], struck["status"]) == (True, False, 429)
    assert (fine["fault"], fine["ok"], fine["args"]["text"]) == (False, True, "x")


async def test_a_fault_after_the_effect(slack: Slack, client: AsyncWebClient) -> None:
    await slack.fault("chat.postMessage", error="internal_error", when="after", match={"channel": OPS})
    with pytest.raises(SlackApiError, match="internal_error"):
        await client.chat_postMessage(channel=OPS, text="posted all the same")
    assert len(await slack.messages(OPS)) == 1
    await slack.fault("*", status=0, when="after")
    with pytest.raises(aiohttp.ClientError):
        await slack.api("chat.postMessage", channel=OPS, text="and this")
    assert len(await slack.messages(OPS)) == 2


async def test_a_late_answer(slack: Slack) -> None:
    await slack.fault("auth.test", delay_s=0.1)
    before = asyncio.get_running_loop().time()
    assert (await slack.api("auth.test"))["ok"]
    assert asyncio.get_running_loop().time() - before >= 0.1
    await slack.fault("auth.test", error="fatal_error", times=9)
    await slack.no_faults()
    assert (await slack.api("auth.test"))["ok"]


async def clicked_url(slack: Slack, ts: str, **more: Any) -> str:
    """The response URL of a click, taken from what the app would get."""
    url = (await slack.api("apps.connections.open", token="xapp-playground"))["url"]
    async with slack.session.ws_connect(url) as socket:
        await socket.receive_json(timeout=60)
        click = asyncio.create_task(slack.click(GRACE, OPS, ts, "go", **more))
        envelope = await socket.receive_json(timeout=60)
        await socket.send_json({"envelope_id": envelope["envelope_id"]})
        assert (await click)["ok"]
    return str(envelope["payload"]["response_url"])


async def respond(slack: Slack, url: str, **body: Any) -> tuple[int, str]:
    async with slack.session.post(url, json=body) as answer:
        return answer.status, await answer.text()


async def post(slack: Slack) -> str:
    # No events in between: the socket of the test is for the click alone.
    slack.playground.workspace.manifest = Manifest(events=frozenset())
    posted = await slack.api("chat.postMessage", channel=OPS, text="x", blocks=ROW)
    return str(posted["ts"])


async def test_a_response_url_is_good_for_five_answers(slack: Slack) -> None:
    ts = await post(slack)
    url = await clicked_url(slack, ts)
    assert await respond(slack, url, text="only you", replace_original=False) == (200, "ok")
    whispered = await slack.message(OPS, lambda row: row.get("ephemeral"), user=GRACE)
    assert whispered["text"] == "only you"
    await respond(slack, url, text="all", replace_original=False, response_type="in_channel")
    await respond(slack, url, text="instead", replace_original=True)
    [parent, said] = await slack.messages(OPS)
    assert (parent["ts"], parent["text"], said["text"]) == (ts, "instead", "all")
    assert "blocks" not in parent
    assert (await respond(slack, url, text="x", blocks=[{"type": "nope"}]))[0] == 400
    await respond(slack, url, delete_original=True)
    assert [row["text"] for row in await slack.messages(OPS)] == ["all"]
    await respond(slack, url, text="fifth", replace_original=False)
    status, body = await respond(slack, url, text="sixth", replace_original=False)
    assert (status, json.loads(body)["error"]) == (404, "used_url")


@pytest.mark.parametrize("place", ["parent", "reply"])
async def test_a_response_in_a_thread_appears_in_the_channel(slack: Slack, place: str) -> None:
    ts = await post(slack)
    reply = await slack.api("chat.postMessage", channel=OPS, text="y", blocks=ROW, thread_ts=ts)
    url = await clicked_url(slack, ts if place == "parent" else str(reply["ts"]))
    await respond(slack, url, text="here", replace_original=False)
    await respond(slack, url, text="there", replace_original=False, thread_ts=ts)
    here = await slack.message(OPS, lambda row: row.get("ephemeral"), user=GRACE)
    there = await slack.message(OPS, lambda row: row.get("ephemeral"), ts, user=GRACE)
    assert (here["text"], there["text"]) == ("here", "there")


async def test_a_response_url_grows_old(slack: Slack) -> None:
    slack.playground.responses.seconds = 0.0
    status, body = await respond(slack, await clicked_url(slack, await post(slack)), text="late")
    assert (status, json.loads(body)["error"]) == (404, "expired_url")


async def test_an_ephemeral_with_a_button_is_replaced(slack: Slack) -> None:
    slack.playground.workspace.manifest = Manifest(events=frozenset())
    posted = await slack.api("chat.postEphemeral", channel=OPS, user=GRACE, text="sure?", blocks=ROW)
    url = await clicked_url(slack, posted["message_ts"], ephemeral=True)
    await respond(slack, url, text="done")
    assert [row["text"] for row in await slack.messages(OPS, user=GRACE)] == ["done"]
    update = await slack.api("chat.update", channel=OPS, ts=posted["message_ts"], text="x")
    assert update["error"] == "message_not_found"


async def read_events(slack: Slack, last_id: str = "", *, until: str = "") -> list[tuple[str, Json]]:
    """News for Grace, up to the first message with that text."""
    found: list[tuple[str, Json]] = []
    url = f"{slack.url}/playground/stream?user={GRACE}"
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with asyncio.timeout(60), slack.session.get(url, headers=headers) as answer:
        kind = news_id = ""
        async for raw in answer.content:
            name, _, value = raw.decode().strip().partition(": ")
            kind, news_id = (value if name == "event" else kind), (value if name == "id" else news_id)
            if name == "data":
                body = json.loads(value)
                found.append((kind, {**body, "id": news_id}))
                if kind == "reset" or (body.get("message") or {}).get("text") == until:
                    break
    return found


async def test_the_stream_tells_each_person_what_concerns_them(slack: Slack) -> None:
    reading = asyncio.create_task(read_events(slack, until="last"))
    await asyncio.sleep(0.05)
    await slack.post(ADA, "D0ADA0001", "private")
    await slack.api("chat.postEphemeral", channel=OPS, user=ADA, text="for Ada")
    await slack.api("chat.postEphemeral", channel=OPS, user=GRACE, text="for Grace")
    parent = await slack.post(ADA, OPS, "parent")
    await slack.api(
        "assistant.threads.setStatus", channel_id=OPS, thread_ts=parent["ts"], status="is thinking…"
    )
    await slack.api("chat.postMessage", channel=OPS, thread_ts=parent["ts"], text="reply")
    await slack.post(ADA, OPS, "last")
    news = await reading
    told = [(kind, (body.get("message") or {}).get("text") or body.get("status")) for kind, body in news]
    assert told == [
        ("ephemeral", "for Grace"),
        ("message", "parent"),
        ("status", "is thinking…"),
        ("message", "reply"),
        ("message", "parent"),
        ("status", ""),
        ("message", "last"),
    ]
    assert news[4][1]["message"]["reply_count"] == 1
    again = await read_events(slack, news[3][1]["id"], until="last")
    assert [kind for kind, _ in again] == ["message", "status", "message"]
    assert (await read_events(slack, "other-7"))[0][0] == "reset"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "host", "fetch-site"],
)
async def test_other_sites_are_kept_out(slack: Slack, headers: dict[str, str]) -> None:
    body = {"user": ADA, "channel": OPS, "text": "x"}
    async with slack.session.post(f"{slack.url}/playground/post", json=body, headers=headers) as answer:
        assert answer.status == 403
    async with slack.session.get(f"{slack.url}/playground/state", headers=headers) as answer:
        assert answer.status == 403
    form = {"token": "xoxb-playground", "channel": OPS, "text": "forged"}
    async with slack.session.post(f"{slack.api_url}chat.postMessage", data=form, headers=headers) as answer:
        assert answer.status == 403
    async with slack.session.get(f"{slack.url}/", headers=headers) as answer:
        assert answer.status != 403 or "Sec-Fetch-Site" not in headers, "links lead here"
    own = {"Origin": slack.url}
    async with slack.session.post(f"{slack.url}/playground/post", json=body, headers=own) as answer:
        assert answer.status == 200


async def test_the_page_cannot_leave_its_folder(slack: Slack) -> None:
    for path in (
        "/playground/static/..%2Fapp.py",
        "/playground/static/%2Fetc%2Fpasswd",
        "/playground/static/x",
    ):
        async with slack.session.get(URL(slack.url + path, encoded=True)) as answer:
            assert answer.status == 404


async def test_state(slack: Slack) -> None:
    state = await slack.get("state", user=ADA)
    assert (state["me"]["name"], state["connected"], state["mode"]) == ("ada", False, "none")
    assert [row["name"] for row in state["channels"]] == ["ops", "deploys", "random", "on-call", "Flagman"]
    assert state["commands"][0]["command"] == "/agent"
    assert {row["name"] for row in state["users"]} == {"ada", "grace", "linus", "margaret", "ken", "flagman"}
    nobody = await slack.get("state", user="U0NOBODY")
    assert (nobody["http"], nobody["error"]) == (404, "user_not_found")


async def test_people_only_see_and_delete_their_own(slack: Slack) -> None:
    asked = await slack.send("post", {"user": GRACE, "channel": "D0ADA0001", "text": "x"})
    assert asked["error"] == "channel_not_found"
    message = await slack.post(ADA, OPS, "x")
    where = {"channel": OPS, "ts": message["ts"]}
    assert (await slack.send("delete", {"user": GRACE, **where}))["error"] == "cant_delete_message"
    assert (await slack.send("delete", {"user": ADA, **where}))["ok"]


SERVE = """
import asyncio, pathlib, sys
from tests.support.slack import ALL_SCOPES, Slack

async def main():
    async with Slack(pathlib.Path(sys.argv[1]), manifest=ALL_SCOPES) as slack:
        print(slack.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.crash
async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    client = AsyncWebClient(token="xoxb-playground", base_url=f"{url}/api/")
    ts = [
        (await client.chat_postMessage(channel=OPS, text=str(number), blocks=ROW))["ts"]
        for number in range(8)
    ]
    await client.reactions_add(channel=OPS, timestamp=ts[0], name="eyes")
    await client.views_publish(user_id=ADA, view={"type": "home", "blocks": []})
    await client.conversations_join(channel="C0RANDOM1")
    await client.files_upload_v2(content="kept", filename="a.txt", channel=OPS)
    process.send_signal(signal.SIGKILL)
    await process.wait()

    async with Slack(tmp_path) as slack:
        messages = await slack.messages(OPS)
        assert [row["ts"] for row in messages[:8]] == ts
        assert messages[0]["reactions"][0]["name"] == "eyes"
        assert messages[0]["blocks"] == ROW
        assert (await slack.home(ADA))["view"]["type"] == "home"
        file_url = f"{slack.url}/playground/files/{messages[8]['files'][0]['id']}"
        async with slack.session.get(file_url) as answer:
            assert await answer.text() == "kept"
        later = await slack.api("chat.postMessage", channel="C0RANDOM1", text="still a member")
        assert later["ts"] > messages[-1]["ts"]
        old = await slack.click(ADA, OPS, ts[0], "go")
        assert old["error"] == "dispatch_failed", "an old button can still be pressed"
