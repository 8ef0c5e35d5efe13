"""Carries out the commands `connect` and `connections`: the servers that a person uses as themselves."""

from __future__ import annotations

import re

from handlers.blocks.text import Block, inline_code, mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from handlers.messages.requests.connection import link, listed
from supervisor.contract.connections import ConnectionService, RemovedConnection, check_named
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor

_REMOVE = re.compile(r"(?:remove|revoke|drop)\s+`?(?P<server>[\w-]{1,60})`?", re.IGNORECASE)


async def connect(flagman: ListenerContext, command: Command, actor: Actor) -> tuple[str, tuple[Block, ...]]:
    """Carry out `connect github`, or `connect` where there is one server; return the link for this person."""
    service = ConnectionService(flagman.services, actor)
    server = check_named(command.rest.strip().strip("`"), flagman.services.linking.names())
    return link(await service.connect(server))


async def connections(flagman: ListenerContext, command: Command, actor: Actor) -> list[Block]:
    """Carry out `connections`, or `connections remove github`."""
    text, service = command.rest.strip(), ConnectionService(flagman.services, actor)
    if text.lower() in ("", "list"):
        return listed(await service.list(), flagman.command)
    if not (found := _REMOVE.fullmatch(text)):
        slash = flagman.command
        raise InvalidInput(f"Write `{slash} connections`, or `{slash} connections remove github`.")
    return [mrkdwn(removed(await service.remove(found["server"])))]


def removed(done: RemovedConnection) -> str:
    """Return in mrkdwn that a connection was removed."""
    there = "and its server has revoked it" if done.revoked else "but its server did not say that it has, too"
    return f":wastebasket: Flagman has forgotten your connection to {inline_code(done.server)}, {there}."
