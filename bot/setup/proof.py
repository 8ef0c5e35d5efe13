"""Proves that clicks and events arrive: a message with a button, to which a person answers within a time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import Settings
from bot.store_check import Finding
from handlers.users import code_of

ACTION = "setup_proof"
_MISSING = {
    "click": (
        "Clicks",
        "no click on the button arrived",
        "switch on Interactivity under Interactivity & Shortcuts",
    ),
    "message": (
        "Events",
        "no message arrived",
        "switch on Event Subscriptions, and subscribe the bot to the events of docs/slack-app.yaml",
    ),
    "command": (
        "Slash command",
        "no slash command arrived",
        "add it under Slash Commands, with “Escape channels, users, and links” on",
    ),
}
_FOUND = {
    "click": "the click on the button arrived",
    "message": "the message arrived",
    "command": "the slash command arrived",
}
_HERE = "; if another Flagman runs with these tokens, stop it meanwhile, since Slack shares out what it sends"


async def prove(
    settings: Settings, place: str, seconds: float, tell: Callable[[str], None]
) -> AsyncIterator[Finding]:
    """Post a message to a channel or a person, and yield what arrives of the three, as it does.

    `tell` is told what the person is to do. Socket Mode is used, so the settings have both tokens.
    """
    assert settings.slack_bot_token
    assert settings.slack_app_token
    token, app_token = (
        settings.slack_bot_token.get_secret_value(),
        settings.slack_app_token.get_secret_value(),
    )
    client = AsyncWebClient(token=token, base_url=settings.slack_api_url)
    web = AsyncWebClient(token=app_token, base_url=settings.slack_api_url)
    arrived: asyncio.Queue[str] = asyncio.Queue()
    mark = secrets.token_hex(4)
    socket = SocketModeClient(app_token=app_token, web_client=web)

    async def receive(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        await socket.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        if kind := _kind(request, mark, settings.command):
            arrived.put_nowait(kind)

    socket.socket_mode_request_listeners.append(receive)
    try:
        await socket.connect()  # type: ignore[no-untyped-call]
        posted = await _post(client, place, mark, settings.command)
        if isinstance(posted, Finding):
            yield posted
            return
        channel, ts = posted
        yield Finding("Message", "ok", f"posted to {place}")
        tell(
            f"In Slack, press the button of the new message, answer to it in its thread, and type {settings.command} "
            f"(within {seconds:g} s)."
        )
        missing = dict.fromkeys(_MISSING)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while missing:
                    kind = await arrived.get()
                    if kind in missing:
                        del missing[kind]
                        yield Finding(_MISSING[kind][0], "ok", _FOUND[kind])
        for kind in missing:
            what, said, mend = _MISSING[kind]
            yield Finding(what, "wrong", f"{said} within {seconds:g} s", mend + _HERE)
        said = (
            "Flagman's setup got all that it needs."
            if not missing
            else "Flagman's setup did not get all of it."
        )
        with contextlib.suppress(SlackApiError, aiohttp.ClientError, TimeoutError):
            await client.chat_update(channel=channel, ts=ts, text=said, blocks=[])
    except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
        yield Finding(
            "Socket Mode", "wrong", f"no connection ({code_of(error) or error!r})", "check the network"
        )
    finally:
        await socket.close()  # type: ignore[no-untyped-call]


async def _post(client: AsyncWebClient, place: str, mark: str, command: str) -> tuple[str, str] | Finding:
    """Where the message stands, or why Slack does not take it."""
    text = f"Flagman is being set up. Press the button, answer in this thread, and type `{command}`."
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": ACTION,
                    "value": mark,
                    "text": {"type": "plain_text", "text": "It arrives"},
                }
            ],
        },
    ]
    try:
        channel = place
        if place[:1] in ("U", "W"):
            opened: Any = await client.conversations_open(users=place)
            channel = str(opened["channel"]["id"])
        answer: Any = await client.chat_postMessage(channel=channel, text=text, blocks=blocks)
    except SlackApiError as error:
        mend = "name a channel in which the bot is (/invite @Flagman), or the id of a person"
        return Finding("Message", "wrong", f"Slack does not take it in {place} ({code_of(error)})", mend)
    return str(answer["channel"]), str(answer["ts"])


def _kind(request: SocketModeRequest, mark: str, command: str) -> str:
    """Which of the three a request is; empty for others."""
    payload = request.payload
    if request.type == "interactive":
        values = [action.get("value") for action in payload.get("actions") or ()]
        return "click" if mark in values else ""
    if request.type == "slash_commands":
        return "command" if payload.get("command") == command else ""
    event = payload.get("event") or {}
    written = (
        event.get("type") in ("message", "app_mention") and event.get("user") and not event.get("bot_id")
    )
    return "message" if request.type == "events_api" and written else ""
