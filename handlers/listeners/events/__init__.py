"""Listeners for messages of people, reactions, the opening of the home tab, Slack's own Stop, and accounts."""

from __future__ import annotations

from handlers.listeners.events import home, message, people, reaction, stop
from handlers.middleware import Router


def register(app: Router) -> None:
    app.event("app_mention", message.mentioned)
    app.event("message", message.written)
    app.event("app_home_opened", home.opened)
    app.event("reaction_added", reaction.added)
    app.event("agent_session_stopped", stop.stopped)
    app.event("user_change", people.changed)
