"""The global shortcut and the home tab arrive here."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action
from handlers.context import ListenerContext
from handlers.messages.home import home
from handlers.modals.full_call import launch_form
from handlers.origin import Place


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Listen to the shortcut `launch_agent`, the home tab and its button."""

    @app.shortcut("launch_agent")
    @app.action(Action.LAUNCH_FORM)
    async def form(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        view = launch_form(flagman.supervisor.personas.all(), Place(""))
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
        waiting = await flagman.supervisor.recent("paused")
        running = await flagman.supervisor.recent("running")
        view = home(waiting, running, flagman.mask, flagman.command)
        await client.views_publish(user_id=str(event["user"]), view=view)
