"""Reads times and conditions inside a command: `until webhook: x`, `for 2h`, `in 30m`, `tomorrow 09:00`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from handlers.listeners.commands.parser import unquote
from supervisor.core.conditions import At, Condition, parse_condition
from supervisor.core.errors import InvalidCondition, InvalidInput
from supervisor.core.times import parse_duration, parse_moment, zone_named

MOST_WORDS = 4
_BECAUSE = re.compile(r"\s+because\s+", re.IGNORECASE)
_OR = re.compile(r"""\s+or\s+(?=(?:webhook|event|at|in|cron|approval|manual)\b)""", re.IGNORECASE)
_KIND = re.compile(r"^(webhook|event|at|in|cron|approval|children|manual)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Until:
    """What a pause waits for, and why it was made."""

    conditions: tuple[Condition, ...] = ()
    detail: str = ""


def parse_until(text: str, now: datetime, zone: str) -> Until:
    """`until <condition> [or <condition>] [because <why>]`, `for <duration>`, or just why.

    Raises InvalidCondition.
    """
    word, _, rest = text.strip().partition(" ")
    timed = word.lower() == "for" and rest.strip()[:1].isdigit()
    if not timed and (word.lower() != "until" or not rest.strip()):
        return Until(detail=unquote(text))
    what, *why = _BECAUSE.split(rest, maxsplit=1)
    detail = unquote(why[0]) if why else ""
    if timed:
        return Until((At(type="at", due=now + parse_duration(what)),), detail)
    conditions = tuple(_condition(part.strip(), now, zone) for part in _OR.split(what))
    return Until(conditions, detail)


def _condition(text: str, now: datetime, zone: str) -> Condition:
    """A condition, where a bare time means `at:`."""
    word, _, rest = text.partition(" ")
    if word.lower() in ("at", "in"):
        text = f"{word}: {rest}"
    if _KIND.match(text) and (":" in text or " " not in text):
        return parse_condition(text, now=now, zone=zone)
    return At(type="at", due=parse_moment(text, now, zone_named(zone)))


def leading_time(text: str, now: datetime, zone: str) -> tuple[datetime, str]:
    """The time at the beginning of a text, and the rest without its quotes.

    `in 30m "look"`, `at 09:00 look`, `tomorrow 09:00`, `2h`. Raises InvalidInput with the form expected.
    """
    words = text.split()
    relative = bool(words) and words[0].lower() == "in"
    if words and words[0].lower() in ("in", "at"):
        words = words[1:]
    for count in range(min(MOST_WORDS, len(words)), 0, -1):
        due = _time(" ".join(words[:count]), now, zone, relative=relative)
        if due is not None:
            return due, unquote(" ".join(words[count:]))
    raise InvalidInput(
        "When? Write `in 30m`, `at 09:00`, `tomorrow 09:00`, `monday 09:00` or a date with its time."
    )


def _time(text: str, now: datetime, zone: str, *, relative: bool) -> datetime | None:
    try:
        return now + parse_duration(text)
    except InvalidCondition:
        if relative:
            return None
    try:
        return parse_moment(text, now, zone_named(zone))
    except InvalidCondition as error:
        if "past" in str(error):
            raise
        return None


def says_when(text: str) -> bool:
    """Whether a message to `resume` begins with a time and not with words for the agent."""
    return bool(
        re.match(r"^(in\s+\d|at\s+\d|at\s+(today|tomorrow|mon|tue|wed|thu|fri|sat|sun))", text.strip(), re.I)
    )
