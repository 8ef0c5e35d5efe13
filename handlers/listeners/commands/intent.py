"""Tells what people mean who mention the bot, or write to it directly: a command, a task for an agent, or not clear."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from handlers.listeners.commands.parser import (
    INDEXES,
    NEEDS_SESSION,
    VERBS,
    is_thread_command,
    looks_like_id,
    unquote,
    verb_of,
)

# The verbs that change something: a text that begins with one is never taken for a task without asking.
_STEERING = frozenset(
    {"pause", "resume", "cancel", "remind", "tell", "fork", "schedule", "event", "settings"}
)
_NAMED = re.compile(r"(?P<persona>[a-z0-9][a-z0-9-]{0,39}):\s+(?P<task>\S.*)", re.IGNORECASE | re.DOTALL)
# How alike a word and a verb are that may be a slip of the pen.
_ALIKE = 0.75
_PUNCTUATION = ".,:;!?"


@dataclass(frozen=True)
class Intent:
    """`persona` is the one that a task names; `meant` is the command that an unclear text may have been meant as."""

    kind: Literal["command", "task", "unclear"]
    task: str = ""
    persona: str = ""
    meant: str = ""


def intent_of(text: str, personas: Collection[str]) -> Intent:
    """Read a text outside of the threads of sessions. What looks like a command with a mistake is not clear."""
    text = text.strip()
    word, _, rest = text.partition(" ")
    word, rest = word.strip(_PUNCTUATION), rest.strip()
    verb = verb_of(word)
    if not text or (verb == "launch" and word.lower() == "launch"):
        return Intent("command")
    if verb in VERBS and _fits(verb, text, rest, personas):
        return Intent("command")
    if verb in _STEERING:
        return Intent("unclear", task=text, meant=verb)
    if verb not in VERBS and (near := _near(word, rest, personas)):
        return Intent("unclear", task=text, meant=f"{near} {rest}".strip())
    named = _NAMED.fullmatch(text)
    if named and named["persona"].lower() in personas:
        return Intent("task", task=unquote(named["task"]), persona=named["persona"].lower())
    if not rest:
        return Intent("unclear", task=text)
    return Intent("task", task=unquote(text))


def _fits(verb: str, text: str, rest: str, personas: Collection[str]) -> bool:
    """Whether what follows a verb is what the verb takes, or as much of it that the parser can say what is missing."""
    first = rest.split(maxsplit=1)[:1]
    if verb == "launch":
        return bool(first) and first[0].lower() in personas and len(rest.split()) > 1
    if verb in NEEDS_SESSION and (not first or (len(rest.split()) == 1 and "-" in rest)):
        return True
    return not first or is_thread_command(text, personas)


def _near(word: str, rest: str, personas: Collection[str]) -> str:
    """The verb that a word may have been meant as, where what follows it is what that verb takes; otherwise empty."""
    found = get_close_matches(word.lower(), [*VERBS, "start", "stop", "show"], n=1, cutoff=_ALIKE)
    if not found:
        return ""
    verb, first = verb_of(found[0]), (rest.split(maxsplit=1) or [""])[0].strip("`").lower()
    follows = (
        not rest
        or (verb in NEEDS_SESSION and looks_like_id(first))
        or (verb == "launch" and first in personas)
        or (verb == "list" and first in INDEXES)
        or verb in _STEERING
    )
    return verb if follows else ""
