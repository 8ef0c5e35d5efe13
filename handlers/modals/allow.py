"""The modal that approves a call and allows calls like it in advance: which ones, where, and until when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from handlers.action_ids import Action, Target, View
from handlers.blocks.text import Block, context, escape, mrkdwn
from handlers.modals.modal import modal
from supervisor.core.errors import InvalidInput
from supervisor.core.rules.patterns import ANYTHING, suggest
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line, visible

# Inputs of a form, and characters of one.
MOST_ARGUMENTS, MOST_CHARACTERS = 20, 2000
_STAR = "`*` stands for letters, digits, spaces and `_ . / : = , @ + -`, so for nothing that a shell reads as more."


class Choice(NamedTuple):
    """Where and how long calls are allowed, with the words for it and those on the button."""

    words: str
    button: str
    scope: Literal["session", "channel"]
    until: str

    @property
    def value(self) -> str:
        return f"{self.scope}|{self.until}"


CHOICES = (
    Choice("In this session for 30 minutes", "Allow here, 30 minutes", "session", "in 30m"),
    Choice("In this session for 4 hours", "Allow here, 4 hours", "session", "in 4h"),
    Choice("In this channel for 1 hour", "Allow in channel, 1 hour", "channel", "in 1h"),
    Choice("In this channel for today", "Allow in channel, today", "channel", "today"),
)


def allow_modal(
    session: Session, call: Call, mask: Masker, clock: Callable[[str], str], chosen: str = ""
) -> Block:
    """Return the form; `clock` returns the time of day at which a choice ends, and `chosen` is the value of one.

    Raises InvalidInput for a call that no pattern in a form can stand for.
    """
    arguments = call.call.arguments
    patterns = suggest(call.call.tool, arguments) if isinstance(arguments, dict) else {}
    for pattern in patterns.values():
        if len(pattern) > MOST_CHARACTERS or len(patterns) > MOST_ARGUMENTS:
            raise InvalidInput("This call is too long to allow calls like it; approve it by itself.")
        if visible(mask(pattern)) != pattern:
            raise InvalidInput(
                "This call has a secret or characters that cannot be seen; approve it by itself."
            )
    choice = next((one for one in CHOICES if one.value == chosen), CHOICES[0])
    tool, persona = escape(one_line(call.call.tool, 80)), escape(one_line(session.persona, 80))
    blocks: list[Block] = [
        mrkdwn(
            f"Approve this call, and let *{persona}* run calls of *{tool}* like it without asking, for as long as you "
            "may approve them."
        ),
        *(_pattern(block_of(name, [*patterns]), name, patterns[name]) for name in sorted(patterns)),
        *([context(_STAR)] if patterns else []),
        _choices(choice, one_line(session.persona, 30), clock),
    ]
    return modal(
        View.ALLOW, "Allow calls like this", blocks, Target.of(session, call).encode(), choice.button
    )


def block_of(argument: str, arguments: Sequence[str]) -> str:
    """Return the id of the input for an argument."""
    return f"pattern:{sorted(arguments).index(argument)}"


def _pattern(block_id: str, name: str, pattern: str) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": "value",
        "multiline": len(pattern) > 60 or "\n" in pattern,
        "max_length": MOST_CHARACTERS,
        **({"initial_value": pattern} if pattern else {}),
    }
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": one_line(f"Where {name} is", 75)},
        "optional": not pattern,
        "element": element,
    }
    if pattern == ANYTHING:
        block["hint"] = {"type": "plain_text", "text": "* alone stands for any value."}
    return block


def _reach(choice: Choice, persona: str, clock: Callable[[str], str]) -> str:
    """Return which sessions a choice is about, and until when, in the 75 characters of a description."""
    whose = f"every session of {persona} there, " if choice.scope == "channel" else ""
    return f"{whose}until {clock(choice.until)}"


def _choices(chosen: Choice, persona: str, clock: Callable[[str], str]) -> Block:
    options = []
    for choice in CHOICES:
        options.append(
            {
                "text": {"type": "plain_text", "text": choice.words},
                "description": {"type": "plain_text", "text": _reach(choice, persona, clock)},
                "value": choice.value,
            }
        )
    return {
        "type": "input",
        "block_id": "terms",
        "dispatch_action": True,
        "label": {"type": "plain_text", "text": "Where and how long"},
        "element": {
            "type": "radio_buttons",
            "action_id": Action.ALLOW_TERMS,
            "options": options,
            "initial_option": options[CHOICES.index(chosen)],
        },
    }
