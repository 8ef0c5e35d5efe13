"""The modal that asks why a proposed call is denied."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, escape, mrkdwn, plain, preformatted, shorten
from handlers.messages.approval import in_a_list
from handlers.messages.proposal import full_text
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# Characters of the call that the form repeats; the message shows all of it.
SHOWN = 1500
PLACEHOLDER = "use the staging host first"


def deny_modal(session: Session, call: Call, mask: Masker) -> Block:
    reason = text_input(
        "reason",
        "Reason",
        placeholder=PLACEHOLDER,
        optional=True,
        hint="The agent reads it.",
    )
    blocks = [
        mrkdwn(f"Deny *{escape(one_line(call.call.tool, 80))}*? It will not run."),
        preformatted(shorten(full_text(call, mask), SHOWN)),
        reason,
    ]
    return modal(View.DENY, "Deny this call", blocks, Target.of(session, call).encode(), "Deny")


def deny_all_modal(target: Target, calls: Sequence[Call], mask: Masker) -> Block:
    """Return the form that denies several calls, as they were shown, with one reason."""
    reason = text_input(
        "reason", "Reason for all", placeholder=PLACEHOLDER, optional=True, hint="The agent reads it."
    )
    number = count(len(calls), "call")
    blocks = [
        mrkdwn(f"Deny *{number}*? None of them will run."),
        plain(in_a_list(calls, mask, SHOWN)),
        reason,
    ]
    return modal(View.DENY_ALL, f"Deny {number}", blocks, target.encode(), "Deny all")
