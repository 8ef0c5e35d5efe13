"""Common parts of commands: the stamp of an event, and the checks of texts and data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from supervisor.core.digest import canonical_json
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean, clean_text

MAX_TEXT = 20_000
MAX_NAME = 80
# The most messages that an agent has not read yet, and their characters.
MOST_UNREAD, MOST_UNREAD_TEXT = 100, 2_000_000
# The most events of a log, and characters of all messages, up to which people and programs may add to it.
MOST_EVENTS, MOST_HEARD_TEXT = 20_000, 16_000_000
# Bytes of JSON that come with a message.
MOST_DATA = 256 * 1024


def stamp(actor: Actor, at: datetime) -> dict[str, Any]:
    """Return the fields of an event that say who did it and when."""
    return {
        "at": at,
        "by": actor.id,
        "by_name": clean_text(actor.name)[:MAX_NAME],
        "by_owner": actor.owner,
    }


def check_text(text: str, what: str, *, optional: bool = False) -> str:
    """Return the text in storable form. Raises InvalidInput when it is too long, or empty and not `optional`."""
    text = clean_text(text).strip()
    if not text and not optional:
        raise InvalidInput(f"{what} is empty; please write what you want.")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"{what} is too long: {len(text):,} characters, at most {MAX_TEXT:,}.")
    return text


def check_room(session: Session, *texts: str, data: Any = None) -> None:
    """Raise IllegalEvent where the session has no room for more: every verb that people may repeat calls it.

    `texts` and `data` are what the agent would read. Decisions, answers and the end of a session are always possible,
    and so is a resume without words.
    """
    if session.version >= MOST_EVENTS:
        raise IllegalEvent(
            f"The log of this session is full, with {MOST_EVENTS:,} events; cancel it or fork it."
        )
    more = sum(map(len, texts)) + (0 if data is None else len(canonical_json(data)))
    if not more:
        return
    unread = sum(len(note.text) for note in session.inbox)
    if len(session.inbox) >= MOST_UNREAD or unread + more > MOST_UNREAD_TEXT:
        raise IllegalEvent(
            f"The agent has {len(session.inbox):,} messages to read first, so this one was not added; "
            "send it again when the session has gone on."
        )
    if unread + sum(len(note.text) for note in session.notes) + more > MOST_HEARD_TEXT:
        raise IllegalEvent("This session has been told as much as it may be; launch another, or fork it.")


def check_data(data: Any) -> Any:
    """Return the JSON value in storable form. Raises InvalidInput where it is too long or none."""
    data = clean(data)
    size = 0 if data is None else len(canonical_json(data).encode())
    if size > MOST_DATA:
        raise InvalidInput(f"The data is too long: {size:,} bytes as JSON, at most {MOST_DATA:,}.")
    return data
