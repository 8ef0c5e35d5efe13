"""The form for notifications."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.listeners.events.home import home_view
from handlers.middleware import plain_text_of
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.notifications import NotificationService, NotificationsRequest
from supervisor.core.errors import InvalidInput


async def save(
    flagman: ListenerContext,
    ack: AsyncAck,
    body: dict[str, Any],
    view: dict[str, Any],
    client: AsyncWebClient,
) -> None:
    """Store what the person chose, and show it on their home tab; hours that cannot be read stay in the form."""
    actor = actor_of(body)
    try:
        request = NotificationsRequest.of(way=value_of(view, "way"), quiet=value_of(view, "quiet") or "off")
        await NotificationService(flagman.services, actor).change(request)
    except InvalidInput as error:
        await ack(
            response_action="errors", errors={"quiet": plain_text_of(error, flagman.command, flagman.mask)}
        )
        return
    await ack()
    await client.views_publish(user_id=str(body["user"]["id"]), view=await home_view(flagman, actor))
