"""The floor of what Slack takes: Bolt apps that keep nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.processes import slack as bolt
from bot.processes import slack_requests
from bot.processes.web import listen
from bot.settings import Settings
from tests.support.slack import SIGNING_SECRET

APPROVE = "call_approve"
TEXT = [{"type": "section", "text": {"type": "mrkdwn", "text": "Restart the shop?"}}]
BUTTON = {
    "type": "button",
    "text": {"type": "plain_text", "text": "Approve"},
    "action_id": APPROVE,
    "value": "1.1",
}


def acknowledge(app: AsyncApp, client: AsyncWebClient) -> None:
    """Acknowledge each click."""

    @app.action(APPROVE)
    async def approve(ack: AsyncAck) -> None:
        await ack()


def post(app: AsyncApp, client: AsyncWebClient) -> None:
    """Post what a session posts: a card and a request at the command, and the end at the click."""

    @app.command("/agent")
    async def launch(ack: AsyncAck, command: dict[str, Any]) -> None:
        await ack()
        where = {"channel": command["channel_id"], "text": "Restart"}
        card = await client.chat_postMessage(**where, blocks=TEXT)
        buttons = {"type": "actions", "block_id": "act", "elements": [BUTTON]}
        await client.chat_postMessage(**where, thread_ts=card["ts"], blocks=[*TEXT, buttons])

    @app.action(APPROVE)
    async def approve(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        thread_ts = body["message"]["thread_ts"]
        await client.chat_postMessage(
            channel=body["channel"]["id"], thread_ts=thread_ts, text="Done", blocks=TEXT
        )


BARE: dict[str, Callable[[AsyncApp, AsyncWebClient], None]] = {"bare": acknowledge, "posting": post}


async def bare(
    config: Settings, stack: AsyncExitStack, listen_to: Callable[[AsyncApp, AsyncWebClient], None]
) -> None:
    """Serve a Bolt app that does no more than `listen_to` has it do."""
    client, sending = await stack.enter_async_context(bolt.clients(config))
    app = AsyncApp(client=client, signing_secret=SIGNING_SECRET, process_before_response=True)
    listen_to(app, sending)
    if config.slack_app_token:
        await stack.enter_async_context(bolt.socket_mode(app, config, client))
        return
    served = web.Application()
    slack_requests.mount(served, app, config.slack_signing_secret, config.slack_api_url)
    await stack.enter_async_context(listen(served, config))
