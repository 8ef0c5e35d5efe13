"""The modal that cancels a session, which asks once more."""

from __future__ import annotations

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, escape, mrkdwn
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Session
from supervisor.core.text.visible import one_line


def cancel_modal(session: Session) -> Block:
    words = "It stops now, and nothing it proposed will run."
    words += " Its sub-agents stop too." if session.running_children else ""
    about = f"*{escape(one_line(session.persona, 80))}* `{session.id}`"
    reason = text_input("reason", "Reason", placeholder="no longer needed", optional=True)
    target = Target.of(session).encode()
    blocks = [mrkdwn(f"{about}: {words}"), reason]
    return modal(View.CANCEL, "Cancel this session?", blocks, target, "Cancel it", close="Go back")
