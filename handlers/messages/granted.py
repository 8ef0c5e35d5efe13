"""What is said of grants: in the request at which one was made, and on the card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from handlers.blocks.text import Block, context, escape, inline_code, moment, person
from supervisor.core.records import Grant
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# The grants of one card, the newest.
SHOWN = 3


def allowed(patterns: Mapping[str, str], mask: Masker) -> str:
    """Return the patterns of a grant in mrkdwn."""
    shown = [
        f"{escape(one_line(name, 80))} is {inline_code(mask(pattern)) if pattern else 'empty'}"
        for name, pattern in sorted(patterns.items())
    ]
    return ", ".join(shown) or "it has no arguments"


def made_with(session: Session, call: Call, mask: Masker) -> Iterator[str]:
    """Yield the words on the grants that were made with the approval of a call."""
    for grant in session.grants:
        if grant.call_id == call.call_id:
            yield _words(grant, mask)


def granted(session: Session, mask: Masker) -> list[Block]:
    """Return what the session allows in advance now, and how many of its calls ran without asking."""
    lasting = [] if session.ended else [grant for grant in session.grants if not grant.ended_at]
    number = sum(bool(call.grant) for step in session.steps for call in step.calls)
    words = [f":unlock: {count(number, 'call')} allowed in advance"] if number else []
    words += [_words(grant, mask) for grant in lasting[-SHOWN:]]
    if len(lasting) > SHOWN:
        words.append(f"and {count(len(lasting) - SHOWN, 'more grant')}")
    return [context(*words)] if words else []


def _words(grant: Grant, mask: Masker) -> str:
    where = f"<#{grant.place}>" if grant.place else "this session"
    over = f"ended by {person(grant.ended_by, grant.ended_by_name)}" if grant.ended_at else ""
    until = over or f"until {moment(grant.until, date=True)}"
    what = f"*{escape(one_line(grant.tool, 80))}* where {allowed(grant.patterns, mask)}"
    return f":unlock: {what}: allowed in {where} {until}"
