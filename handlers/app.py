"""Every listener on one Bolt app."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from handlers import middleware
from handlers.context import Deps
from handlers.listeners import actions, commands, events, shortcuts, views
from handlers.listeners import edit_call as editing


def register(app: AsyncApp, deps: Deps) -> None:
    """Attach commands, buttons, windows, messages, shortcuts and the turning round of errors."""
    limited = middleware.in_time(app)
    for part in (commands, actions, editing, views, events, shortcuts):
        part.register(limited, deps)
    middleware.register(app)
