"""Trigger ids, which allow the app to open one view shortly after a person's action."""

import secrets
import time
from dataclasses import dataclass

from bot.playground.errors import SlackError

REMEMBERED_SECONDS = 600.0


@dataclass
class Trigger:
    """The person who acted, and the view in which they did, if any."""

    user: str
    view_id: str | None
    until: float
    used: bool = False


class Triggers:
    """The trigger ids that were issued."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._given: dict[str, Trigger] = {}

    def new(self, user: str, view_id: str | None = None) -> str:
        """Return a new trigger id."""
        now = time.monotonic()
        old = [name for name, row in self._given.items() if row.until < now - REMEMBERED_SECONDS]
        for name in old:
            del self._given[name]
        name = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**13)}.{secrets.token_hex(16)}"
        self._given[name] = Trigger(user, view_id, now + self._seconds)
        return name

    def look(self, name: str) -> Trigger:
        """Return the trigger of an id. Raises SlackError if it is unknown, used or expired."""
        trigger = self._given.get(name)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if trigger.until < time.monotonic():
            raise SlackError("expired_trigger_id")
        return trigger
