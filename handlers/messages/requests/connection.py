"""What a person sees alone about the servers that they connect: the offer, the link, and what is connected."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, confirm, context, escape, inline_code, moment, mrkdwn
from handlers.messages.pauses import connect_button
from supervisor.contract.connections import ConnectionList, ConnectionView, ConnectLink
from supervisor.core.state import Session
from supervisor.core.text.visible import one_line


def offer(session: Session, server: str) -> tuple[str, tuple[Block, ...]]:
    """Return the text and the blocks by which a person is asked to connect a server for a session that waits."""
    name = inline_code(server)
    text = (
        f":electric_plug: `{session.id}` uses {name} as you. Connect it, and the session goes on by itself."
    )
    return text, (mrkdwn(text), {"type": "actions", "elements": [connect_button(server)]})


def link(found: ConnectLink) -> tuple[str, tuple[Block, ...]]:
    """Return the text and the blocks with the link of a person."""
    text = f":electric_plug: Connect {inline_code(found.server)} as yourself"
    opens = {
        **button(f"Open {found.server}", Action.CONNECT_OPEN, found.server, style="primary"),
        "url": found.url,
    }
    note = (
        f"For you alone: it works once, until {moment(found.expires_at)}. "
        "What somebody else launched waits for their own connection."
    )
    return text, (mrkdwn(text), {"type": "actions", "elements": [opens]}, context(note))


def listed(found: ConnectionList, command: str) -> list[Block]:
    """Return what a person has connected, and what else they can connect."""
    rows = [_row(one) for one in found.connections]
    missing = sorted(set(found.connectable) - {one.server for one in found.connections})
    title = mrkdwn("*You use these servers as yourself*" if rows else "You have connected no server.")
    return [title, *rows, *_connectable(missing, command)]


def _connectable(servers: Sequence[str], command: str) -> list[Block]:
    if not servers:
        return []
    names = " · ".join(inline_code(f"{command} connect {name}") for name in servers[:20])
    return [context(f"Not connected: {names}")]


def _row(one: ConnectionView) -> Block:
    account = f" as *{escape(one_line(one.account, 80))}*" if one.account else ""
    facts = [f"since {moment(one.since, date=True)}"]
    if one.scopes:
        facts.append(f"rights: {inline_code(one_line(one.scopes, 200))}")
    if one.expires_at and not one.refused:
        facts.append(f"access renewed before {moment(one.expires_at, date=True)}")
    if one.refused:
        facts.append(f":warning: has to be connected again: {escape(one_line(one.refused, 200))}")
    sure = confirm("Remove it?", "Agents that need it wait until you connect it again.", "Remove")
    remove = button("Remove", Action.CONNECT_REMOVE, one.server, style="danger", confirm=sure)
    return mrkdwn(f":electric_plug: {inline_code(one.server)}{account}\n{' · '.join(facts)}") | {
        "accessory": remove
    }
