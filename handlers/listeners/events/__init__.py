"""Listeners for messages of people, for reactions, for the opening of the home tab, and for Slack's own Stop."""

from __future__ import annotations

from handlers.listeners.events import home, message, reaction, stop
from handlers.middleware import Router


def register(app: Router) -> None:
    app.event("app_mention", message.mentioned)
    app.event("message", message.written)
    app.event("app_home_opened", home.opened)
    app.event("reaction_added", reaction.added)
    app.event("agent_session_stopped", stop.stopped)
