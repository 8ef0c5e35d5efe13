"""Every listener on one Bolt app."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from handlers import middleware
from handlers.context import ListenerContext
from handlers.listeners.actions import approval as actions
from handlers.listeners.actions import edit_call as editing
from handlers.listeners.commands import agent as commands
from handlers.listeners.events import message as events
from handlers.listeners.shortcuts import launch as shortcuts
from handlers.listeners.views import approval as views


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Attach commands, buttons, windows, messages, shortcuts and the turning round of errors."""
    limited = middleware.in_time(app)
    for part in (commands, actions, editing, views, events, shortcuts):
        part.register(limited, flagman)
    middleware.register(app)
