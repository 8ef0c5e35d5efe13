"""The window that shows one sub-agent: what its card would show, how it ended, and its latest entries."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Action, Target, View
from handlers.blocks.text import Block, button, context
from handlers.messages.card import card
from handlers.messages.notices import end_notices
from handlers.messages.pauses import menu, ways_on
from handlers.messages.subagents import Subagents
from handlers.modals.modal import modal
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# A window has at most 100 blocks and a title of 24 characters.
MOST_BLOCKS, TITLE = 100, 24


def subagent_modal(
    session: Session, subagents: Subagents, mask: Masker, entries: Sequence[Block] = ()
) -> Block:
    """Return the window; `entries` are blocks with the end of the log. Requests are decided in their messages."""
    shown = card(session, mask, subagents)
    blocks: list[Block] = [block for block in shown.blocks if block["type"] != "actions"]
    for message in end_notices(session, mask):
        blocks += message.blocks
    if buttons := _buttons(session, subagents):
        blocks.append({"type": "actions", "block_id": f"look:{session.id}", "elements": buttons})
    if entries:
        blocks += [{"type": "divider"}, *entries]
    name = one_line(session.lineage.name if session.lineage else session.persona, TITLE) or "Sub-agent"
    if session.calls_in("awaiting", "asking", "unknown"):
        blocks.insert(1, context(":raised_hand: It waits for a decision in the thread of its coordinator."))
    return modal(View.CHILD, name, blocks[:MOST_BLOCKS], Target.of(session).encode())


def _buttons(session: Session, subagents: Subagents) -> list[Block]:
    if session.ended:
        return []
    address = subagents.address(session.id)
    goto = (
        [button("Open request", Action.REVIEW, Target.of(session).encode(), style="primary")]
        if address
        else []
    )
    return [*({**one, "url": address} for one in goto), *(ways_on(session) or [menu(session)])]
