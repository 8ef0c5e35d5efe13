"""A line with the files that a session has written, and one with those that people attached."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.blocks.text import Block, context, escape
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line


def files(session: Session, mask: Masker, *, most: int = 5) -> list[Block]:
    """Return the line, with the newest file first and at most `most` files; the others are counted."""
    attached = {path for path, _ in session.attachments.taken}
    written = [path for path in session.artifacts[::-1] if path not in attached]
    given = [path for path in session.artifacts if path in attached]
    lines = [
        f":page_facing_up: Files written: {_named(written, mask, most)}" if written else "",
        f":paperclip: Files attached: {_named(given, mask, most)}" if given else "",
    ]
    return [context(*lines)] if written or given else []


def _named(paths: Sequence[str], mask: Masker, most: int) -> str:
    names = ", ".join(escape(one_line(mask(path), 80)) for path in paths[:most])
    return f"{names} and {len(paths) - most} more" if len(paths) > most else names
