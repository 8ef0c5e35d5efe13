"""How a person is told of what waits for them, in words."""

from __future__ import annotations

from typing import Protocol

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, mrkdwn

WAYS = {
    "place": "In the thread",
    "direct": "By direct messages",
    "both": "In the thread and by direct messages",
}
# What a command says for each.
WAY_OF = {"thread": "place", "dm": "direct", "both": "both"}


class Told(Protocol):
    """What a person chose; `quiet` is empty where they are told at any time."""

    @property
    def way(self) -> str: ...
    @property
    def quiet(self) -> str: ...


def told_how(chosen: Told) -> str:
    """Return one sentence in mrkdwn."""
    words = {
        "place": "in the thread",
        "direct": "by direct messages alone, and not mentioned in threads",
        "both": "in the thread and by direct messages",
    }[chosen.way]
    quiet = ""
    if chosen.way != "place":
        begin, _, end = chosen.quiet.partition("-")
        quiet = f", but not from {begin} to {end}" if chosen.quiet else " at any time"
    return f":bell: You are told {words}{quiet}."


def preference_row(chosen: Told) -> Block:
    """Return the row of the home tab, with the button that opens the form."""
    return {**mrkdwn(told_how(chosen)), "accessory": button("Change…", Action.NOTIFY, "home")}
