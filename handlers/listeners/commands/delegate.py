"""Carries out the command `delegate`."""

from __future__ import annotations

import re

from handlers.blocks.text import Block, escape, moment, mrkdwn, person
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command, unquote
from supervisor.contract.delegations import DelegationRequest, DelegationService, DelegationView
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.text.visible import one_line

# A mention, or the id of a person.
_TO = re.compile(
    r"(?:to\s+)?(?:<@(?P<mention>[UW][A-Z0-9]+)(?:\|[^<>]*)?>|@?(?P<id>[UW][A-Z0-9]{7,20}))\s+until\s+(?P<rest>\S.*)",
    re.DOTALL | re.IGNORECASE,
)
_BECAUSE = re.compile(r"(?<!\s)\s+because\s+", re.IGNORECASE)
_DROP = re.compile(r"drop\s+`?(?P<id>[0-9a-f]{6})`?", re.IGNORECASE)


async def delegate(flagman: ListenerContext, command: Command, actor: Actor) -> list[Block]:
    """Carry out `delegate @grace until friday [because …]`, `delegate list` or `delegate drop <id>`."""
    text, service = command.rest.strip(), DelegationService(flagman.services, actor)
    if text.lower() in ("", "list"):
        return [mrkdwn(_listed(await service.list(), flagman.command))]
    if dropped := _DROP.fullmatch(text):
        await service.drop(dropped["id"].lower())
        return [mrkdwn(f":leftwards_arrow_with_hook: The delegation `{dropped['id'].lower()}` has ended.")]
    found = _TO.fullmatch(text)
    if not found:
        raise InvalidInput(
            f"Write `{flagman.command} delegate @grace until friday because I am away`, with a mention or an id, "
            f"`{flagman.command} delegate list`, or `{flagman.command} delegate drop <id>`."
        )
    until, *why = _BECAUSE.split(found["rest"], maxsplit=1)
    request = DelegationRequest.of(
        to=(found["mention"] or found["id"]).upper(),
        until=until.strip(),
        reason=unquote(await flagman.people.readable(why[0])) if why else "",
        zone=await flagman.people.zone(actor),
    )
    made = await service.add(request)
    return [
        mrkdwn(
            f":busts_in_silhouette: {person(made.to, made.to_name)} decides for you until "
            f"{moment(made.until, date=True)}, with your rights and no more. "
            f"`{flagman.command} delegate drop {made.id}` ends it."
        )
    ]


def _listed(found: list[DelegationView], slash: str) -> str:
    lines = [
        f"`{one.id}` {person(one.to, one.to_name)} decides for {person(one.by, one.by_name)} until "
        f"{moment(one.until, date=True)}" + (f" · {escape(one_line(one.reason, 120))}" if one.reason else "")
        for one in found[:20]
    ]
    if len(found) > len(lines):
        lines.append(f"{len(found) - len(lines)} more; `flagman delegate list` shows all.")
    return (
        "\n".join(lines)
        or f"Nobody decides for you, or you for others. `{slash} delegate @grace until friday`"
    )
