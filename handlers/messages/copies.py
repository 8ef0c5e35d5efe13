"""A request that is also asked elsewhere: its copy for an approver, and the note in its own place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from handlers.blocks.text import Block, context, link, person
from handlers.messages.message import APPROVAL, Message
from supervisor.core.state import Session

_MARK = "@"


def copy_key(key: str, channel: str) -> str:
    """The key of the copy of a message for a channel, or for the person of that id."""
    return f"{key}{_MARK}{channel}"


def is_copy(key: str) -> bool:
    return _MARK in key


def place_of_copy(key: str) -> str:
    """The channel, or the id of the person, of a copy."""
    return key.partition(_MARK)[2]


def copy_for(message: Message, session: Session, channel: str, *, shown: str, address: str) -> Message:
    """The message as it is shown to who does not see its place: `shown` is that place, `address` that of the card."""
    where = shown or "a direct message"
    who = person(session.launched_by, session.launched_by_name)
    about = f"About {link(f'session {session.id}', address)}, launched by {who}, in {where}."
    hint = f"{about} Replies to this message reach the agent." if message.decides else about
    seen = message.excerpt or message
    blocks = (*seen.blocks, context(hint))
    key = copy_key(message.key, channel)
    return replace(message, key=key, text=seen.text, blocks=blocks, concerns="", excerpt=None)


def asked_elsewhere(message: Message, asked: Sequence[str], *, here: bool) -> Message:
    """The message with a note on where it was asked; without the buttons to decide unless somebody `here` may.

    `asked` are the ids of people and channels.
    """
    if not message.decides or (here and not asked):
        return message
    approves = all(request.buttons == APPROVAL for request in message.decides)
    may = "may approve it" if approves else "may decide on it"
    if not asked:
        way = (
            "Cancel it, and launch it in a channel that its approvers see."
            if approves
            else "Name an admin in FLAGMAN_ADMINS, who may."
        )
        note = f":warning: Nobody who sees this {may}, and nobody else can be asked. {way}"
        return replace(message, blocks=(*message.blocks, context(note)))
    names = ", ".join(f"<#{one}>" if one[:1] in ("C", "G") else f"<@{one}>" for one in asked)
    note = f":incoming_envelope: Also asked: {names}."
    if here:
        return replace(message, blocks=(*message.blocks, context(note)))
    note = f":incoming_envelope: Asked: {names}. Nobody who sees this conversation {may}."
    decisions = frozenset(action for request in message.decides for action in request.buttons)
    kept = (_without(block, decisions) for block in message.blocks)
    blocks = (*filter(None, kept), context(note))
    return replace(message, blocks=blocks)


def _without(block: Block, actions: Collection[str]) -> Block | None:
    """The block without the buttons of these actions; None where no other is left."""
    if block["type"] != "actions":
        return block
    # The id of one of several answers also has its number.
    kept = [e for e in block["elements"] if str(e.get("action_id")).partition(":")[0] not in actions]
    return {**block, "elements": kept} if kept else None
