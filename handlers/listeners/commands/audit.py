"""Carries out the command `audit`."""

from __future__ import annotations

from handlers.blocks.audit import audit_blocks
from handlers.blocks.text import Block
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from supervisor.contract.audit import AuditQuery, AuditService
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor


async def summary(flagman: ListenerContext, command: Command, actor: Actor) -> list[Block]:
    """Carry out `audit [today|7d]`. Raises NotAllowed for who does not read all sessions."""
    since = command.rest.strip().lower() or "7d"
    if " " in since:
        raise InvalidInput(
            f"Since when? Write `{flagman.command} audit today` or `{flagman.command} audit 7d`."
        )
    query = AuditQuery.of(since=since, zone=await flagman.people.zone(actor))
    found = await AuditService(flagman.services, actor).summary_for_admin(query)
    return audit_blocks(found.totals, found.lost)
