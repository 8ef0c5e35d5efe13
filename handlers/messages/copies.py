"""A request that is also asked elsewhere: its copy for an approver, and the note in its own place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from handlers.blocks.text import Block, context, escape, link, person
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


def asked_elsewhere(
    message: Message, asked: Sequence[str], *, here: bool, problems: Sequence[str] = ()
) -> Message:
    """The message with a note on where it was asked; without the buttons to decide unless somebody `here` may.

    `asked` are the ids of people and channels, and `problems` sentences on why others are not known.
    """
    if not message.decides:
        return message
    blocks, note = message.blocks, _note(message, asked, here=here)
    if asked and not here:
        decisions = frozenset(action for request in message.decides for action in request.buttons)
        blocks = tuple(filter(None, (_without(block, decisions) for block in blocks)))
    notes = [*([note] if note else []), *(f":warning: {escape(problem)}" for problem in problems)]
    return replace(message, blocks=(*blocks, context("\n".join(notes)))) if notes else message


def repeated_elsewhere(message: Message) -> Message:
    """The message without buttons for the requests that it repeats, which are asked where somebody may decide."""
    decisions = frozenset(action for request in message.repeats for action in request.buttons)
    return replace(
        message, blocks=tuple(filter(None, (_without(block, decisions) for block in message.blocks)))
    )


def _note(message: Message, asked: Sequence[str], *, here: bool) -> str:
    names = ", ".join(f"<#{one}>" if one[:1] in ("C", "G") else f"<@{one}>" for one in asked)
    if here:
        return f":incoming_envelope: Also asked: {names}." if asked else ""
    approves = all(request.buttons == APPROVAL for request in message.decides)
    may = "may approve it" if approves else "may decide on it"
    if asked:
        return f":incoming_envelope: Asked: {names}. Nobody who sees this conversation {may}."
    way = "Name an admin in FLAGMAN_ADMINS, who may."
    if approves:
        way = "Cancel it, and launch it in a channel that its approvers see."
    return f":warning: Nobody who sees this {may}, and nobody else can be asked. {way}"


def _without(block: Block, actions: Collection[str]) -> Block | None:
    """The block without the buttons of these actions; None where no other is left."""
    if block["type"] != "actions":
        return block
    # The id of one of several answers also has its number.
    kept = [e for e in block["elements"] if str(e.get("action_id")).partition(":")[0] not in actions]
    kept = [left for e in kept if (left := _menu_without(e, actions))]
    return {**block, "elements": kept} if kept else None


def _menu_without(element: Block, actions: Collection[str]) -> Block | None:
    """The element without the options of these actions, if it is a menu; None where no other is left."""
    if element["type"] != "overflow":
        return element
    kept = [option for option in element["options"] if option["value"].partition("|")[0] not in actions]
    return {**element, "options": kept} if kept else None
