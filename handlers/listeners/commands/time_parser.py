"""Parses times and conditions in a command: `until webhook: x`, `for 2h`, `in 30m`, `tomorrow 09:00`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from handlers.listeners.commands.parser import unquote
from supervisor.core.conditions import At, Condition, parse_condition
from supervisor.core.due import leading_due, parse_due

# Each expression matches at the first of several blanks only, so that its time stays linear.
_BECAUSE = re.compile(r"(?<!\s)\s+because\s+", re.IGNORECASE)
_OR = re.compile(r"""(?<!\s)\s+or\s+(?=(?:webhook|event|at|in|cron|approval|manual)\b)""", re.IGNORECASE)
# What may stand before the conditions; before other words it is part of the reason.
_FIRST = re.compile(
    r"""(?P<alone>alone(?:\s+|$))?(?P<only>only(?:\s+(?=until\s|for\s+\d|because\s)|$))?(?=$|(?:until|for|because)\s|["'“„«‘])""",
    re.IGNORECASE,
)
_KIND = re.compile(r"^(?:(?:webhook|event|cron)\s*:|(?:approval|children|manual)$)", re.IGNORECASE)


@dataclass(frozen=True)
class Until:
    """The conditions of a pause, and its reason.

    `only`: in place of what it waits for already; `alone`: without its sub-agents.
    """

    conditions: tuple[Condition, ...] = ()
    detail: str = ""
    only: bool = False
    alone: bool = False


def parse_until(text: str, now: datetime, zone: str) -> Until:
    """Parse `[alone] [only] until <condition> [or <condition>] [because <why>]`, `for <duration>`, or only a reason.

    Raises InvalidCondition.
    """
    text = text.strip()
    first = _FIRST.match(text)
    until = _until(text[first.end() :] if first else text, now, zone)
    return replace(until, only=bool(first and first["only"]), alone=bool(first and first["alone"]))


def _until(text: str, now: datetime, zone: str) -> Until:
    word, _, rest = text.strip().partition(" ")
    timed = word.lower() == "for" and rest.strip()[:1].isdigit()
    if not timed and (word.lower() != "until" or not rest.strip()):
        return Until(detail=unquote(re.sub(r"^because\s+", "", text.strip(), flags=re.IGNORECASE)))
    what, *why = _BECAUSE.split(rest, maxsplit=1)
    detail = unquote(why[0]) if why else ""
    if timed:
        return Until((At(type="at", due=parse_due(f"in {what}", now, zone)),), detail)
    conditions = tuple(_condition(part.strip(), now, zone) for part in _OR.split(what))
    return Until(conditions, detail)


def _condition(text: str, now: datetime, zone: str) -> Condition:
    """Parse a condition; a time without a kind means `at:`."""
    if _KIND.match(text):
        return parse_condition(text, now=now, zone=zone)
    return At(type="at", due=parse_due(text, now, zone))


def leading_time(text: str, now: datetime, zone: str) -> tuple[datetime, str] | None:
    """Return the time at the beginning of a text, and the rest without quotes, or None without a time.

    A text in quotes is never a time. Raises InvalidCondition for a time that cannot be read.
    """
    found = leading_due(text, now, zone)
    return found and (found[0], unquote(found[1]))
