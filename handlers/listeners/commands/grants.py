"""Carries out the command `grants`: the calls that people allow in advance."""

from __future__ import annotations

import re

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, inline_code, moment, mrkdwn, person
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from handlers.messages.granted import allowed
from supervisor.contract.grants import GrantService, GrantView
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.text.masking import Masker

SHOWN = 20
_REVOKE = re.compile(r"revoke\s+`?(?P<id>[\w-]{1,60}\.g\d{1,6})`?", re.IGNORECASE)


async def grants(flagman: ListenerContext, command: Command, actor: Actor) -> list[Block]:
    """Carry out `grants`, or `grants revoke <id>`."""
    text, service = command.rest.strip(), GrantService(flagman.services, actor)
    if text.lower() in ("", "list"):
        return _listed(await service.list(), flagman.mask)
    if not (found := _REVOKE.fullmatch(text)):
        raise InvalidInput(f"Write `{flagman.command} grants`, or `{flagman.command} grants revoke <id>`.")
    await service.revoke(found["id"].lower())
    return [mrkdwn(f":leftwards_arrow_with_hook: The grant `{found['id'].lower()}` has ended.")]


def _listed(found: list[GrantView], mask: Masker) -> list[Block]:
    if not found:
        return [
            mrkdwn(
                "Nothing is allowed in advance. *Allow for a while…* on a call that waits allows calls like it."
            )
        ]
    rows = [
        mrkdwn(_line(one, mask)) | {"accessory": button("Revoke", Action.REVOKE, one.id, style="danger")}
        for one in found[:SHOWN]
    ]
    more = len(found) - len(rows)
    title = mrkdwn("*These calls run without asking*")
    return [title, *rows, *([mrkdwn(f"{more} more; `flagman grants list` shows all.")] if more > 0 else [])]


def _line(grant: GrantView, mask: Masker) -> str:
    where = f"<#{grant.channel}>" if grant.channel else "one session"
    return (
        f":unlock: {inline_code(grant.tool)} of {inline_code(grant.persona)} where {allowed(grant.arguments, mask)}\n"
        f"in {where} until {moment(grant.until, date=True)}, by {person(grant.by, grant.by_name)} · `{grant.id}`"
    )
