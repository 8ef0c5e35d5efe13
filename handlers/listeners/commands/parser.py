"""Parses the text after the slash command or a mention of the bot into a typed command."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, get_args

from supervisor.core.errors import InvalidInput

Verb = Literal[
    "launch", "list", "status", "log", "files", "pause", "resume", "remind", "cancel", "tell", "fork",
    "schedule", "event", "audit", "delegate", "grants", "notify", "connect",
    "connections", "personas", "settings", "help",
    "form",
]  # fmt: skip
VERBS: tuple[str, ...] = get_args(Verb)
INDEXES = ("all", "running", "paused", "ended")
# Characters of a command; a message has at most 40,000.
LONGEST = 40_000
NEEDS_SESSION = {"status", "log", "files", "pause", "resume", "remind", "cancel", "tell", "fork"}
# Verbs that read what follows them on their own.
REST_VERBS = frozenset(
    {"schedule", "event", "settings", "audit", "delegate", "grants", "notify", "connect", "connections"}
)
TIMED = {"pause", "resume", "remind"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "‘": "’"}
_STEP = re.compile(r"at(?=\s|$)(?:\s+(?:step\s+)?(?P<step>\d{1,6})(?=\s|$))?", re.IGNORECASE)
_AS = re.compile(r"as\s+(?P<persona>[\w.-]{1,80}):\s*", re.IGNORECASE)
_INSTEAD = re.compile(r"instead:\s*", re.IGNORECASE)
_QUOTED = r"[\"'“„«‘].+[\"'”“»’]$"
_TIME = r"(?:in|at|after|on)\b|\d|half\b|noon\b|midnight\b|today\b|tomorrow\b|next\b|(?:mon|tue|wed|thu|fri|sat|sun)"
_PATH = re.compile(r"/|\.\w{1,8}`?$")
_SCHEDULE = re.compile(
    r"^(?:list$|(?:pause|resume|delete|run)\s+`?[0-9a-f]{6}`?$)|\slaunch\s+\S+\s", re.IGNORECASE
)
# The words that may follow a verb in a session's thread; with other words it is a message to the agent.
_GRAMMAR = {
    "pause": re.compile(
        rf"(?:alone\s+)?(?:(?:(?:only\s+)?(?:until|for)|because)\s|{_QUOTED})|alone$",
        re.IGNORECASE | re.DOTALL,
    ),
    "resume": re.compile(rf"(?:now|compact)$|{_TIME}|{_QUOTED}", re.IGNORECASE | re.DOTALL),
    "remind": re.compile(rf"{_TIME}|drop\s", re.IGNORECASE),
    "tell": re.compile(r"(?:as\s+[\w.-]{1,80}|instead):\s*\S", re.IGNORECASE),
    "event": re.compile(r"[A-Za-z0-9][\w/-]*[.:][\w.:/-]*$|[A-Za-z0-9][\w.:/-]{0,79}\s+[{\[]"),
    "cancel": re.compile(r"(?:now$|because\s)", re.IGNORECASE),
    "settings": re.compile(r"(?:persona|approvers|limits?|reset)\s", re.IGNORECASE),
    "fork": re.compile(rf"at\s|{_QUOTED}", re.IGNORECASE | re.DOTALL),
}
_ALIASES = {
    "start": "launch",
    "run": "launch",
    "show": "status",
    "stop": "cancel",
    "ls": "list",
    "sessions": "list",
}


def verb_of(word: str) -> str:
    """Return the verb that a word stands for; the word itself where it stands for none."""
    return _ALIASES.get(word.lower(), word.lower())


def is_verb(word: str) -> bool:
    """Return whether a mention that begins with this word may be a command; `run` and `start` are too common."""
    word = word.lower()
    return word in VERBS or _ALIASES.get(word) in NEEDS_SESSION


@dataclass(frozen=True)
class Command:
    """A parsed command; `session_id` is for verbs about one session, `persona` for launch and tell, `step` for fork.

    `instead`: tell withdraws the calls that wait. `rest` is a task, reason, message, path or event.
    """

    verb: Verb
    session_id: str = ""
    persona: str = ""
    rest: str = ""
    step: int | None = None
    instead: bool = False


def parse(text: str, *, thread_session: str = "", slash: str) -> Command:
    """Parse a command; `thread_session` is used where a verb needs a session and none is named.

    Raises InvalidInput with the expected form.
    """
    if len(text) > LONGEST:
        raise InvalidInput(f"That is too long: {len(text):,} characters, at most {LONGEST:,}.")
    word, rest = _word(text)
    if not word:
        return Command("form")
    verb = verb_of(word)
    if verb not in VERBS:
        raise InvalidInput(_unknown(word, slash))
    if verb == "launch":
        persona, task = _word(rest)
        if not persona or not task:
            raise InvalidInput(
                f'Write it like this: `{slash} launch sre "check the disk"`, or `{slash}` for a form.'
            )
        return Command("launch", persona=persona.lower(), rest=unquote(task))
    if verb == "list":
        which = rest.strip().lower() or "all"
        if which not in INDEXES:
            raise InvalidInput(f"List what? One of: {', '.join(f'`{slash} list {i}`' for i in INDEXES)}.")
        return Command("list", rest=which)
    if verb in REST_VERBS:
        return Command(verb, rest=rest)  # type: ignore[arg-type]
    if verb in NEEDS_SESSION:
        command = _about_session(verb, rest, thread_session, slash)
        command = _parse_fork(command, slash) if verb == "fork" else command
        command = _parse_tell(command, slash) if verb == "tell" else command
        # Quotes are kept for these verbs, since they mark a text that is not a time.
        return command if verb in TIMED else replace(command, rest=unquote(command.rest))
    return Command(verb)  # type: ignore[arg-type]


def _about_session(verb: str, rest: str, thread_session: str, slash: str) -> Command:
    word, more = _word(rest)
    ident = word.strip("`").lower()
    if looks_like_id(ident):
        return Command(verb, session_id=ident, rest=more)  # type: ignore[arg-type]
    if thread_session:
        return Command(verb, session_id=thread_session, rest=rest)  # type: ignore[arg-type]
    if word:
        raise InvalidInput(
            f"“{word[:40]}” is no id of a session, which looks like `ab12-cd34`; `{slash} list` shows the ids."
        )
    raise InvalidInput(f"Which session? Write `{slash} {verb} <id>`; `{slash} list` shows the ids.")


def _parse_fork(command: Command, slash: str) -> Command:
    """Parse `[at [step] <n>] [message]`; a message that begins with `at` must be in quotes."""
    begin = _STEP.match(command.rest)
    if not begin:
        return command
    if not begin["step"]:
        raise InvalidInput(
            f"At which step? Write `{slash} fork <id> at 3 try another way`, or without `at` as far as it is; "
            'a message that begins with “at” stands in "quotes".'
        )
    return replace(command, step=int(begin["step"]), rest=command.rest[begin.end() :])


def _parse_tell(command: Command, slash: str) -> Command:
    """Parse `[as <persona>: | instead:] <words>`."""
    named, instead = _AS.match(command.rest), _INSTEAD.match(command.rest)
    begin = named or instead
    words = command.rest[begin.end() :] if begin else command.rest
    if not words.strip():
        raise InvalidInput(f"Tell it what? Write `{slash} tell <id> look at /var too`.")
    persona = named["persona"].lower() if named else ""
    return replace(command, persona=persona, rest=words, instead=bool(instead))


def looks_like_id(word: str) -> bool:
    """Return whether a word has the form of the id of a session."""
    parts = word.split("-")
    if len(parts) not in (2, 3) or any(len(part) != 4 for part in parts[:2]):
        return False
    return all(part.isalnum() and part.isascii() for part in parts)


def _word(text: str) -> tuple[str, str]:
    parts = text.strip().split(maxsplit=1)
    return (parts[0] if parts else "", parts[1].strip() if len(parts) > 1 else "")


def unquote(text: str) -> str:
    """Return the text without one pair of quotes around all of it, straight or typographic."""
    text = text.strip()
    if len(text) >= 2 and _QUOTES.get(text[0]) == text[-1] and not {text[0], text[-1]} & set(text[1:-1]):
        return text[1:-1].strip()
    return text


def is_thread_command(text: str, personas: Collection[str]) -> bool:
    """Return whether a mention in a session's thread is a command: a verb followed only by what it takes."""
    word, rest = _word(text)
    if not is_verb(word):
        return False
    verb = verb_of(word)
    first, more = _word(rest)
    if verb in NEEDS_SESSION and looks_like_id(first.strip("`").lower()):
        return True
    match verb:
        case "launch":
            return first.lower() in personas and bool(more)
        case "schedule":
            return not rest or bool(_SCHEDULE.search(rest))
        case "list":
            return not rest or rest.lower() in INDEXES
        case "audit":
            return not more
        case "notify":
            return not rest or first.lower() in ("thread", "dm", "both", "quiet")
        case "grants":
            return rest.lower() in ("", "list") or first.lower() == "revoke"
        case "delegate":
            return rest.lower() in ("", "list") or first.lower() == "drop"
        case "files":
            return not more or bool(_PATH.search(rest))
        case _:
            return not rest.rstrip(".!") or bool(_GRAMMAR.get(verb) and _GRAMMAR[verb].match(rest))


def _unknown(word: str, slash: str) -> str:
    near = get_close_matches(word.lower(), VERBS, n=1)
    hint = f"Did you mean `{slash} {near[0]}`?" if near else f"`{slash} help` lists all commands."
    return f"Unknown command “{word[:40]}”. {hint}"
