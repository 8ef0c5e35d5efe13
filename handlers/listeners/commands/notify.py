"""Carries out the command `notify`: how a person is told of what waits for them."""

from __future__ import annotations

import re

from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from handlers.messages.inbox.preference import WAY_OF, told_how
from supervisor.contract.notifications import NotificationService, NotificationsRequest
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor

_FORM = re.compile(r"(?P<way>thread|dm|both)?(?:\s*\bquiet\s+(?P<quiet>\S.*))?", re.IGNORECASE)


async def notify(flagman: ListenerContext, command: Command, actor: Actor) -> str:
    """Carry out `notify`, `notify dm`, `notify both quiet 22:00-07:00` or `notify quiet off`; return the answer."""
    service = NotificationService(flagman.services, actor)
    text = command.rest.strip()
    if not text:
        return f"{told_how(await service.get())} `{flagman.command} notify dm quiet 22:00-07:00` changes it."
    found = _FORM.fullmatch(text)
    if not found:
        raise InvalidInput(
            f"Write `{flagman.command} notify thread`, `dm` or `both`, and quiet hours as `quiet 22:00-07:00` or "
            "`quiet off`."
        )
    way = WAY_OF[found["way"].lower()] if found["way"] else None
    return told_how(await service.change(NotificationsRequest.of(way=way, quiet=found["quiet"])))
