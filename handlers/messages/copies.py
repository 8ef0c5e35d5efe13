"""A request that is also asked elsewhere: its copy for an approver, and the note in its own place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handlers.action_ids import Action
from handlers.blocks.text import Block, context, link, person
from handlers.messages.message import Message
from supervisor.core.state import Session

_MARK = "@"
_DECISIONS = {Action.APPROVE, Action.APPROVE_ALL, Action.DENY, Action.EDIT}


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
    copy = replace(message, key=copy_key(message.key, channel), concerns="")
    return replace(copy, blocks=(*message.blocks, context(hint)))


def asked_elsewhere(message: Message, asked: Sequence[str], *, here: bool) -> Message:
    """The message with a note on where it was asked; without the buttons to decide unless somebody `here` may.

    `asked` are the ids of people and channels.
    """
    if not message.decides or (here and not asked):
        return message
    if not asked:
        note = (
            ":warning: Nobody who sees this may approve it, and nobody else can be asked. "
            "Cancel it, and launch it in a channel that its approvers see."
        )
        return replace(message, blocks=(*message.blocks, context(note)))
    names = ", ".join(f"<#{one}>" if one[:1] in ("C", "G") else f"<@{one}>" for one in asked)
    note = f":incoming_envelope: Also asked: {names}."
    if here:
        return replace(message, blocks=(*message.blocks, context(note)))
    note = f":incoming_envelope: Asked: {names}. Nobody who sees this conversation may approve it."
    blocks = (*filter(None, map(_without_decisions, message.blocks)), context(note))
    return replace(message, blocks=blocks)


def _without_decisions(block: Block) -> Block | None:
    if block["type"] != "actions":
        return block
    kept = [element for element in block["elements"] if element.get("action_id") not in _DECISIONS]
    return {**block, "elements": kept} if kept else None
