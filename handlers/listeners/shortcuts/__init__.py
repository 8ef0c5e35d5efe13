"""Listeners for the shortcuts, and for the buttons that do the same as the global one."""

from __future__ import annotations

from handlers.action_ids import Action
from handlers.listeners.shortcuts import hand_over, launch
from handlers.middleware import Router


def register(app: Router) -> None:
    app.shortcut("launch_agent", launch.open_launch)
    app.shortcut("hand_over", hand_over.open_hand_over)
    app.action(Action.LAUNCH_FORM, launch.open_launch)
    app.action(Action.LAUNCH_PERSONA, launch.choose_persona)
