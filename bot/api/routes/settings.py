"""Routes of the settings of channels."""

from __future__ import annotations

from bot.api.parameters import OfChannel
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.models import SettingsView
from supervisor.contract.requests import SettingsRequest

routes = Routes("Settings")
SHOWN = {200: Returns("The settings as they hold, and where each comes from.", SettingsView)}


@routes("GET", "/v1/channels/{channel}/settings", scope="read", returns=SHOWN, problems={404})
async def show_settings(call: Call, path: OfChannel) -> Answer:
    """Show the settings of a channel."""
    return Answer(await call.settings.get(path.channel))


@routes("PATCH", "/v1/channels/{channel}/settings", scope="admin", returns=SHOWN, problems={404})
async def change_settings(call: Call, path: OfChannel, body: SettingsRequest) -> Answer:
    """Change settings of a channel."""
    return Answer(await call.settings.change(path.channel, body))
