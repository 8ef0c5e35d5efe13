"""The button on the home tab that opens the form for notifications."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.modals.notifications import notifications_modal
from handlers.users import actor_of
from supervisor.contract.notifications import NotificationService


async def open_form(
    flagman: ListenerContext, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient
) -> None:
    """Open the form, with what the person chose filled in."""
    actor = actor_of(body)
    chosen = await NotificationService(flagman.services, actor).get()
    view = notifications_modal(chosen, await flagman.people.zone(actor))
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()
