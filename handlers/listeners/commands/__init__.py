"""The listener for the slash command."""

from __future__ import annotations

from handlers.listeners.commands.agent import run_command
from handlers.middleware import Router


def register(app: Router, name: str) -> None:
    """Register the listener; `name` is the name of the command with its slash."""
    app.command(name, run_command)
