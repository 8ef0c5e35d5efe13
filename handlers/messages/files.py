"""A line with the files that a session has written."""

from __future__ import annotations

from handlers.blocks.text import Block, context, escape
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line


def files(session: Session, mask: Masker, *, most: int = 5) -> list[Block]:
    """Return the line, with the newest file first and at most `most` files; the others are counted."""
    paths = session.artifacts[::-1]
    if not paths:
        return []
    names = ", ".join(escape(one_line(mask(path), 80)) for path in paths[:most])
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return [context(f":page_facing_up: Files written: {names}{more}")]
