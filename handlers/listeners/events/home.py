"""Updates the home tab when a person opens it."""

from __future__ import annotations

from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.messages.home import home
from handlers.users import actor_of


async def opened(flagman: ListenerContext, event: dict[str, Any], client: AsyncWebClient) -> None:
    sessions = flagman.sessions(actor_of({"event": event}))
    waiting, running = await sessions.recent("paused"), await sessions.recent("running")
    cards = await flagman.cards([*waiting, *running])
    view = home(waiting, running, flagman.mask, flagman.command, cards)
    await client.views_publish(user_id=str(event["user"]), view=view)
