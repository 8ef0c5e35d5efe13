"""What all commands share: the stamp of an event, and the check of a person's text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.text.sanitize import clean_text

MAX_TEXT = 20_000
MAX_NAME = 80


def stamp(actor: Actor, at: datetime) -> dict[str, Any]:
    """The fields of an event that say who did it and when."""
    return {
        "at": at,
        "by": actor.id,
        "by_name": clean_text(actor.name)[:MAX_NAME],
        "by_owner": actor.owner,
    }


def check_text(text: str, what: str, *, optional: bool = False) -> str:
    """The text in storable form. Raises InvalidInput when it is too long, or empty and not `optional`."""
    text = clean_text(text).strip()
    if not text and not optional:
        raise InvalidInput(f"{what} is empty; please write what you want.")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"{what} is too long: {len(text):,} characters, at most {MAX_TEXT:,}.")
    return text
