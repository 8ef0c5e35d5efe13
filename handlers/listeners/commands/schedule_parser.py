"""Parses the text after `schedule` into a typed plan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from handlers.listeners.commands.parser import unquote
from supervisor.core.errors import InvalidInput
from supervisor.core.times import Overlap

PLANS = (
    'Write `schedule "0 9 * * MON" launch sre "weekly report"`, '
    "or `schedule list`, `pause`, `resume`, `delete` or `run` with an id."
)
# The expression matches at the first of several blanks only, so that its time stays linear.
_LAUNCH = re.compile(r"(?<!\s)\s+launch\s+(?P<persona>\S+)\s+(?=\S)", re.IGNORECASE)
_OVERLAP = re.compile(r"(?<!\s)\s+(?P<overlap>skip|queue|replace)$", re.IGNORECASE)
_ABOUT = re.compile(r"^(?P<verb>pause|resume|delete|run)\s+`?(?P<id>[0-9a-f]{6})`?$", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    verb: Literal["add", "list", "pause", "resume", "delete", "run"]
    schedule_id: str = ""
    cron: str = ""
    persona: str = ""
    task: str = ""
    overlap: Overlap = "skip"


def parse_plan(text: str, slash: str) -> Plan:
    """Return the plan in a text. Raises InvalidInput with the expected form."""
    text = text.strip()
    if not text or text.lower() == "list":
        return Plan("list")
    about = _ABOUT.match(text)
    if about:
        return Plan(about["verb"].lower(), schedule_id=about["id"].lower())  # type: ignore[arg-type]
    add = _LAUNCH.search(text)
    if not add:
        raise InvalidInput(PLANS.replace("`schedule", f"`{slash} schedule", 2))
    cron, task = text[: add.start()], text[add.end() :]
    named = _OVERLAP.search(cron)
    overlap: Overlap = named["overlap"].lower() if named else "skip"  # type: ignore[assignment]
    cron = cron[: named.start()] if named else cron
    return Plan(
        "add", cron=unquote(cron), persona=add["persona"].lower(), task=unquote(task), overlap=overlap
    )
