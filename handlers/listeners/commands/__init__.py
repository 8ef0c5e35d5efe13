"""The slash command."""

from __future__ import annotations

from handlers.listeners.commands.agent import run_command
from handlers.middleware import Router


def register(app: Router, name: str) -> None:
    """`name` is the command's with its slash, as Slack sends it."""
    app.command(name, run_command)
