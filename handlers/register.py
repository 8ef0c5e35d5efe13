"""Every listener on one Bolt app."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from handlers import actions, commands, editing, events, middleware, shortcuts, views
from handlers.deps import Deps


def register(app: AsyncApp, deps: Deps) -> None:
    """Attach commands, buttons, windows, messages, shortcuts and the turning round of errors."""
    limited = middleware.in_time(app)
    for part in (commands, actions, editing, views, events, shortcuts):
        part.register(limited, deps)
    middleware.register(app)
