"""Signatures, retries, time limits, and several websockets at once."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from tests.playground.listening import accept, listening
from tests.support.slack import ADA, APP_TOKEN, BOT, OPS, SIGNING_SECRET, Slack, wait_for

Json = dict[str, Any]


async def test_everything_is_signed(slack: Slack) -> None:
    async with listening(slack, accept) as arrived:
        await slack.command(ADA, OPS, "a & b")
        await slack.post(ADA, OPS, "hello")
        await wait_for(lambda: len(arrived) == 2)
    for headers, body in arrived:
        assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, headers)
        assert not SignatureVerifier("other").is_valid_request(body, headers)
    command = parse_qs(arrived[0][1])
    assert (command["text"], command["user_id"]) == (["a &amp; b"], [ADA])
    event = json.loads(arrived[1][1])
    assert event["type"] == "event_callback"
    assert event["event"]["channel_type"] == "channel"
    assert event["authorizations"][0]["user_id"] == BOT


async def test_events_are_repeated_until_acknowledged(slack: Slack) -> None:
    async def third_time(count: int) -> web.Response:
        return web.Response(status=200 if count == 3 else 500)

    async with listening(slack, third_time) as arrived:
        await slack.post(ADA, OPS, "hello")
        await wait_for(lambda: len(arrived) == 3)
        await asyncio.sleep(0.2)
    assert [headers.get("X-Slack-Retry-Num") for headers, _ in arrived] == [None, "1", "2"]
    assert arrived[1][0]["X-Slack-Retry-Reason"] == "http_error"
    assert len({json.loads(body)["event_id"] for _, body in arrived}) == 1


async def test_events_are_given_up_after_three_retries(slack: Slack) -> None:
    async def never(_: int) -> web.Response:
        return web.Response(status=503)

    async with listening(slack, never) as arrived:
        await slack.post(ADA, OPS, "hello")
        await wait_for(lambda: len(arrived) == 4)
        await asyncio.sleep(0.2)
        assert len(arrived) == 4


async def test_the_app_may_ask_for_no_retry(slack: Slack) -> None:
    async def no_more(_: int) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    async with listening(slack, no_more) as arrived:
        await slack.post(ADA, OPS, "hello")
        await asyncio.sleep(0.2)
        assert len(arrived) == 1


async def test_a_command_that_is_not_acknowledged_in_time() -> None:
    async def slow(_: int) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    async with Slack(ack_seconds=0.1) as slack, listening(slack, slow):
        answer = await slack.command(ADA, OPS, "list")
    assert (answer["ok"], answer["error"]) == (False, "operation_timeout")


async def test_nobody_connected(slack: Slack) -> None:
    answer = await slack.command(ADA, OPS, "list")
    assert (answer["error"], answer["message"]) == (
        "dispatch_failed",
        "/agent failed: Flagman is not connected.",
    )


async def test_commands_are_checked_before_they_are_sent(slack: Slack) -> None:
    assert (await slack.command(ADA, OPS, "", command="/other"))["error"] == "invalid_command"
    body = {"user": ADA, "channel": OPS, "command": "/agent", "text": "", "thread_ts": "1.2"}
    assert (await slack.send("command", body))["message"] == "/agent is not supported in threads. Sorry!"


async def opened(slack: Slack) -> aiohttp.ClientWebSocketResponse:
    url = (await slack.api("apps.connections.open", token=APP_TOKEN))["url"]
    socket = await slack.session.ws_connect(url)
    assert (await socket.receive_json(timeout=60))["type"] == "hello"
    return socket


async def test_a_ticket_opens_one_websocket(slack: Slack) -> None:
    url = (await slack.api("apps.connections.open", token=APP_TOKEN))["url"]
    async with slack.session.ws_connect(url) as socket:
        hello = await socket.receive_json(timeout=60)
        assert hello["num_connections"] == 1
        assert hello["connection_info"]["app_id"].startswith("A")
        async with slack.session.get(url.replace("ws", "http", 1)) as again:
            assert again.status == 403


async def test_each_payload_goes_to_one_websocket(slack: Slack) -> None:
    sockets = [await opened(slack) for _ in range(2)]
    for text in ("one", "two"):
        await slack.post(ADA, OPS, text)
    envelopes = [await socket.receive_json(timeout=60) for socket in sockets]
    assert {envelope["payload"]["event"]["text"] for envelope in envelopes} == {"one", "two"}
    assert all(envelope["type"] == "events_api" and envelope["retry_attempt"] == 0 for envelope in envelopes)
    for socket, envelope in zip(sockets, envelopes, strict=True):
        await socket.send_json({"envelope_id": envelope["envelope_id"]})


async def test_an_event_without_acknowledgement_comes_again() -> None:
    async with Slack(ack_seconds=0.1) as slack:
        socket = await opened(slack)
        await slack.post(ADA, OPS, "hello")
        first = await socket.receive_json(timeout=60)
        second = await socket.receive_json(timeout=60)
        assert second["envelope_id"] != first["envelope_id"]
        assert (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")
        assert second["payload"]["event_id"] == first["payload"]["event_id"]
        await socket.send_json({"envelope_id": second["envelope_id"]})


async def test_an_event_survives_a_lost_websocket(slack: Slack) -> None:
    first = await opened(slack)
    await slack.post(ADA, OPS, "hello")
    event = await first.receive_json(timeout=60)
    await first.close()
    second = await opened(slack)
    again = await second.receive_json(timeout=60)
    assert again["payload"]["event_id"] == event["payload"]["event_id"]
    await second.send_json({"envelope_id": again["envelope_id"]})
    assert (await slack.disconnect("warning"))["connections"] == 1
    assert (await second.receive_json(timeout=60))["type"] == "disconnect"


async def test_answers_come_back_over_the_websocket(slack: Slack) -> None:
    socket = await opened(slack)
    command = asyncio.create_task(slack.command(ADA, OPS, "list"))
    envelope = await socket.receive_json(timeout=60)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    payload = {"text": "none", "response_type": "in_channel"}
    await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": payload})
    assert (await command)["response"] == payload
    assert (await slack.messages(OPS))[0]["text"] == "none"


async def test_events_of_what_people_and_the_bot_do(slack: Slack) -> None:
    async with listening(slack, accept) as arrived:

        def kinds() -> list[str]:
            events = [json.loads(body)["event"] for _, body in arrived]
            return sorted(
                event["type"] + (f".{event['subtype']}" if "subtype" in event else "") for event in events
            )

        posted = await slack.api("chat.postMessage", channel=OPS, text="x")
        await slack.api("chat.update", channel=OPS, ts=posted["ts"], text="y")
        await slack.react(ADA, OPS, posted["ts"], "eyes")
        await slack.post(ADA, OPS, "@flagman hello")
        await slack.post(ADA, "C0RANDOM1", "@flagman is not in here")
        await slack.home(ADA)
        await slack.send("join", {"user": ADA, "channel": "C0RANDOM1", "member": BOT})
        await slack.api("chat.delete", channel=OPS, ts=posted["ts"])
        await wait_for(lambda: len(arrived) >= 8)
        assert kinds() == [
            "app_home_opened",
            "app_mention",
            "member_joined_channel",
            "message",
            "message",
            "message.message_changed",
            "message.message_deleted",
            "reaction_added",
        ]


async def test_the_same_event_once_more(slack: Slack) -> None:
    async with listening(slack, accept) as arrived:
        await slack.post(ADA, OPS, "hello")
        await wait_for(lambda: len(arrived) == 1)
        assert (await slack.redeliver())["ok"]
        assert arrived[0][1] == arrived[1][1]
        forged: Json = {"type": "block_actions", "user": {"id": "U0NOBODY"}, "actions": []}
        assert (await slack.send("deliver", {"type": "interactive", "payload": forged}))["ok"]
        assert json.loads(parse_qs(arrived[2][1])["payload"][0]) == forged
