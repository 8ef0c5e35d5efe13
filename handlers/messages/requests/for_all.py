"""The buttons that decide on all calls of a request, and the list of these calls that they confirm."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Action, Target
from handlers.blocks.text import Block, brief, button, confirm, plain
from handlers.messages.proposal import in_short
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# Characters of a confirmation, and of one section of a window.
CONFIRM, SECTION = 300, 2900
LINE = 90


def for_all(session: Session, calls: Sequence[Call], mask: Masker) -> list[Block]:
    """Return the buttons for several calls; each is bound to the digest of every call.

    They are approved together if all have one rule with quorum 1. Where a confirmation has no room for all of them, a
    window lists them.
    """
    if len(calls) < 2:
        return []
    value, number = Target.of(session, *calls).encode(), len(calls)
    deny = button(f"Deny all {number}…", Action.DENY_ALL, value)
    rules = {call.call.rules for call in calls}
    if len(rules) > 1 or any(len(some) != 1 or some[0].quorum != 1 for some in rules):
        return [deny]
    listed = in_a_list(calls, mask, CONFIRM)
    if len(listed.splitlines()) < number or listed.endswith(" more"):
        return [button(f"Approve all {number}…", Action.REVIEW_ALL, value, style="primary"), deny]
    sure = confirm(f"Approve all {number} calls?", listed, f"Approve all {number}")
    return [button(f"Approve all {number}", Action.APPROVE_ALL, value, style="primary", confirm=sure), deny]


def in_a_list(calls: Sequence[Call], mask: Masker, limit: int) -> str:
    """Return the calls as plain text of at most `limit` characters, one a line; those without room are counted."""
    lines: list[str] = []
    for call in calls:
        line = _line(call, mask)
        left = f"and {len(calls) - len(lines)} more"
        if sum(map(len, lines)) + len(lines) + len(line) + len(left) + 1 > limit:
            return "\n".join([*lines, left])
        lines.append(line)
    return "\n".join(lines)


def sections(calls: Sequence[Call], mask: Masker) -> list[Block]:
    """Return all calls, one a line, in as many sections of plain text as it takes."""
    a_section = SECTION // (LINE + 1)
    return [
        plain("\n".join(_line(call, mask) for call in calls[at : at + a_section]))
        for at in range(0, len(calls), a_section)
    ]


def _line(call: Call, mask: Masker) -> str:
    tool, first = one_line(mask.arguments(call.call.tool), 40), brief(call.call.arguments, mask)
    return one_line(f"• {tool}: {in_short(call, mask) or first}", LINE)
