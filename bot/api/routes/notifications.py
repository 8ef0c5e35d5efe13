"""Routes of notifications: how a person is told of what waits for them."""

from __future__ import annotations

from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.notifications import NotificationsRequest, NotificationsView

routes = Routes("Notifications")
SHOWN = {200: Returns("What the owner of the key chose.", NotificationsView)}


@routes("GET", "/v1/notifications", scope="read", returns=SHOWN)
async def show_notifications(call: Call) -> Answer:
    """Show how the owner of the key is told of what waits for them."""
    return Answer(await call.notifications.get())


@routes("PATCH", "/v1/notifications", scope="approve", returns=SHOWN)
async def change_notifications(call: Call, body: NotificationsRequest) -> Answer:
    """Choose how the owner of the key is told, and their quiet hours."""
    return Answer(await call.notifications.change(body))
