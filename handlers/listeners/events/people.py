"""Forgets what a person has connected, once their account is deactivated."""

from __future__ import annotations

import logging
from typing import Any

from handlers.context import ListenerContext
from handlers.team_ids import actor_id

_log = logging.getLogger("flagman.connections")


async def changed(flagman: ListenerContext, event: dict[str, Any]) -> None:
    """Remove the connections of a person who was deactivated; other changes of an account change nothing."""
    user = event.get("user")
    if not isinstance(user, dict) or not user.get("deleted") or not user.get("id"):
        return
    person = actor_id(flagman.team, str(user["id"]))
    if number := await flagman.services.connections.remove_all(person):
        _log.info("%s was deactivated; %d connections are removed", user["id"], number)
