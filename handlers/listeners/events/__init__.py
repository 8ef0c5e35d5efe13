"""Listeners for messages of people, and for the opening of the home tab."""

from __future__ import annotations

from handlers.listeners.events import home, message
from handlers.middleware import Router


def register(app: Router) -> None:
    app.event("app_mention", message.mentioned)
    app.event("message", message.written)
    app.event("app_home_opened", home.opened)
