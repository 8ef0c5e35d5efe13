"""Attaches all listeners to the Bolt app."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from handlers import middleware
from handlers.context import ListenerContext
from handlers.listeners import actions, commands, events, shortcuts, views


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Attach all listeners and the handler of their errors to `app`."""
    router = middleware.Router(app, flagman)
    # Bolt asks one listener after the other whether a request is for it.
    commands.register(router, flagman.command)
    for package in (actions, views, events, shortcuts):
        package.register(router)
    middleware.register(app, flagman.command, flagman.mask)
