"""The buttons by which a person connects a server, and removes what is connected."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands.connections import removed
from handlers.messages.requests.connection import link
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.connections import ConnectionService


async def begin(
    flagman: ListenerContext,
    ack: AsyncAck,
    body: dict[str, Any],
    respond: AsyncRespond,
    client: AsyncWebClient,
) -> None:
    """Give the person who clicked a link of their own; nobody else sees it, and it connects nobody else."""
    service = ConnectionService(flagman.services, actor_of(body))
    text, blocks = link(await service.connect(str(body["actions"][0].get("value") or "")))
    await ack()
    await answer_privately(body, client, text, blocks, respond)


async def opened(flagman: ListenerContext, ack: AsyncAck) -> None:
    """Slack opens the address of the button."""
    await ack()


async def remove(
    flagman: ListenerContext,
    ack: AsyncAck,
    body: dict[str, Any],
    respond: AsyncRespond,
    client: AsyncWebClient,
) -> None:
    """Remove the connection of the person who clicked."""
    service = ConnectionService(flagman.services, actor_of(body))
    text = removed(await service.remove(str(body["actions"][0].get("value") or "")))
    await ack()
    await answer_privately(body, client, text, (mrkdwn(text),), respond)
