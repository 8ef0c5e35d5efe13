"""Opens the form that launches an agent, where no channel is known."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.modals.launch import launch_modal
from handlers.origin import Place


async def open_launch(
    flagman: ListenerContext, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient
) -> None:
    view = launch_modal(flagman.supervisor.personas.all(), Place(""))
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()
